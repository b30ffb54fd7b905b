//! Reproducible images: the same seed gives the same digests on every machine.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};
use imagesync::digest::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The unit of a tar archive: sizes of layers are multiples of it.
const BLOCK: usize = 512;
/// How much of a layer is in memory at a time.
const CHUNK: usize = 64 * 1024;

/// Which of the two families of media types an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The OCI image-spec's.
    Oci,
    /// Docker's, schema 2.
    Docker,
}

impl Format {
    /// The media type of an index (a list, in Docker's words).
    pub fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// The media type of one platform's manifest.
    pub fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    fn layer(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.layer.v1.tar",
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar",
        }
    }
}

/// A layer: a tar archive with one file of random bytes. Its bytes are made when they are needed.
#[derive(Clone, Debug)]
pub struct Layer {
    seed: u64,
    size: u64,
    digest: Digest,
}

impl Layer {
    /// `size` is rounded up to whole tar blocks, two at least.
    pub fn new(seed: u64, size: u64) -> Self {
        let size = size.next_multiple_of(BLOCK as u64).max(2 * BLOCK as u64);
        let mut hasher = Sha256::new();
        for chunk in chunks(seed, size) {
            hasher.update(&chunk);
        }
        Self { seed, size, digest: finish(hasher) }
    }

    /// The layer's bytes.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + Send + 'static {
        chunks(self.seed, self.size)
    }
}

/// The bytes of a blob.
#[derive(Clone, Debug)]
pub enum Content {
    /// Few enough to keep.
    Bytes(Bytes),
    /// Made on the way.
    Layer(Layer),
}

/// A config or a layer.
#[derive(Clone, Debug)]
pub struct Blob {
    /// What it is called.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What is in it.
    pub content: Content,
}

impl Blob {
    /// A blob of these bytes.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::sha256(&bytes), size: bytes.len() as u64, content: Content::Bytes(bytes) }
    }
}

impl From<Layer> for Blob {
    fn from(layer: Layer) -> Self {
        Self { digest: layer.digest.clone(), size: layer.size, content: Content::Layer(layer) }
    }
}

/// A manifest or an index as it is stored.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The bytes that the digest is of.
    pub bytes: Bytes,
    /// The `Content-Type` they are pushed with.
    pub media_type: String,
    /// The digest.
    pub digest: Digest,
}

impl Manifest {
    /// Writes the value down.
    pub fn of(media_type: &str, value: &Value) -> Self {
        let bytes = Bytes::from(value.to_string());
        Self { digest: Digest::sha256(&bytes), media_type: media_type.to_owned(), bytes }
    }

    /// As something else points at it.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// All that a tag can point at: a manifest with its blobs, or an index with its children.
#[derive(Clone, Debug)]
pub struct Image {
    /// What the tag points at.
    pub root: Manifest,
    /// The children of an index.
    pub children: Vec<Self>,
    /// The config and the layers of a manifest.
    pub blobs: Vec<Blob>,
    format: Format,
    platform: String,
    /// The child that this one speaks of, as BuildKit's attestations do.
    attests: Option<Digest>,
}

impl Image {
    /// A `linux/amd64` image in OCI format with layers of these sizes, all of its own.
    pub fn single(seed: u64, sizes: &[u64]) -> Self {
        Self::of(Format::Oci, "linux/amd64", layers(seed, sizes))
    }

    /// An index in OCI format with an image for each platform, and layers of these sizes in each.
    pub fn multi(seed: u64, platforms: &[&str], sizes: &[u64]) -> Self {
        let one = |(n, platform): (u64, &&str)| Self::of(Format::Oci, platform, layers(mix(seed, n), sizes));
        Self::index((0..).zip(platforms).map(one).collect())
    }

    /// An index with an image for each platform, and for each of these an attestation, as `BuildKit` makes them.
    pub fn attested(format: Format, seed: u64, platforms: &[&str], sizes: &[u64]) -> Self {
        let one = |(n, platform): (u64, &&str)| Self::of(format, platform, layers(mix(seed, n), sizes));
        let images: Vec<Self> = (0..).zip(platforms).map(one).collect();
        let attestation = |(n, image): (u64, &Self)| {
            let of = Self::of(format, "unknown/unknown", layers(mix(seed, 1_000 + n), &[2_000]));
            Self { attests: Some(image.digest().clone()), ..of }
        };
        let attestations: Vec<Self> = (0..).zip(&images).map(attestation).collect();
        Self::index(images.into_iter().chain(attestations).collect())
    }

