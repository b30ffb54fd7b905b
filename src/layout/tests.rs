//! Layouts that are whole, damaged, hostile and in other hands.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    class::Class,
    reference::Tag,
    registry::{At, Blob, Gone, Manifest, OCI_INDEX, OCI_MANIFEST},
};

/// A layout in a folder of its own.
struct Place {
    folder: TempDir,
    layout: Layout,
}

fn place() -> Place {
    place_in(&Layouts::default())
}

fn place_in(layouts: &Layouts) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let layout = open_in(layouts, &folder.path().join("out/app"));
    Place { folder, layout }
}

/// As another process opens it.
fn open(path: &Path) -> Layout {
    open_in(&Layouts::default(), path)
}

fn open_in(layouts: &Layouts, path: &Path) -> Layout {
    layouts.open(&format!("oci:{}", path.display()).parse().unwrap())
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.path().join("out/app")
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.path().join("blobs/sha256").join(digest.hex())
    }

    /// The names of files on their way.
    fn parts(&self) -> usize {
        let paths = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "part")).count()
    }

    fn index(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("index.json")).unwrap()).unwrap()
    }

    fn write_index(&self, index: &Value) {
        fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }
}

fn tag(text: &str) -> At {
    At::Tag(text.parse().unwrap())
}

fn blob(bytes: &[u8]) -> Blob {
    Blob { digest: Digest::sha256(bytes), size: bytes.len() as u64 }
}

fn chunks(bytes: &[u8], size: usize) -> Vec<std::io::Result<Bytes>> {
    bytes.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
}

async fn write(layout: &Layout, bytes: &[u8]) -> Blob {
    let blob = blob(bytes);
    let mut upload = layout.start_upload().await.unwrap();
    upload.put(&blob, 0, stream::iter(chunks(bytes, 10_000))).await.unwrap();
    blob
}

async fn read(layout: &Layout, blob: &Blob, from: u64) -> Result<Vec<u8>, Error> {
    let chunks: Vec<Bytes> = layout.reading(blob).from(from).try_collect().await?;
    Ok(chunks.concat())
}

fn manifest(value: &Value) -> Manifest {
    let bytes = Bytes::from(value.to_string());
    let digest = Digest::sha256(&bytes);
    Manifest::parse(bytes, None, digest).unwrap()
}

fn image(blob: &Blob) -> Manifest {
    manifest(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/x", "digest": blob.digest, "size": blob.size}, "layers": [],
    }))
}

fn signature(of: &Manifest, blob: &Blob, kind: &str) -> Manifest {
    manifest(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind, "annotations": {"a": "b", "n": 1},
        "config": {"mediaType": "application/x", "digest": blob.digest, "size": blob.size}, "layers": [],
        "subject": {"mediaType": OCI_MANIFEST, "digest": of.digest, "size": of.bytes.len()},
    }))
}

/// A layout with one image under `v1`.
async fn with_image() -> (Place, Manifest) {
    let place = place();
    let image = image(&write(&place.layout, b"config").await);
    place.layout.put_manifest(&tag("v1"), &image).await.unwrap();
    (place, image)
}

#[tokio::test]
async fn what_was_written_is_read_again() {
    let (place, image) = with_image().await;
    let layout = &place.layout;
    assert_eq!(layout.get_manifest(&tag("v1")).await.unwrap(), image);
    assert_eq!(layout.head_manifest(&tag("v1")).await.unwrap(), Some(image.descriptor()));
    let by_digest = At::Digest(image.digest.clone());
    assert_eq!(layout.get_manifest(&by_digest).await.unwrap(), image);
    assert_eq!(layout.head_manifest(&by_digest).await.unwrap(), Some(image.descriptor()));
    assert_eq!(layout.tags().await.unwrap(), ["v1".parse::<Tag>().unwrap()]);
    assert_eq!(
        fs::read_to_string(place.path().join("oci-layout")).unwrap(),
        r#"{"imageLayoutVersion":"1.0.0"}"#
    );
    let index = place.index();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
    assert_eq!(index["manifests"][0]["annotations"], json!({"org.opencontainers.image.ref.name": "v1"}));
    assert_eq!(place.parts(), 0);
    assert_eq!(open(&place.path()).get_manifest(&tag("v1")).await.unwrap(), image, "another process sees it");
}

