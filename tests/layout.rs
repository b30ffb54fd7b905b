//! OCI image layouts: what other tools make of those that are written, what is read of theirs, crashes, and
//! `imagesync serve`.

mod crash;
pub(crate) mod serve;
mod tools;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use imagesync::digest::Digest;
use serde_json::Value;

/// Judges a layout with other eyes than the program's own: the tags of its index, each complete to the last byte.
pub(crate) fn complete(layout: &Path) -> BTreeMap<String, Digest> {
    let Ok(index) = fs::read(layout.join("index.json")) else { return BTreeMap::new() };
    let index: Value = serde_json::from_slice(&index).expect("an index is never torn");
    let marker: Value = serde_json::from_slice(&fs::read(layout.join("oci-layout")).unwrap()).unwrap();
    assert_eq!(marker["imageLayoutVersion"], "1.0.0");
    let mut tags = BTreeMap::new();
    for entry in index["manifests"].as_array().unwrap() {
        let digest = manifest(layout, entry);
        if let Some(tag) = entry["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            assert_eq!(tags.insert(tag.to_owned(), digest), None, "{tag} is there twice");
        }
    }
    tags
}

/// A manifest and all below it.
fn manifest(layout: &Path, descriptor: &Value) -> Digest {
    let (digest, bytes) = blob(layout, descriptor);
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    for child in manifest["manifests"].as_array().into_iter().flatten() {
        self::manifest(layout, child);
    }
    for part in manifest["layers"].as_array().into_iter().flatten().chain(manifest.get("config")) {
        blob(layout, part);
    }
    digest
}

fn blob(layout: &Path, descriptor: &Value) -> (Digest, Vec<u8>) {
    let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
    let path = file(layout, &digest);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{} is not there: {error}", path.display()));
    assert_eq!(descriptor["size"], bytes.len(), "{}", path.display());
    assert!(digest.matches(&bytes), "{}", path.display());
    (digest, bytes)
}

/// Where a layout has a blob.
fn file(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}

/// Files of a layout that are not whole.
fn parts(layout: &Path) -> usize {
    let paths = fs::read_dir(layout).into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "part")).count()
}
