//! Tests of the records, in memory and on disk.

use std::{fs, path::Path, sync::Arc};

use super::{Error, Journal, MAX_FILE_BYTES, MAX_SLICE_BYTES, MAX_SLICE_RECORDS, Records, Store};
use crate::{
    api::{self, Origin, Record, State, TargetRecord},
    class::Class,
    digest::Digest,
};

fn record(image: &str, tag: usize) -> Record {
    Record {
        source: Some(format!("docker.io/library/{image}")),
        source_digest: Some(Digest::sha256(b"x")),
        targets: vec![TargetRecord::new(
            "corp",
            format!("registry.example/{image}:v{tag}"),
            Digest::sha256(b"x"),
            (Origin::Written, State::Pending),
            "2026-01-01T00:00:00Z".parse().unwrap(),
        )],
        ..Record::new(image, Some(format!("v{tag}")))
    }
}

fn open(dir: &Path) -> Arc<Store> {
    Arc::new(Store::open(dir).unwrap())
}

#[test]
fn a_slice_holds_at_most_100_records_and_each_record_keeps_its_slice() {
    let mut records = Records::default();
    (0..250).for_each(|tag| records.put(record("app", tag)));
    assert_eq!(records.slice_count(), 3);
    assert!((0..3).all(|slice| records.slice(slice).count() <= MAX_SLICE_RECORDS));
    records.take_changed();

    let mut changed = record("app", 120);
    changed.source_digest = Some(Digest::sha256(b"moved"));
    records.put(changed.clone());
    assert_eq!(records.take_changed().len(), 1, "one moved tag rewrites one slice");
    assert_eq!(records.get("app", Some("v120")), Some(&changed));
}

#[test]
fn the_same_record_again_changes_nothing() {
    let mut records = Records::default();
    records.put(record("app", 1));
    records.take_changed();
    records.put(record("app", 1));
    assert!(records.take_changed().is_empty());
}

#[test]
fn a_record_that_is_removed_changes_its_slice_and_leaves_room_in_it() {
    let mut records = Records::default();
    (0..100).for_each(|tag| records.put(record("app", tag)));
    records.take_changed();
    records.remove("app", Some("v7"));
    records.remove("app", Some("never there"));
    assert_eq!((records.take_changed().len(), records.len()), (1, 99));
    assert_eq!(records.get("app", Some("v7")), None);
    records.put(record("app", 1000));
    assert_eq!(records.slice_count(), 1);
}

#[test]
fn of_two_records_that_a_crash_left_the_later_slices_stays_and_the_other_is_written_away() {
    let (mut old, new) = (record("app", 1), record("app", 1));
    old.source_digest = None;
    let mut records = Records::from_slices(vec![vec![old, record("app", 2)], vec![new.clone()]]);
    assert_eq!(records.get("app", Some("v1")), Some(&new));
    assert_eq!(records.take_changed().into_iter().collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn what_was_committed_is_read_back_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = Journal::open(open(dir.path()), "team", "base").unwrap();
        journal.commit(|records| (0..150).for_each(|tag| records.put(record("app", tag)))).await.unwrap();
    }
    let records = open(dir.path()).load("team", "base").unwrap();
    assert_eq!(records.len(), 150);
    assert_eq!(records.get("app", Some("v149")), Some(&record("app", 149)));
}

#[tokio::test]
async fn a_slice_that_grows_too_large_is_split_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(open(dir.path()), "team", "base").unwrap();
    let large = |tag| {
        let mut record = record("app", tag);
        record.targets[0].message = Some("m".repeat(8_000));
        record
    };
    journal.commit(|records| (0..100).for_each(|tag| records.put(large(tag)))).await.unwrap();
    drop(journal);
    for file in fs::read_dir(dir.path().join("records/team/base")).unwrap() {
        assert!(file.unwrap().metadata().unwrap().len() <= MAX_SLICE_BYTES as u64);
    }
    assert_eq!(open(dir.path()).load("team", "base").unwrap().len(), 100);
}