#[tokio::test]
async fn a_blob_is_read_from_any_place_and_its_end_only_if_all_of_it_is_right() {
    let place = place();
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    let blob = write(&place.layout, &bytes).await;
    assert_eq!(place.layout.head_blob(&blob.digest).await.unwrap(), Some(400_000));
    for from in [0, 1, 131_072, 399_999] {
        assert_eq!(read(&place.layout, &blob, from).await.unwrap(), &bytes[usize::try_from(from).unwrap()..]);
    }
    assert_eq!(read(&place.layout, &blob, 400_000).await.unwrap(), b"");
    let empty = write(&place.layout, b"").await;
    assert_eq!(read(&place.layout, &empty, 0).await.unwrap(), b"");

    let mut damaged = bytes.clone();
    damaged[5] ^= 1;
    fs::write(place.file(&blob.digest), &damaged).unwrap();
    let reading = place.layout.reading(&blob);
    let (mut taken, mut chunks) = (0, Box::pin(reading.from(0)));
    let error = loop {
        match chunks.try_next().await {
            Ok(Some(chunk)) => taken += chunk.len(),
            Ok(None) => panic!("the wrong bytes were given to their end"),
            Err(error) => break error,
        }
    };
    assert!(taken < bytes.len() && matches!(error, Error::Digest { .. }), "{taken} {error}");
    // Who took the beginning does not get an end, even if it is right meanwhile.
    fs::write(place.file(&blob.digest), &bytes).unwrap();
    assert!(reading.from(taken as u64).try_collect::<Vec<_>>().await.is_err());

    fs::write(place.file(&blob.digest), &bytes[1..]).unwrap();
    assert!(matches!(read(&place.layout, &blob, 0).await, Err(Error::Length { found: 399_999, .. })));
    fs::remove_file(place.file(&blob.digest)).unwrap();
    assert!(matches!(read(&place.layout, &blob, 0).await, Err(Error::NoBlob { .. })));
    assert_eq!(place.layout.head_blob(&blob.digest).await.unwrap(), None);
}

#[tokio::test]
async fn bytes_that_are_wrong_leave_nothing_and_those_that_tear_go_on_where_they_stand() {
    let place = place();
    for size in [1_000, 300_000] {
        let bytes = vec![7; size];
        let blob = blob(&bytes);
        let mut upload = place.layout.start_upload().await.unwrap();
        let mut wrong = bytes.clone();
        wrong[0] = 8;
        let error = upload.put(&blob, 0, stream::iter(chunks(&wrong, 10_000))).await.unwrap_err();
        assert_eq!(error.class(), Class::DigestMismatch);
        assert_eq!((place.parts(), upload.offset()), (0, None));
        let error = upload.put(&blob, 0, stream::iter(chunks(&vec![7; size + 1], 10_000))).await.unwrap_err();
        assert!(matches!(error, Error::Length { .. }), "{error}");
        assert_eq!(place.parts(), 0);
        assert_eq!(place.layout.head_blob(&blob.digest).await.unwrap(), None);

        let mut torn = chunks(&bytes[..size / 2], 10_000);
        torn.push(Err(std::io::ErrorKind::ConnectionReset.into()));
        let mut upload = place.layout.start_upload().await.unwrap();
        assert!(matches!(upload.put(&blob, 0, stream::iter(torn)).await, Err(Error::Body(_))));
        let stands = upload.offset();
        // Little is written at once or not at all.
        assert_eq!(stands, (size == 300_000).then_some(150_000));
        let from = usize::try_from(stands.unwrap_or_default()).unwrap();
        let error =
            upload.put(&blob, from as u64 + 1, stream::iter(chunks(&bytes, 10_000))).await.unwrap_err();
        assert!(matches!(error, Error::Offset { .. }), "{error}");
        upload.put(&blob, from as u64, stream::iter(chunks(&bytes[from..], 10_000))).await.unwrap();
        assert_eq!(read(&place.layout, &blob, 0).await.unwrap(), bytes);
        assert_eq!(place.parts(), 0);
    }
}

