//! A Kubernetes control plane: etcd and kube-apiserver on loopback, with real RBAC and real validation, and no nodes.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rcgen::KeyPair;
use tempfile::TempDir;

use super::{folder, free_port, process::Process, program};

/// The token of the administrator.
const TOKEN: &str = "the-testbed";

/// A running control plane.
pub struct ControlPlane {
    // In the order in which they end: the apiserver before its store.
    _apiserver: Process,
    _etcd: Process,
    folder: TempDir,
    port: u16,
}

impl ControlPlane {
    /// Starts it, and returns when it is ready.
    pub async fn start() -> Self {
        let folder = folder();
        let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build();
        let client = client.expect("a client without certificates");
        let healthy = async |url: String| match client.get(url).bearer_auth(TOKEN).send().await {
            Ok(answer) => answer.status().is_success(),
            Err(_) => false,
        };

        let command = |port| etcd(port, folder.path());
        let ready = async |port| healthy(format!("http://127.0.0.1:{port}/health")).await;
        let (etcd, store) = Process::serve(&folder.path().join("etcd.log"), command, ready).await;

        fs::write(folder.path().join("tokens.csv"), format!("{TOKEN},admin,admin,system:masters\n"))
            .expect("the folder takes a file");
        let key = KeyPair::generate().expect("a key can be made");
        fs::write(folder.path().join("accounts.key"), key.serialize_pem()).expect("the folder takes a file");
        fs::write(folder.path().join("accounts.pub"), key.public_key_pem()).expect("the folder takes a file");
        let command = |port| apiserver(port, store, folder.path());
        let ready = async |port| healthy(format!("https://127.0.0.1:{port}/readyz")).await;
        let (apiserver, port) = Process::serve(&folder.path().join("apiserver.log"), command, ready).await;

        let plane = Self { _apiserver: apiserver, _etcd: etcd, folder, port };
        fs::write(plane.kubeconfig(), kubeconfig(port)).expect("the folder takes a file");
        plane
    }

    /// The file that makes a client the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// `https://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Runs kubectl as the administrator, with `input` to read.
    ///
    /// # Errors
    /// What kubectl said.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new(program("kubectl"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .env("HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("kubectl does not start: {error}"))?;
        // Dropped at the end of the statement, which ends the input. A kubectl that does not read it says why.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

fn etcd(port: u16, folder: &Path) -> Command {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", free_port()));
    let mut command = Command::new(program("etcd"));
    command.arg("--data-dir").arg(folder.join("etcd")).arg("--unsafe-no-fsync");
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    command
}

fn apiserver(port: u16, store: u16, folder: &Path) -> Command {
    let mut command = Command::new(program("kube-apiserver"));
    command.arg(format!("--etcd-servers=http://127.0.0.1:{store}"));
    command.args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")]);
    // It serves loopback alone, which it would not publish as an endpoint.
    command.args(["--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]);
    command.arg("--cert-dir").arg(folder.join("certificates"));
    command.args(["--authorization-mode=RBAC,Node", "--service-cluster-ip-range=10.0.0.0/24"]);
    command.arg("--token-auth-file").arg(folder.join("tokens.csv"));
    command.arg("--service-account-issuer=https://testbed");
    command.arg("--service-account-signing-key-file").arg(folder.join("accounts.key"));
    command.arg("--service-account-key-file").arg(folder.join("accounts.pub"));
    command
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: testbed\n\
         clusters: [{{name: testbed, cluster: {{server: \"https://127.0.0.1:{port}\", insecure-skip-tls-verify: true}}}}]\n\
         users: [{{name: admin, user: {{token: {TOKEN}}}}}]\n\
         contexts: [{{name: testbed, context: {{cluster: testbed, user: admin, namespace: default}}}}]\n"
    )
}
