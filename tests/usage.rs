//! The program's exit codes, messages and colours where no registry is needed.

use std::process::Stdio;

use serde_json::Value;

use crate::command::{Desk, Ran};

/// A source where nobody listens.
const SPEC: &str = "images:\n- name: app\n  source: 127.0.0.1:1/app:v1\ntargets:\n- name: copy\n  repository: 127.0.0.1:1/copy";

#[tokio::test]
async fn what_failed_has_failed_whether_anybody_reads_of_it_or_not() {
    let desk = Desk::new(SPEC);
    for command in ["sync", "plan"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut run = desk.command(&[command, "-f", "sync.yaml"]);
        let status = run.stdout(writer).stderr(Stdio::null()).status().await.unwrap();
        assert_eq!(status.code(), Some(1), "{command}");
    }
}

#[tokio::test]
async fn what_is_typed_or_written_wrong_is_usage_and_said_in_one_line_with_its_place() {
    let desk = Desk::new(SPEC);
    desk.write("registries.yaml", "registries:\n- host: a.example\n  plainHTTP: true\n");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hub, namespace: team}\ntype: kubernetes.io/dockerconfigjson\n\
                  stringData: {.dockerconfigjson: '{\"auths\": {\"r\": \"hidden\"}}'}\n";
    desk.write("secret.yaml", secret);
    assert!(std::process::Command::new("mkfifo").arg(desk.path().join("fifo")).status().unwrap().success());
    let sync = &["sync", "-f", "sync.yaml"];
    for (arguments, expected) in [
        (&["man", "nosuch"][..], "imagesync: there is no command nosuch: write one of sync, plan"),
        (
            &[sync, &["--registries", "registries.yaml"][..]].concat(),
            "registries.yaml:3: registries[0].plainHTTP: there is no such field",
        ),
        (&[sync, &["--registries", "nowhere"][..]].concat(), "nowhere: cannot be read"),
        (&[sync, &["--state", "sync.yaml"][..]].concat(), "imagesync: --state sync.yaml: not a directory"),
        (
            &[sync, &["-f", "secret.yaml"][..]].concat(),
            "secret.yaml:5: stringData: `.dockerconfigjson` is not a Docker config",
        ),
        (&["sync", "--watch", "-f", "fifo"], "imagesync: --filename fifo: not a file or folder"),
    ] {
        let Ran { code, stderr, .. } = desk.run(arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.starts_with(expected) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
        assert!(!stderr.contains("hidden"), "{stderr}");
    }
}

#[tokio::test]
async fn a_terminal_carries_out_nothing_that_an_argument_says() {
    let desk = Desk::new(SPEC);
    let ran = desk.run(&["sync", "-f", "sync.yaml", "--state", "/proc/\u{1b}[31mx"]).await;
    assert!(ran.code != 0 && ran.stderr.contains("\\u{1b}[31mx"), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
}

#[tokio::test]
async fn colours_are_where_they_are_asked_for_in_the_table_and_in_the_log() {
    let (desk, suspended) = (Desk::new(SPEC), Desk::new(&format!("suspend: true\n{SPEC}")));
    for (when, expected) in [("always", true), ("never", false), ("auto", false)] {
        let ran = desk.run(&["sync", "-f", "sync.yaml", "--color", when]).await.expect(1);
        assert_eq!(ran.stdout.contains('\u{1b}'), expected, "{when}: {:?}", ran.stdout);
        // That is a warning.
        let ran = suspended.run(&["sync", "-f", "sync.yaml", "--color", when]).await.expect(0);
        assert!(ran.stderr.contains("suspended"), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains('\u{1b}'), expected, "{when}: {:?}", ran.stderr);
    }
}

#[tokio::test]
async fn a_log_filter_that_cannot_be_read_is_said() {
    let desk = Desk::new(&format!("suspend: true\n{SPEC}"));
    let run =
        desk.command(&["plan", "-f", "sync.yaml"]).env("IMAGESYNC_LOG", "debgu").output().await.unwrap();
    let ran = Ran::from(run).expect(0);
    assert!(ran.stderr.contains("IMAGESYNC_LOG is not used (`debgu` is no level)"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_suspended_is_said_and_is_in_the_list() {
    let desk = Desk::new(&format!("suspend: true\n{SPEC}"));
    for command in ["sync", "plan"] {
        let ran = desk.run(&[command, "-f", "sync.yaml"]).await.expect(0);
        assert_eq!(ran.stdout, "Nothing is done: every ImageSync is suspended.\n");
    }
    let list = desk.run(&["sync", "-f", "sync.yaml", "-o", "yaml"]).await.expect(0).stdout;
    assert!(list.starts_with("---\n"), "{list}");
    let list: Value = serde_saphyr::from_str(&list).unwrap();
    assert_eq!(list["items"][0]["metadata"]["name"], "test");
    assert_eq!(list["items"][0]["spec"]["suspend"], true);
}