#[tokio::test]
async fn an_upload_that_nobody_wants_any_more_leaves_nothing() {
    let place = place();
    let bytes = vec![7; 300_000];
    let mut upload = place.layout.start_upload().await.unwrap();
    let mut torn = chunks(&bytes[..150_000], 10_000);
    torn.push(Err(std::io::ErrorKind::ConnectionReset.into()));
    assert!(upload.put(&blob(&bytes), 0, stream::iter(torn)).await.is_err());
    assert_eq!(place.parts(), 1);
    drop(upload);
    assert_eq!(place.parts(), 0);
}

#[tokio::test]
async fn a_manifest_whose_blobs_are_not_there_is_refused_and_a_part_of_an_index_is_enough() {
    let place = place();
    let lacking = image(&blob(b"not there"));
    let error = place.layout.put_manifest(&tag("v1"), &lacking).await.unwrap_err();
    assert!(error.is_missing_content() && error.is_refusal(), "{error}");
    assert_eq!(place.layout.head_manifest(&tag("v1")).await.unwrap(), None);
    let index = manifest(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": lacking.digest, "size": lacking.bytes.len()}]}));
    place.layout.put_manifest(&tag("v1"), &index).await.unwrap();
    assert_eq!(place.layout.get_manifest(&tag("v1")).await.unwrap(), index);
}

#[tokio::test]
async fn a_manifest_by_digest_is_in_the_index_only_if_nothing_else_will_name_it() {
    let (place, image) = with_image().await;
    let config = blob(b"config");
    let child = manifest(&json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
        "config": {"mediaType": "application/y", "digest": config.digest, "size": config.size}}));
    let by_digest = At::Digest(child.digest.clone());
    place.layout.put_manifest(&by_digest, &child).await.unwrap();
    assert_eq!(place.index()["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(place.layout.get_manifest(&by_digest).await.unwrap(), child);
    place.layout.list(&child).await.unwrap();
    assert_eq!(place.index()["manifests"].as_array().unwrap().len(), 2);
    let signature = signature(&image, &config, "application/sig");
    place.layout.put_manifest(&At::Digest(signature.digest.clone()), &signature).await.unwrap();
    let entry = &place.index()["manifests"][2];
    assert_eq!((&entry["artifactType"], &entry["annotations"]), (&json!("application/sig"), &Value::Null));
    assert_eq!(place.layout.tags().await.unwrap().len(), 1);
}

#[tokio::test]
async fn referrers_are_found_in_the_index_and_under_the_fallback_tag() {
    let (place, image) = with_image().await;
    let config = blob(b"config");
    let [a, b] = ["application/a", "application/b"].map(|kind| signature(&image, &config, kind));
    place.layout.put_manifest(&At::Digest(a.digest.clone()), &a).await.unwrap();
    // As tools leave it that copy from a registry without the API.
    place.layout.store_only(&b).await;
    let fallback = manifest(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": a.digest, "size": a.bytes.len()},
        {"mediaType": OCI_MANIFEST, "digest": b.digest, "size": b.bytes.len()}]}));
    let name = format!("sha256-{}", image.digest.hex());
    place.layout.put_manifest(&tag(&name), &fallback).await.unwrap();

    let found = place.layout.referrers(&image.digest).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].descriptor(), found[1].descriptor()), (a.descriptor(), b.descriptor()));
    assert_eq!(found[0].artifact_type(), Some("application/a"));
    assert_eq!(place.layout.referrers(&a.digest).await.unwrap(), []);
}

impl Layout {
    /// Writes a manifest's bytes and nothing else.
    async fn store_only(&self, manifest: &Manifest) {
        write(self, &manifest.bytes).await;
    }
}