#[tokio::test]
async fn commits_that_come_together_are_all_on_disk_when_they_return() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let journal = Journal::open(Arc::clone(&store), "team", "base").unwrap();
    let commits = (0..64).map(|tag| {
        let (journal, store) = (journal.clone(), Arc::clone(&store));
        tokio::spawn(async move {
            journal.commit(|records| records.put(record("app", tag))).await.unwrap();
            let on_disk = store.load("team", "base").unwrap();
            assert!(on_disk.get("app", Some(&format!("v{tag}"))).is_some(), "v{tag} was committed");
        })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_deleted_during_a_run_is_written_anew_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let journal = Journal::open(Arc::clone(&store), "team", "base").unwrap();
    journal.commit(|records| (0..150).for_each(|tag| records.put(record("app", tag)))).await.unwrap();
    fs::remove_dir_all(dir.path().join("records/team")).unwrap();
    journal.commit(|records| records.put(record("app", 1000))).await.unwrap();
    assert_eq!(store.load("team", "base").unwrap().len(), 151);
}

#[tokio::test]
async fn once_the_whole_directory_was_deleted_or_replaced_nothing_more_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let journal = Journal::open(open(&state), "team", "base").unwrap();
    journal.commit(|records| records.put(record("app", 1))).await.unwrap();
    fs::remove_dir_all(&state).unwrap();
    let error = journal.commit(|records| records.put(record("app", 2))).await.unwrap_err();
    assert!(matches!(&error, Error::Gone(gone) if *gone == state), "{error}");
    assert!(!state.exists());

    // Another process may hold what is there now.
    let other = open(&state);
    let error = journal.commit(|records| records.put(record("app", 3))).await.unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error}");
    assert!(other.load("team", "base").unwrap().is_empty());
}

#[test]
fn the_names_of_our_own_files_are_namespaces_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for namespace in ["lock", "format", "records"] {
        store.write(namespace, "base", 0, br#"{"records": []}"#).unwrap();
        assert!(store.holds(namespace, "base", 0), "{namespace}");
    }
    drop(store);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let write = |size| store.write("team", "base", 0, &vec![b' '; size]);
    let error = write(MAX_FILE_BYTES + 1).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(!store.holds("team", "base", 0));
    write(MAX_FILE_BYTES).unwrap();
    let error = store.load("team", "base").unwrap_err();
    assert!(!error.to_string().contains("bytes"), "it is read, and is no JSON: {error}");
}

#[test]
fn a_field_of_a_newer_version_is_refused_rather_than_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut slice = serde_json::to_value(api::ImageSyncSlice::default()).unwrap();
    slice["records"] = serde_json::json!([record("app", 1)]);
    let load = |slice: &serde_json::Value| {
        store.write("team", "base", 0, slice.to_string().as_bytes()).unwrap();
        store.load("team", "base").map_err(|error| error.to_string())
    };
    load(&slice).unwrap();
    for at in ["/records/0", "/records/0/targets/0"] {
        let mut newer = slice.clone();
        newer.pointer_mut(at).unwrap()["scanned"] = "2027-01-01".into();
        let error = load(&newer).unwrap_err();
        assert!(error.contains("does not know the field `scanned`"), "{at}: {error}");
        // A null is no value.
        newer.pointer_mut(at).unwrap()["scanned"] = serde_json::Value::Null;
        load(&newer).unwrap();
    }
}

#[tokio::test]
async fn a_write_that_fails_is_an_error_and_is_made_up_for_by_the_next_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let journal = Journal::open(Arc::clone(&store), "team", "base").unwrap();
    // A file where the directory has to be: as good as a full disk, and root is not spared.
    fs::create_dir(dir.path().join("records")).unwrap();
    fs::write(dir.path().join("records/team"), "").unwrap();
    let error = journal.commit(|records| records.put(record("app", 1))).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(error.class(), Class::Internal);

    fs::remove_file(dir.path().join("records/team")).unwrap();
    journal.commit(|records| records.put(record("app", 2))).await.unwrap();
    assert_eq!(store.load("team", "base").unwrap().len(), 2);
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(Store::open(dir.path()), Err(Error::InUse(_))));
    drop(first);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("format"), "imagesync-state/v7\n").unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("imagesync-state/v7"), "{error}");
    assert_eq!(fs::read(dir.path().join("format")).unwrap(), b"imagesync-state/v7\n");
}

#[test]
fn a_corrupt_file_is_named_and_left_alone() {
    for junk in ["", "{", "[]", "null", "{\"records\": [{\"image\": 1}]}", "\u{0}\u{1}"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let path = dir.path().join("records/team/base/0.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, junk).unwrap();
        let error = store.load("team", "base").unwrap_err();
        assert!(error.to_string().contains("records/team/base/0.json"), "{junk}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), junk);
    }
}

#[test]
fn what_a_crash_left_of_a_write_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fs::create_dir_all(dir.path().join("records/team/base")).unwrap();
    fs::write(dir.path().join("records/team/base/0.part"), "{\"rec").unwrap();
    assert!(store.load("team", "base").unwrap().is_empty());
}

#[test]
fn a_name_that_would_leave_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for bad in ["..", ".", "", "a/b", "../x"] {
        assert!(store.load("team", bad).is_err(), "{bad}");
        assert!(store.load(bad, "base").is_err(), "{bad}");
    }
}
