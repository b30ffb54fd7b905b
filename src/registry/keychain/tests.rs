use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret as _;

use super::{Credential, Keychain, config, helper};
use crate::class::Class;

fn secret(auths: &serde_json::Value) -> Keychain {
    Keychain::from_secret(serde_json::json!({ "auths": auths }).to_string().as_bytes()).unwrap()
}

/// The username that is found for a repository.
fn user(keychain: &Keychain, repository: &str) -> String {
    match keychain.find(&repository.parse().unwrap(), None) {
        Credential::Password { username, .. } => username,
        other => other.who(),
    }
}

fn auth(username: &str) -> serde_json::Value {
    serde_json::json!({"auth": STANDARD.encode(format!("{username}:p:w"))})
}

#[test]
fn a_password_may_have_colons() {
    let keychain = secret(&serde_json::json!({"registry.example": auth("me")}));
    let Credential::Password { password, .. } = keychain.find(&"registry.example/a".parse().unwrap(), None)
    else {
        panic!("no password")
    };
    assert_eq!(password.expose_secret(), "p:w");
}

#[rstest]
#[case("https://index.docker.io/v1/")]
#[case("docker.io")]
#[case("index.docker.io")]
#[case("https://registry-1.docker.io/v2/")]
#[case("registry.hub.docker.com")]
fn docker_hub_has_many_names(#[case] key: &str) {
    assert_eq!(user(&secret(&serde_json::json!({key: auth("hub")})), "alpine"), "hub");
}

#[test]
fn the_longest_path_of_whole_segments_counts() {
    let keychain = secret(&serde_json::json!({
        "registry.example": auth("all"),
        "registry.example/team": auth("team"),
        "https://registry.example/team/app/": auth("app"),
        "registry.example:5000": auth("port"),
    }));
    for (repository, expected) in [
        ("registry.example/other", "all"),
        ("registry.example/team", "team"),
        ("registry.example/team/other", "team"),
        ("registry.example/team/app", "app"),
        ("registry.example/team/app/deep", "app"),
        ("registry.example/team/application", "team"),
        ("registry.example/teams", "all"),
        ("registry.example:5000/team/app", "port"),
        ("other.example/team", "anonymous"),
    ] {
        assert_eq!(user(&keychain, repository), expected, "{repository}");
    }
}

#[test]
fn a_host_that_is_named_counts_before_a_pattern_whatever_their_paths() {
    let keychain = secret(&serde_json::json!({
        "127.0.*.*:7112": auth("stars"),
        "127.0.0.*:7112": auth("star"),
        "127.0.0.*:7112/team/app": auth("star's app"),
        "127.0.0.1:7112": auth("exact"),
        "127.0.0.1:7112/team": auth("exact team"),
    }));
    for (repository, expected) in [
        ("127.0.0.1:7112/other", "exact"),
        ("127.0.0.1:7112/team/app", "exact team"),
        ("127.0.0.2:7112/team/app", "star's app"),
        ("127.0.0.2:7112/other", "star"),
        ("127.0.1.1:7112/other", "stars"),
    ] {
        assert_eq!(user(&keychain, repository), expected, "{repository}");
    }
}

#[test]
fn the_store_that_knows_all_registries_is_asked_last() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, r#"{"credHelpers": {"a.example": "own"}, "credsStore": "store"}"#).unwrap();
    let keychain = Keychain::from_docker_config(Some(&file)).unwrap();
    let who = |repository: &str, helper| keychain.find(&repository.parse().unwrap(), helper).who();
    // The registries file names `listed`.
    assert_eq!(who("a.example/x", Some("listed")), "the credential helper `own`");
    assert_eq!(who("b.example/x", Some("listed")), "the credential helper `listed`");
    assert_eq!(who("b.example/x", None), "the credential helper `store`");
}

#[test]
fn a_star_stands_for_a_part_of_one_label() {
    let keychain = secret(&serde_json::json!({"*.dkr.ecr.eu-*-1.example.com": auth("ecr")}));
    assert_eq!(user(&keychain, "123.dkr.ecr.eu-west-1.example.com/a"), "ecr");
    assert_eq!(user(&keychain, "a.b.dkr.ecr.eu-west-1.example.com/a"), "anonymous");
    assert_eq!(user(&keychain, "123.dkr.ecr.us-west-1.example.com/a"), "anonymous");
}

#[test]
fn in_a_merge_the_first_counts_where_both_know_a_path() {
    let first = secret(&serde_json::json!({"registry.example": auth("first")}));
    let second =
        secret(&serde_json::json!({"registry.example": auth("second"), "other.example": auth("other")}));
    let both = first.merge(&second);
    assert_eq!(user(&both, "registry.example/a"), "first");
    assert_eq!(user(&both, "other.example/a"), "other");
}