#[tokio::test]
async fn a_tag_is_deleted_alone_and_only_if_it_shows_what_is_to_go() {
    let (place, image) = with_image().await;
    place.layout.put_manifest(&tag("v2"), &image).await.unwrap();
    place.layout.put_manifest(&tag("v3"), &image).await.unwrap();
    let (v2, other) = ("v2".parse().unwrap(), Digest::sha256(b"other"));
    let changed = place.layout.delete_tag(&v2, &other).await.unwrap();
    assert_eq!(changed, Gone::Changed(image.digest.clone()));
    assert_eq!(place.layout.delete_tag(&v2, &image.digest).await.unwrap(), Gone::Deleted);
    assert_eq!(place.layout.delete_tag(&v2, &image.digest).await.unwrap(), Gone::Absent);
    assert_eq!(place.layout.head_manifest(&tag("v2")).await.unwrap(), None);
    assert!(place.layout.prove_absent(&tag("v2")).await.unwrap());
    assert_eq!(place.layout.tags().await.unwrap().len(), 2);
    // What is damaged can go too: the index still gives it the tag.
    let v3 = "v3".parse().unwrap();
    fs::remove_file(place.file(&image.digest)).unwrap();
    assert_eq!(place.layout.head_manifest(&tag("v3")).await.unwrap(), None);
    assert_eq!(place.layout.delete_tag(&v3, &image.digest).await.unwrap(), Gone::Deleted);
    assert!(!place.layout.tags().await.unwrap().contains(&v3));
}

#[tokio::test]
async fn what_another_tool_calls_by_the_whole_reference_stays_when_a_tag_is_deleted() {
    let (place, image) = with_image().await;
    let mut index = place.index();
    let entries = index["manifests"].as_array_mut().unwrap();
    let mut theirs = entries[0].clone();
    theirs["digest"] = json!(Digest::sha256(b"theirs"));
    theirs["annotations"]["org.opencontainers.image.ref.name"] = json!("docker.io/library/app:v1");
    entries.push(theirs.clone());
    place.write_index(&index);
    let gone = place.layout.delete_tag(&"v1".parse().unwrap(), &image.digest).await.unwrap();
    assert_eq!(gone, Gone::Changed(Digest::sha256(b"theirs")));
    assert_eq!(place.index()["manifests"], json!([theirs]));
}

