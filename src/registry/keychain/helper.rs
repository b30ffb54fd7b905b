//! Docker credential helpers: programs that are asked for a credential when one is needed.

use std::{ffi::OsStr, io, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use super::{Credential, config::of_pair};

/// A helper that says nothing for so long is given up on: some of them open a browser.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a helper has no credential for, it says in these words.
const NONE: [&str; 2] = ["credentials not found", "no credentials server url"];

/// What a helper writes (docker-credential-helpers, "Development").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    username: String,
    secret: String,
}

/// Whether this can be the `NAME` of a program `docker-credential-NAME`, and nothing else.
pub(crate) fn is_helper_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Asks a helper; `Err` is what went wrong, without anything secret.
///
/// Whoever stops waiting ends the program.
pub(crate) async fn ask(name: &str, server: &str) -> Result<Credential, String> {
    let program = format!("docker-credential-{name}");
    run(program.as_ref(), server, PATIENCE).await
}

pub(super) async fn run(program: &OsStr, server: &str, patience: Duration) -> Result<Credential, String> {
    let name = program.display();
    let output = timeout(patience, output(program, server));
    let output = output.await.map_err(|_| format!("it said nothing for {} s", patience.as_secs()))?;
    let output =
        output.map_err(|error| format!("`{name}` cannot be run ({error}); is it installed, and in PATH?"))?;
    if output.status.success() {
        let given: Given = serde_json::from_slice(&output.stdout)
            .map_err(|_| "its answer is not a credential".to_owned())?;
        return Ok(of_pair(given.username, given.secret));
    }
    let said = if output.stdout.trim_ascii().is_empty() { output.stderr } else { output.stdout };
    let said = String::from_utf8_lossy(&said);
    if NONE.iter().any(|none| said.to_lowercase().contains(none)) {
        return Ok(Credential::Anonymous);
    }
    Err(said.trim().chars().filter(|c| !c.is_control()).take(300).collect())
}

async fn output(program: &OsStr, server: &str) -> io::Result<std::process::Output> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read what it is asked still says something.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    child.wait_with_output().await
}
