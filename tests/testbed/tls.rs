//! A certificate authority of the test's own, for servers on loopback and for clients.

use std::{fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// An authority that issues certificates, and the files that servers and clients read them from.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key, in PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, which no machine trusts.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "the testbed's authority");
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("these parameters are valid");
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("the folder takes a file");
        Self { issuer, folder }
    }

    /// The file with the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a server at `127.0.0.1` and `localhost`.
    pub fn server(&self) -> Certificate {
        self.issue("server", &["127.0.0.1", "localhost"], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate that a client shows.
    pub fn client(&self, name: &str) -> Certificate {
        self.issue(name, &[name], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("these are names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params.signed_by(&key, &self.issuer).expect("these parameters are valid");
        let file = |kind: &str| self.folder.path().join(format!("{name}-{kind}.pem"));
        let certificate = Certificate { cert: file("cert"), key: file("key") };
        fs::write(&certificate.cert, cert.pem()).expect("the folder takes a file");
        fs::write(&certificate.key, key.serialize_pem()).expect("the folder takes a file");
        certificate
    }
}
