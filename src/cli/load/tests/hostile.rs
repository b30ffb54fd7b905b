//! Files that are no manifests, or broken ones.

use std::{fs, io, path::Path};

use proptest::prelude::*;

use super::{Input, load, sync};
use super::{fault, manifests::manifests, path, text};

#[test]
fn files_that_are_no_manifests_are_refused_at_a_line() {
    let laughs = (b'b'..=b'z').fold("a: &a [ha, ha, ha, ha]\n".to_owned(), |text, key| {
        let (key, of) = (char::from(key), char::from(key - 1));
        text + &format!("{key}: &{key} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n")
    });
    let expected: [(Vec<u8>, &str); 12] = [
        (laughs.into(), "more, or deeper, than is read"),
        (b"[".repeat(100_000), "not YAML"),
        (b"- ".repeat(100_000), "more, or deeper, than is read"),
        (b"a:\n".repeat(100_000), "2: this key is in the mapping already"),
        (b"- a\n".repeat(300_000), "more, or deeper, than is read"),
        (b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe".into(), "1: not text in UTF-8"),
        (b"a: 1\nb: \xff\n".into(), "2: not text in UTF-8"),
        (b"a: \x00\x1b[31m\n".into(), "1: not YAML"),
        (b"spec:\n\timages: []\n".into(), "not YAML"),
        (b"a: 1\nb: 2\na: 3\n".into(), "3: this key is in the mapping already"),
        (b"a: &a [*a]\n".into(), "1: the alias is part of what it stands for"),
        (b"a: *b\n".into(), "1: the alias names an anchor that is not there"),
    ];
    for (bytes, sentence) in expected {
        let fault = fault(&bytes);
        let start: String = String::from_utf8_lossy(&bytes).chars().take(40).collect();
        assert!(fault.contains(sentence), "{start:?}: {fault}");
        assert!(fault.starts_with(|c: char| c.is_ascii_digit()), "{start:?}: {fault}");
        assert!(!fault.contains(|c: char| c.is_control()), "{start:?}: {fault:?}");
    }
}

#[test]
fn a_file_that_is_too_large_or_not_there_is_refused() {
    let fault = load(&[Input::Stdin], false, &mut io::repeat(b'#')).unwrap_err().to_string();
    assert_eq!(fault, "<stdin>: larger than 16 MiB, which is the most that is read of one file: split it");
    let fault = path(Path::new("/nonexistent/a.yaml")).unwrap_err().to_string();
    assert!(fault.starts_with("/nonexistent/a.yaml: cannot be read: No such file"), "{fault}");
    let dir = tempfile::tempdir().unwrap();
    assert!(path(dir.path()).unwrap_err().to_string().contains("no file in it ends in .yaml"));
}

#[test]
fn a_fault_is_one_line_of_bounded_length_without_escape_sequences() {
    let field = format!("? \"\\e[31m\\n{}\"\n  : 1", "x".repeat(10_000));
    let fault = fault(format!("{}\n  {field}\n", sync("a").trim_end()));
    assert!(fault.starts_with("8: spec.\\u{1b}[31m\\nxxx"), "{fault}");
    assert!(fault.lines().count() == 1 && fault.chars().count() < 1_100, "{fault}");
}

#[test]
fn of_very_many_faults_some_are_told_and_the_others_counted() {
    let refused = text(b"a: 1\n---\n".repeat(5_000)).unwrap_err().to_string();
    assert_eq!(refused.lines().count(), 1_001);
    assert!(refused.ends_with("\nand 4000 more"));
}

/// Ways in which people, templates and transport break a manifest.
#[derive(Debug, Clone)]
pub(super) enum Harm {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Indent(usize, String),
    Value(usize, String),
    Insert(usize, String),
    Cut(usize),
}

pub(super) fn harm() -> impl Strategy<Value = Harm> {
    let line = any::<usize>();
    let value = prop_oneof![
        Just("~"),
        Just("5"),
        Just("1.20"),
        Just("on"),
        Just("[]"),
        Just("{}"),
        Just("[a, b]"),
        Just("{a: b}"),
        Just("*x"),
        Just("&x"),
        Just("''"),
        Just("'"),
        Just("!!binary x"),
        Just("|"),
        Just("((("),
        Just(".inf"),
        Just("<<: *x")
    ];
    prop_oneof![
        line.prop_map(Harm::Drop),
        line.prop_map(Harm::Double),
        (line, line).prop_map(|(a, b)| Harm::Swap(a, b)),
        (line, "[ \t]{1,4}").prop_map(|(at, by)| Harm::Indent(at, by)),
        (line, value).prop_map(|(at, value)| Harm::Value(at, value.to_owned())),
        (line, "\\PC{0,3}|[\\[\\]{}:,&*#?|>'\"%@`-]{1,4}").prop_map(|(at, text)| Harm::Insert(at, text)),
        line.prop_map(Harm::Cut),
    ]
}

pub(super) fn broken(manifest: &str, harms: &[Harm]) -> String {
    let mut lines: Vec<String> = manifest.lines().map(str::to_owned).collect();
    for harm in harms {
        let count = lines.len().max(1);
        if lines.is_empty() {
            lines.push(String::new());
        }
        match harm {
            Harm::Drop(at) => drop(lines.remove(at % count)),
            Harm::Double(at) => lines.insert(at % count, lines[at % count].clone()),
            Harm::Swap(a, b) => lines.swap(a % count, b % count),
            Harm::Indent(at, by) => lines[at % count].insert_str(0, by),
            Harm::Value(at, value) => {
                let line = &mut lines[at % count];
                let keep = line.find(": ").map_or(line.len(), |colon| colon + 2);
                line.replace_range(keep.., value);
            }
            Harm::Insert(at, text) => {
                let line = &mut lines[at % count];
                let position =
                    line.char_indices().nth(at % (line.chars().count() + 1)).map_or(line.len(), |(i, _)| i);
                line.insert_str(position, text);
            }
            Harm::Cut(at) => lines.truncate(at % count + 1),
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn however_a_manifest_is_broken_it_is_read_or_refused_at_a_line(
        which in any::<prop::sample::Index>(),
        harms in prop::collection::vec(harm(), 1..6),
    ) {
        let all: Vec<_> = [manifests("valid"), manifests("invalid/rules"), manifests("invalid/schema")].concat();
        let manifest = broken(&fs::read_to_string(which.get(&all)).unwrap(), &harms);
        if let Err(refused) = text(&manifest) {
            let lines = manifest.lines().count().max(1) as u64;
            for fault in refused.0.iter() {
                let printed = fault.to_string();
                match fault.place {
                    Some(place) => prop_assert!((1..=lines + 1).contains(&place.line), "{printed}\n{manifest}"),
                    None => prop_assert!(printed.contains("no ImageSync there"), "{printed}\n{manifest}"),
                }
                prop_assert!(!printed.contains(|c: char| c.is_control()), "{printed:?}");
            }
        }
    }
}