    /// An image of these layers for `os/architecture[/variant]`.
    pub fn of(format: Format, platform: &str, layers: Vec<Layer>) -> Self {
        let diffs: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
        let mut config = platform_of(platform);
        config["created"] = json!("1970-01-01T00:00:00Z");
        config["config"] = json!({});
        config["rootfs"] = json!({"type": "layers", "diff_ids": diffs});
        let config = Blob::of(config.to_string());
        let blobs: Vec<Blob> = [config].into_iter().chain(layers.into_iter().map(Blob::from)).collect();
        let described: Vec<Value> = blobs
            .iter()
            .zip([format.config()].into_iter().chain(std::iter::repeat(format.layer())))
            .map(|(blob, kind)| json!({"mediaType": kind, "digest": blob.digest, "size": blob.size}))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": format.manifest(),
            "config": described[0],
            "layers": described[1..],
        });
        let root = Manifest::of(format.manifest(), &manifest);
        Self { root, children: Vec::new(), blobs, format, platform: platform.to_owned(), attests: None }
    }

    /// An index of these images, in the format of the first.
    pub fn index(children: Vec<Self>) -> Self {
        let format = children.first().map_or(Format::Oci, |child| child.format);
        let manifests: Vec<Value> = children
            .iter()
            .map(|child| {
                let mut descriptor = child.root.descriptor();
                descriptor["platform"] = platform_of(&child.platform);
                if let Some(attested) = &child.attests {
                    descriptor["annotations"] = json!({
                        "vnd.docker.reference.digest": attested,
                        "vnd.docker.reference.type": "attestation-manifest",
                    });
                }
                descriptor
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": format.index(), "manifests": manifests});
        let root = Manifest::of(format.index(), &index);
        Self { root, children, blobs: Vec::new(), format, platform: String::new(), attests: None }
    }

    /// The digest that a tag of it has.
    pub fn digest(&self) -> &Digest {
        &self.root.digest
    }

    /// Every blob, those of the children too.
    pub fn all_blobs(&self) -> Vec<&Blob> {
        self.blobs.iter().chain(self.children.iter().flat_map(Self::all_blobs)).collect()
    }

    /// Every manifest: the children's first, the root at the end.
    pub fn all_manifests(&self) -> Vec<&Manifest> {
        self.children.iter().flat_map(Self::all_manifests).chain([&self.root]).collect()
    }
}

/// Layers of these sizes.
pub fn layers(seed: u64, sizes: &[u64]) -> Vec<Layer> {
    (0..).zip(sizes).map(|(n, size)| Layer::new(mix(seed, n), *size)).collect()
}

fn platform_of(platform: &str) -> Value {
    let mut parts = platform.splitn(3, '/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = json!(variant);
    }
    value
}

/// The archive: a header for one file, and the file. Without the two empty blocks at the end, which readers do not
/// ask for, the smallest layer has 1 kB.
fn chunks(seed: u64, size: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
    let mut state = seed;
    let mut left = size - BLOCK as u64;
    let body = std::iter::from_fn(move || {
        let length = left.min(CHUNK as u64);
        left -= length;
        (length > 0).then(|| {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            for _ in 0..length / 8 {
                chunk.put_u64_le(split_mix(&mut state));
            }
            chunk.freeze()
        })
    });
    [header(size - BLOCK as u64)].into_iter().chain(body)
}

/// The header of a file in a tar archive (POSIX ustar).
fn header(size: u64) -> Bytes {
    let mut block = [0; BLOCK];
    let mut field = |at: usize, text: &str| (&mut block[at..]).write_all(text.as_bytes()).expect("it fits");
    field(0, "data");
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &tar_number(size));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    (&mut block[148..]).write_all(format!("{sum:06o}\0 ").as_bytes()).expect("it fits");
    Bytes::copy_from_slice(&block)
}

/// Eleven octal digits: 8 GiB less one byte.
fn tar_number(size: u64) -> String {
    assert!(size < 1 << 33, "a layer of {size} bytes does not fit this archive");
    format!("{size:011o}\0")
}

/// A seed of its own for the nth part of something.
fn mix(seed: u64, n: u64) -> u64 {
    let mut state = seed.rotate_left(32) ^ n;
    split_mix(&mut state)
}

/// The `SplitMix64` generator: eight good random bytes a step, at the speed of memory.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The name of what was hashed.
pub fn finish(hasher: Sha256) -> Digest {
    let hash = hasher.finalize();
    let hex = hash.iter().fold(String::from("sha256:"), |hex, byte| hex + &format!("{byte:02x}"));
    hex.parse().expect("a hash in hex is a digest")
}