#[tokio::test]
async fn changes_that_come_at_the_same_time_are_all_there() {
    let (place, image) = with_image().await;
    let names: Vec<At> = (0..50).map(|n| tag(&format!("t{n:02}"))).collect();
    // Two that are opened apart, as two processes do it.
    let other = open(&place.path());
    let writes = names.iter().enumerate().map(|(n, name)| {
        let layout = if n % 2 == 0 { &place.layout } else { &other };
        layout.put_manifest(name, &image)
    });
    futures::future::try_join_all(writes).await.unwrap();
    assert_eq!(place.layout.tags().await.unwrap().len(), 51);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_by_the_next_writer() {
    let place = place();
    write(&place.layout, b"config").await;
    let left = place.path().join(".imagesync-0123456789abcdef.part");
    fs::write(&left, b"half").unwrap();
    write(&place.layout, b"other").await;
    assert!(left.exists(), "it was looked for when this process began to write");
    write(&open(&place.path()), b"one more").await;
    assert!(!left.exists());
}

#[tokio::test]
async fn a_blob_is_mounted_as_the_same_file_if_it_is_ours_and_as_a_copy_otherwise() {
    let layouts = Layouts::default();
    let (a, b) = (place_in(&layouts), place_in(&layouts));
    let bytes = vec![3; 200_000];
    let shared = write(&a.layout, &bytes).await;
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    assert!(matches!(b.layout.mount(&shared.digest, &a.layout).await.unwrap(), Mount::Mounted));
    assert_eq!(inode(a.file(&shared.digest)), inode(b.file(&shared.digest)));
    // Again, where it has the name already.
    assert!(matches!(b.layout.mount(&shared.digest, &a.layout).await.unwrap(), Mount::Mounted));
    assert_eq!(b.parts(), 0);

    // Whoever may write to the file could change what we have.
    let c = place_in(&layouts);
    fs::set_permissions(a.file(&shared.digest), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(c.layout.mount(&shared.digest, &a.layout).await.unwrap(), Mount::Mounted));
    assert_ne!(inode(a.file(&shared.digest)), inode(c.file(&shared.digest)));
    assert_eq!(read(&c.layout, &shared, 0).await.unwrap(), bytes);
    assert_eq!(c.parts(), 0);
}

#[tokio::test]
async fn what_lies_is_not_mounted() {
    let (a, b) = (place(), place());
    let (real, missing) = (write(&a.layout, b"real").await, blob(b"missing"));
    fs::write(a.file(&real.digest), b"lies").unwrap();
    let secret = a.folder.path().join("secret");
    fs::write(&secret, b"missing").unwrap();
    symlink(&secret, a.file(&missing.digest)).unwrap();
    for blob in [&real, &missing] {
        assert!(matches!(b.layout.mount(&blob.digest, &a.layout).await.unwrap(), Mount::Upload(_)));
        assert!(!b.file(&blob.digest).exists());
    }
    // Nor is it taken for there.
    assert!(matches!(a.layout.mount(&real.digest, &a.layout).await.unwrap(), Mount::Upload(_)));
}

#[tokio::test]
async fn a_directory_without_a_layout_is_not_there_and_becomes_one_when_it_is_written_to() {
    let place = place();
    assert_eq!(place.layout.head_manifest(&tag("v1")).await.unwrap(), None);
    assert!(place.layout.prove_absent(&tag("v1")).await.unwrap());
    assert_eq!(place.layout.tags().await.unwrap_err().class(), Class::NotFound);
    assert_eq!(place.layout.head_blob(&blob(b"config").digest).await.unwrap(), None);
    assert!(!place.folder.path().join("out").exists(), "looking makes nothing");
    // The layout of another repository may lie in it already.
    let below = open(&place.path().join("below"));
    write(&below, b"config").await;
    assert!(place.layout.prove_absent(&tag("v1")).await.unwrap());
    write(&place.layout, b"config").await;
    assert_eq!(place.layout.tags().await.unwrap(), []);
}

/// Everything that reads, and that writes, is refused with this class.
async fn all_refused(layout: &Layout, class: Class) {
    let read = layout.get_manifest(&tag("v1")).await.unwrap_err();
    assert_eq!(read.class(), class, "{read}");
    assert!(layout.head_manifest(&tag("v1")).await.is_err());
    assert!(layout.prove_absent(&tag("v1")).await.is_err());
    assert!(layout.tags().await.is_err());
    assert!(layout.put_manifest(&tag("v2"), &image(&blob(b"config"))).await.is_err());
}

#[tokio::test]
async fn links_below_a_layout_lead_nowhere() {
    for name in ["oci-layout", "index.json", "blobs", "blobs/sha256"] {
        let (place, image) = with_image().await;
        let (path, moved) = (place.path().join(name), place.folder.path().join("moved"));
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        let error = place.layout.get_manifest(&tag("v1")).await.unwrap_err();
        assert!(matches!(error, Error::Irregular { .. }), "{name}: {error}");
        assert!(place.layout.head_manifest(&tag("v1")).await.is_err(), "{name}");
        assert!(place.layout.put_manifest(&tag("v2"), &image).await.is_err(), "{name}");
        assert!(place.layout.prove_absent(&tag("v1")).await.is_err(), "{name}");
        let before = fs::symlink_metadata(&path).unwrap();
        assert!(before.is_symlink(), "{name} was replaced");
    }
}

#[tokio::test]
async fn a_blob_that_is_a_link_or_no_file_is_refused_without_waiting_for_it() {
    let (place, image) = with_image().await;
    let secret = place.folder.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let named = blob(b"secret");
    symlink(&secret, place.file(&named.digest)).unwrap();
    assert!(matches!(place.layout.head_blob(&named.digest).await, Err(Error::Irregular { .. })));
    assert!(matches!(read(&place.layout, &named, 0).await, Err(Error::Irregular { .. })));

    let pipe = blob(b"pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.file(&pipe.digest),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(matches!(read(&place.layout, &pipe, 0).await, Err(Error::Irregular { .. })));
    fs::remove_file(place.file(&image.digest)).unwrap();
    fs::create_dir(place.file(&image.digest)).unwrap();
    assert!(matches!(place.layout.get_manifest(&tag("v1")).await, Err(Error::Irregular { .. })));
    // What we write takes the place of a link, and does not follow it.
    write(&place.layout, b"secret").await;
    assert!(fs::symlink_metadata(place.file(&named.digest)).unwrap().is_file());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test]
async fn a_lock_that_is_a_link_is_refused() {
    let (place, image) = with_image().await;
    let elsewhere = place.folder.path().join("elsewhere");
    fs::remove_file(place.path().join(".imagesync.lock")).unwrap();
    symlink(&elsewhere, place.path().join(".imagesync.lock")).unwrap();
    let error = place.layout.put_manifest(&tag("v2"), &image).await.unwrap_err();
    assert!(matches!(error, Error::Irregular { .. }), "{error}");
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn another_version_and_damage_are_refused_by_name() {
    for (name, content) in [
        ("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
        ("oci-layout", "{}"),
        ("oci-layout", ""),
        ("index.json", "{\"manifests\":"),
        ("index.json", ""),
    ] {
        let (place, _) = with_image().await;
        fs::write(place.path().join(name), content).unwrap();
        all_refused(&place.layout, Class::Unsupported).await;
    }
    let (place, _) = with_image().await;
    fs::remove_file(place.path().join("oci-layout")).unwrap();
    all_refused(&place.layout, Class::Unsupported).await;
}

#[tokio::test]
async fn an_index_larger_than_any_honest_one_is_not_read() {
    let (place, _) = with_image().await;
    let index = fs::File::options().write(true).open(place.path().join("index.json")).unwrap();
    index.set_len(1 << 30).unwrap();
    all_refused(&place.layout, Class::TooLarge).await;
}

#[tokio::test]
async fn digests_and_sizes_that_lie_are_told_and_repaired_by_writing_again() {
    let (place, image) = with_image().await;
    fs::write(place.file(&image.digest), vec![b' '; image.bytes.len()]).unwrap();
    let error = place.layout.get_manifest(&tag("v1")).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    assert!(place.layout.prove_absent(&tag("v1")).await.is_err());
    place.layout.put_manifest(&tag("v1"), &image).await.unwrap();
    assert_eq!(place.layout.get_manifest(&tag("v1")).await.unwrap(), image);

    let mut index = place.index();
    index["manifests"][0]["size"] = 5.into();
    place.write_index(&index);
    let error = place.layout.get_manifest(&tag("v1")).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { said: 5, .. }), "{error}");
    assert_eq!(place.layout.head_manifest(&tag("v1")).await.unwrap(), None, "so it is written again");
    place.layout.put_manifest(&tag("v1"), &image).await.unwrap();
    assert_eq!(place.layout.head_manifest(&tag("v1")).await.unwrap(), Some(image.descriptor()));

    fs::remove_file(place.file(&image.digest)).unwrap();
    assert_eq!(place.layout.head_manifest(&tag("v1")).await.unwrap(), None);
    assert_eq!(place.layout.prove_absent(&tag("v1")).await.unwrap_err().class(), Class::DigestMismatch);
}

#[tokio::test]
async fn a_tag_that_is_there_twice_is_refused_and_moved_to_one() {
    let (place, image) = with_image().await;
    let mut index = place.index();
    let mut second = index["manifests"][0].clone();
    second["digest"] = blob(b"another").digest.as_str().into();
    index["manifests"].as_array_mut().unwrap().push(second);
    place.write_index(&index);
    let error = place.layout.get_manifest(&tag("v1")).await.unwrap_err();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    assert!(place.layout.head_manifest(&tag("v1")).await.is_err());
    place.layout.put_manifest(&tag("v1"), &image).await.unwrap();
    assert_eq!(place.layout.get_manifest(&tag("v1")).await.unwrap(), image);
}

#[tokio::test]
async fn a_manifest_larger_than_registries_take_is_not_read() {
    let (place, image) = with_image().await;
    let file = fs::File::options().write(true).open(place.file(&image.digest)).unwrap();
    file.set_len(1 << 30).unwrap();
    assert_eq!(place.layout.get_manifest(&tag("v1")).await.unwrap_err().class(), Class::TooLarge);
    assert!(!place.layout.prove_absent(&tag("v1")).await.unwrap());
}

#[tokio::test]
async fn layouts_are_found_by_names_that_repositories_can_have() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["team/app", "team", "Upper/case", ".hidden/app", "team/app/blobs/sha256/x"] {
        write(&open(&folder.path().join(name)), b"config").await;
    }
    symlink(folder.path().join("team"), folder.path().join("linked")).unwrap();
    assert_eq!(find(folder.path(), 10).unwrap(), ["team", "team/app"]);
    assert_eq!(find(folder.path(), 1).unwrap().len(), 1);
    assert!(is_one(&folder.path().join("team")).unwrap());
    assert!(!is_one(folder.path()).unwrap());
    assert!(find(&folder.path().join("nowhere"), 10).is_err());
}
