use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
        server::WebPkiClientVerifier,
    },
};

use super::quicken;
use crate::{
    class::Class,
    registry::{Error, Keychain, Registries, Settings, message},
};

/// An authority, and a registry on this machine with a certificate of it.
struct Served {
    folder: TempDir,
    host: String,
}

async fn serve(wants_client: bool) -> Served {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let (client, client_key) = issue("client");
    std::fs::write(folder.path().join("client.pem"), client.pem()).unwrap();
    std::fs::write(folder.path().join("client.key"), client_key.serialize_pem()).unwrap();

    let (server, key) = issue("localhost");
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if wants_client {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain: Vec<CertificateDer<'static>> = vec![server.der().clone()];
    let config =
        builder.with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await.ok()?;
                let body = r#"{"tags":["1"]}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    Served { folder, host }
}

impl Served {
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn list(&self, settings: &str) -> Result<usize, Error> {
        let text = format!("registries:\n- host: {}\n{settings}", self.host);
        let mut settings = Settings::parse(&text, Path::new("registries.yaml")).unwrap();
        quicken(&mut settings);
        let registries =
            Registries::new(settings).map_err(|error| Error::new("use the registries file", error))?;
        let remote = registries.open(&format!("{}/app", self.host).parse().unwrap(), &Keychain::default());
        remote.tags().await.map(|tags| tags.len())
    }
}

#[tokio::test]
async fn an_authority_that_is_not_known_is_trusted_only_where_the_file_says_so() {
    let served = serve(false).await;
    let error = served.list("  plainHttp: false\n").await.unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(message(&error).contains("caFile"), "{}", message(&error));
    assert_eq!(served.list(&format!("  caFile: {}\n", served.file("ca.pem"))).await.unwrap(), 1);
    assert_eq!(served.list("  insecureSkipVerify: true\n").await.unwrap(), 1);
}

#[tokio::test]
async fn a_registry_that_wants_to_know_us_sees_our_certificate() {
    let served = serve(true).await;
    let trusted = format!("  caFile: {}\n", served.file("ca.pem"));
    assert_eq!(served.list(&trusted).await.unwrap_err().class(), Class::Unavailable);
    let (certificate, key) = (served.file("client.pem"), served.file("client.key"));
    let known = format!("{trusted}  clientCert: {certificate}\n  clientKey: {key}\n");
    assert_eq!(served.list(&known).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_is_named_and_is_of_no_use_is_said_at_the_start() {
    let served = serve(false).await;
    let missing = served.list("  caFile: /nowhere/ca.pem\n").await.unwrap_err();
    assert_eq!(missing.class(), Class::InvalidSpec);
    assert!(message(&missing).contains("/nowhere/ca.pem"), "{}", message(&missing));
    let (certificate, key) = (served.file("ca.pem"), served.file("ca.pem"));
    let no_key =
        served.list(&format!("  clientCert: {certificate}\n  clientKey: {key}\n")).await.unwrap_err();
    assert_eq!(no_key.class(), Class::InvalidSpec);
}

#[tokio::test]
async fn tls_to_a_registry_without_it_says_what_to_write() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await.unwrap();
        }
    });
    let served = Served { folder: TempDir::new().unwrap(), host };
    let error = served.list("  plainHttp: false\n").await.unwrap_err();
    assert!(message(&error).contains("plainHttp"), "{}", message(&error));
}
