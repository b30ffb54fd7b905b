//! Docker credential helpers: programs that are asked for a credential when one is needed.

use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};

use super::{Credential, config::of_pair};

/// A helper that says nothing for so long is given up on: some of them open a browser.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a helper has no credential for, it says in these words.
const NONE: [&str; 2] = ["credentials not found", "no credentials server url"];

/// Whether this can be the `NAME` of a program `docker-credential-NAME`, and nothing else.
pub(crate) fn is_helper_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Asks a helper; `Err` is what went wrong, without anything secret.
pub(crate) async fn ask(name: &str, server: &str) -> Result<Credential, String> {
    // The crate reads the helper's name from a configuration, so that is what it gets.
    let config = serde_json::json!({ "credHelpers": { server: name } }).to_string();
    let server = server.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        docker_credential::get_credential_from_reader(config.as_bytes(), &server)
    });
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => Err(format!("it said nothing for {} s", PATIENCE.as_secs())),
        Ok(Err(_)) => Err("it could not be run".to_owned()),
        Ok(Ok(Ok(DockerCredential::IdentityToken(token)))) => {
            Ok(Credential::Identity { token: token.into() })
        }
        Ok(Ok(Ok(DockerCredential::UsernamePassword(username, password)))) => Ok(of_pair(username, password)),
        Ok(Ok(Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. }))) => {
            let said = if stdout.trim().is_empty() { stderr } else { stdout };
            if NONE.iter().any(|none| said.to_lowercase().contains(none)) {
                Ok(Credential::Anonymous)
            } else {
                Err(said.trim().chars().filter(|c| !c.is_control()).take(300).collect())
            }
        }
        Ok(Ok(Err(CredentialRetrievalError::HelperCommunicationError))) => {
            Err(format!("`docker-credential-{name}` cannot be run; is it installed, and in PATH?"))
        }
        Ok(Ok(Err(_))) => Err("its answer is not a credential".to_owned()),
    }
}