#[test]
fn identity_tokens_come_in_two_spellings() {
    let keychain = secret(&serde_json::json!({
        "a.example": {"auth": STANDARD.encode("0000:x"), "identitytoken": "it"},
        "b.example": {"username": "<token>", "password": "it"},
    }));
    for repository in ["a.example/x", "b.example/x"] {
        let Credential::Identity { token } = keychain.find(&repository.parse().unwrap(), None) else {
            panic!("none")
        };
        assert_eq!(token.expose_secret(), "it");
    }
}

#[test]
fn a_secret_runs_no_program_and_a_persons_configuration_does() {
    let text = r#"{"auths": {"a.example": {}}, "credHelpers": {"a.example": "evil"}, "credsStore": "store"}"#;
    let keychain = Keychain::from_secret(text.as_bytes()).unwrap();
    assert_eq!(user(&keychain, "a.example/x"), "anonymous");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, text).unwrap();
    let keychain = Keychain::from_docker_config(Some(&file)).unwrap();
    assert_eq!(user(&keychain, "a.example/x"), "the credential helper `evil`");
    let Credential::Helper { name, server } = keychain.find(&"alpine".parse().unwrap(), None) else {
        panic!("none")
    };
    assert_eq!((name.as_str(), server.as_str()), ("store", "https://index.docker.io/v1/"));
}

#[rstest]
#[case(r#"{"auths": {"a": {"auth": "!!!"}}}"#)]
#[case(r#"{"auths": {"a": {"auth": "bm9jb2xvbg=="}}}"#)]
#[case(r#"{"auths": []}"#)]
#[case("s3cret")]
fn what_is_damaged_is_refused_without_a_word_of_its_content(#[case] text: &str) {
    let error = Keychain::from_secret(text.as_bytes()).unwrap_err();
    assert_eq!(error.class(), Class::InvalidSpec);
    assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("bm9j"), "{error}");
}

#[test]
fn a_helper_is_a_name_and_no_path() {
    let text = r#"{"credsStore": "../../bin/sh"}"#;
    assert!(config::read(text.as_bytes(), config::Helpers::Run).is_err());
}

#[tokio::test]
async fn a_helper_that_is_not_installed_says_which() {
    let error = super::ask("imagesync-test-none", "registry.example").await.unwrap_err();
    assert!(error.contains("docker-credential-imagesync-test-none"), "{error}");
}

/// A program that does what the script says.
#[cfg(unix)]
fn program(folder: &Path, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("docker-credential-test");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

// One after the other: a script that is being written while another one is started would be busy.
#[cfg(unix)]
#[tokio::test]
async fn a_helper_is_asked_as_docker_asks_and_what_it_says_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |script: &str, patience| {
        let file = program(folder.path(), script);
        helper::run(file.as_os_str(), "registry.example", patience).await
    };
    let minute = Duration::from_mins(1);
    let answer = r#"[ "$1" = get ] && printf '{"ServerURL":"x","Username":"%s","Secret":"p"}' "$(cat)""#;
    let given = run(answer, minute).await.unwrap();
    assert_eq!(given, Credential::Password { username: "registry.example".to_owned(), password: "p".into() });
    let given = run(r#"echo '{"Username":"<token>","Secret":"it"}'"#, minute).await.unwrap();
    assert_eq!(given, Credential::Identity { token: "it".into() });
    let none = run("echo 'credentials not found in native keychain'; exit 1", minute).await.unwrap();
    assert_eq!(none, Credential::Anonymous);
    assert_eq!(
        run("echo 'the store is locked' >&2; exit 1", minute).await.unwrap_err(),
        "the store is locked"
    );
    let error = run("echo s3cret", minute).await.unwrap_err();
    assert_eq!(error, "its answer is not a credential");

    let script = format!("echo $$ > {}/pid; exec sleep 1000", folder.path().display());
    let error = run(&script, Duration::from_millis(500)).await.unwrap_err();
    assert!(error.contains("said nothing"), "{error}");
    let process = std::fs::read_to_string(folder.path().join("pid")).unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", process.trim()));
    let is_gone = async || {
        while std::fs::read_to_string(&status).is_ok_and(|status| !status.contains("(zombie)")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_gone()).await.expect("it still runs");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Keychain::from_secret(&bytes);
    }

    #[test]
    fn no_key_makes_the_parser_panic(key in ".*", auth in ".*") {
        let text = serde_json::json!({"auths": {key: {"auth": auth, "username": "u"}}}).to_string();
        if let Ok(keychain) = Keychain::from_secret(text.as_bytes()) {
            let _ = keychain.find(&"registry.example/a".parse().unwrap(), None);
        }
    }
}
