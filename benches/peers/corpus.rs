//! The images of a scenario: made once, kept in the cache as a registry's storage.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::testbed::{
    self,
    images::{Blob, Format, Image, Layer, Manifest, layers},
    registry::Registry,
};

/// Repositories that all look alike, full of random bytes.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// What it is called in the cache.
    pub name: &'static str,
    /// How many repositories.
    pub repositories: usize,
    /// How many tags in each.
    pub tags: usize,
    /// More than one: an index of so many images.
    pub platforms: usize,
    /// The sizes of an image's own layers.
    pub layers: &'static [u64],
    /// The size of a first layer that all images have in common.
    pub base: Option<u64>,
    /// How many artifacts refer to each image: by `subject`, and named in the index under the fallback tag.
    pub referrers: usize,
}

/// Of an image for several platforms, in this order.
const PLATFORMS: [&str; 8] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
];

impl Corpus {
    /// The names of the repositories.
    pub fn repositories(&self) -> Vec<String> {
        (0..self.repositories).map(|n| format!("repository-{n:02}")).collect()
    }

    /// The names of the tags in each.
    pub fn tags(&self) -> Vec<String> {
        (0..self.tags).map(|n| format!("1.{n}.0")).collect()
    }

    /// The bytes of all layers, each counted once.
    pub fn unique_bytes(&self) -> u64 {
        let images = (self.repositories * self.tags * self.platforms) as u64;
        images * self.layers.iter().sum::<u64>() + self.base.unwrap_or_default()
    }

    /// The storage of a registry that holds it, made if it is not in the cache.
    pub async fn storage(&self) -> PathBuf {
        let cache = testbed::cache().join("corpora");
        let referrers = if self.referrers > 0 { format!("+{}", self.referrers) } else { String::new() };
        let shape = format!("{}x{}x{}{referrers}", self.repositories, self.tags, self.platforms);
        let bytes = self.unique_bytes();
        let kept = cache.join(format!("{}-{shape}-{bytes}", self.name));
        if !kept.exists() {
            eprintln!("making the images of {}: {bytes} bytes", self.name);
            // Made in memory, where a registry does not wait for the disk after each manifest.
            let folder = testbed::folder();
            self.push(folder.path()).await;
            fs::create_dir_all(&cache).expect("the cache takes a folder");
            let part = kept.with_extension("part");
            let status =
                Command::new("cp").arg("-a").arg(folder.path()).arg(&part).status().expect("there is cp");
            assert!(status.success(), "copying the images to {} failed", part.display());
            fs::rename(part, &kept).expect("a folder can be renamed");
        }
        // Into the page cache, so that the first tool does not pay for the disk.
        read_all(&kept).expect("the cache can be read");
        kept
    }

    async fn push(&self, storage: &Path) {
        let registry = Registry::v3().storage(storage).start().await;
        let base = self.base.map(|size| Layer::new(0, size));
        for (r, repository) in self.repositories().iter().enumerate() {
            for (t, tag) in self.tags().iter().enumerate() {
                let seed = (1 + r * self.tags + t) as u64;
                let image = self.image(seed, base.as_ref());
                registry.push(repository, tag, &image).await;
                self.refer(&registry, repository, &image).await;
            }
        }
    }

    /// Puts the referrers of an image there, as a client does with a registry that has no API for them.
    async fn refer(&self, registry: &Registry, repository: &str, image: &Image) {
        let empty = Blob::of("{}");
        let mut named = Vec::new();
        for n in 0..self.referrers {
            let content = Blob::of(format!("what referrer {n} says of {}", image.digest()));
            let described = |blob: &Blob, kind: &str| json!({"mediaType": kind, "digest": blob.digest, "size": blob.size});
            let (kind, artifact) =
                (Format::Oci.manifest(), format!("application/vnd.example.statement-{n}+json"));
            let manifest = Manifest::of(
                kind,
                &json!({
                    "schemaVersion": 2, "mediaType": kind, "artifactType": artifact,
                    "config": described(&empty, "application/vnd.oci.empty.v1+json"),
                    "layers": [described(&content, &artifact)],
                    "subject": image.root.descriptor(),
                }),
            );
            registry.put_blob(repository, &empty).await;
            registry.put_blob(repository, &content).await;
            registry.put_manifest(repository, manifest.digest.as_str(), &manifest).await;
            let mut descriptor = manifest.descriptor();
            descriptor["artifactType"] = json!(artifact);
            named.push(descriptor);
        }
        if !named.is_empty() {
            let kind = Format::Oci.index();
            let index =
                Manifest::of(kind, &json!({"schemaVersion": 2, "mediaType": kind, "manifests": named}));
            registry.put_manifest(repository, &fallback(image.digest().as_str()), &index).await;
        }
    }

    fn image(&self, seed: u64, base: Option<&Layer>) -> Image {
        let mut images: Vec<Image> = (0..self.platforms)
            .map(|n| {
                let own = layers(seed << 8 | n as u64, self.layers);
                let all = base.cloned().into_iter().chain(own).collect();
                Image::of(Format::Oci, PLATFORMS[n], all)
            })
            .collect();
        if images.len() == 1 { images.remove(0) } else { Image::index(images) }
    }
}

/// The tag under which clients look for what refers to a digest (distribution-spec, "Referrers Tag Schema").
pub fn fallback(digest: &str) -> String {
    digest.replace(':', "-")
}

fn read_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path)?;
        } else {
            io::copy(&mut File::open(path)?, &mut io::sink())?;
        }
    }
    Ok(())
}
