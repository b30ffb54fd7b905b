//! The registries file: what is wrong with it, with its line and field.

use std::fs;

use super::super::{Refused, registries};

/// What is wrong with a file of that text, without the file's name.
fn faults(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("registries.yaml");
    fs::write(&file, text).unwrap();
    let Err(error) = registries(&file) else { return Vec::new() };
    let refused = error.downcast::<Refused>().unwrap().to_string();
    let name = format!("{}:", file.display());
    refused.lines().map(|line| line.strip_prefix(&name).unwrap().to_owned()).collect()
}

#[test]
fn a_mistake_is_one_line_with_its_place_and_what_to_write() {
    for (text, expected) in [
        (
            "registries:\n- host: a.example\n  plainHTTP: true\n",
            "3: registries[0].plainHTTP: there is no such field: write plainHttp",
        ),
        (
            "registries:\n- host: a.example\n  concurrency: 0\n",
            "3: registries[0].concurrency: out of range: write a number from 1 to 4294967295",
        ),
        (
            "registries:\n- host: a.example\n  mirrors: [m.example, 'https://m.example']\n",
            "3: registries[0].mirrors[1]: not a mirror: write host",
        ),
        (
            "registries:\n- host: a.example\n- concurrency: 5\n",
            "3: registries[1]: `host` is missing: write it, such as host: registry.corp.example",
        ),
        (
            "registries:\n- host: a.example\n- host: A.example\n",
            "3: registries[1].host: registries[0] has it already: write one entry",
        ),
        (
            "registries:\n- host: a.example\n  clientCert: c.pem\n",
            "3: registries[0].clientCert: of no use without clientKey: write both",
        ),
        (
            "registries:\n- host: a.example\n  caFile: /nowhere/ca.pem\n",
            "3: registries[0].caFile: /nowhere/ca.pem cannot be read (No such file or directory (os error 2)): write the path of a file with the CA certificate",
        ),
        (
            "registries:\n- host: a.example\n  caFile: /dev/null\n  plainHttp: yes please\n",
            "4: registries[0].plainHttp: a string stands where a boolean belongs: write true or false",
        ),
        ("registries: [\n", "1: not YAML"),
        ("{}\n---\nregistries: []\n", "3: a second document: write all registries into the first one"),
        (
            "just text\n",
            "1: a string stands where a mapping belongs: write it as in registries: [{host: registry.corp.example}]",
        ),
    ] {
        let faults = faults(text);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{text}: {faults:#?}");
    }
}

#[test]
fn all_mistakes_are_said_at_once() {
    assert_eq!(faults("registries:\n- host: https://a\n- host: b.example\n  mirrors: [c]\n").len(), 2);
}

#[test]
fn an_empty_file_says_nothing_and_one_that_is_not_there_is_refused() {
    for text in ["", "\n", "registries: []", "{}", "# nothing yet\n", "registries: null"] {
        assert!(faults(text).is_empty(), "{text:?}");
    }
    let error = registries("/nowhere/registries.yaml".as_ref()).err().unwrap().downcast::<Refused>().unwrap();
    assert!(error.to_string().starts_with("/nowhere/registries.yaml: cannot be read"), "{error}");
}
