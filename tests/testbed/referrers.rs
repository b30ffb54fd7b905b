//! What refers to images: made, put beside them as clients do it, and read back by whatever way a registry has.

use std::collections::BTreeSet;

use bytes::Bytes;
use imagesync::digest::Digest;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    http::Http,
    images::{Blob, Format, Image, Manifest},
};

/// An artifact that says something of a manifest.
#[derive(Clone, Debug)]
pub struct Statement {
    pub manifest: Manifest,
    pub blobs: Vec<Blob>,
}

/// What belongs to a manifest: the manifest, what stands behind its digest in the tag (nothing for a referrer), and what it is.
pub type Belonging = (Digest, &'static str, Digest);

/// What cosign puts behind a digest in a tag.
pub const SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

impl Statement {
    /// One that refers to `subject`.
    pub fn about(subject: &Manifest, name: &str) -> Self {
        Self::of(name, &json!({"subject": subject.descriptor()}))
    }

    /// One that refers to nothing, to be put under a tag.
    pub fn bare(name: &str) -> Self {
        Self::of(name, &json!({}))
    }

    fn of(name: &str, rest: &Value) -> Self {
        let (empty, content) = (Blob::of("{}"), Blob::of(format!("the statement {name}")));
        let kind = Format::Oci.manifest();
        let artifact = "application/vnd.example.statement+json";
        let described =
            |blob: &Blob, kind: &str| json!({"mediaType": kind, "digest": blob.digest, "size": blob.size});
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "artifactType": artifact,
            "config": described(&empty, "application/vnd.oci.empty.v1+json"),
            "layers": [described(&content, artifact)],
            "annotations": {"org.example.name": name},
        });
        manifest.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        Self { manifest: Manifest::of(kind, &manifest), blobs: vec![empty, content] }
    }

    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// The index that clients write where a registry lists no referrers; some leave out annotations.
    pub fn index(descriptors: &[Value]) -> Manifest {
        let kind = Format::Oci.index();
        Manifest::of(kind, &json!({"schemaVersion": 2, "mediaType": kind, "manifests": descriptors}))
    }
}

/// The tag that is made from a digest.
pub fn tag(digest: &Digest, suffix: &str) -> String {
    format!("{}{suffix}", digest.as_str().replace(':', "-"))
}

impl Http {
    async fn put_parts(&self, name: &str, statement: &Statement) {
        for blob in &statement.blobs {
            self.put_blob(name, blob).await;
        }
    }

    /// Puts a referrer there. Where the registry does not list it, it is named in the index under the fallback tag, beside
    /// what is there.
    pub async fn refer(&self, name: &str, subject: &Digest, statement: &Statement) {
        self.put_parts(name, statement).await;
        self.put_manifest(name, statement.digest().as_str(), &statement.manifest).await;
        if !self.has_referrers_api(name, subject).await {
            self.name_referrer(name, subject, statement).await;
        }
    }

    /// Names a referrer in the index under the fallback tag, until the index is seen to have it.
    pub async fn name_referrer(&self, name: &str, subject: &Digest, statement: &Statement) {
        let tag = tag(subject, "");
        loop {
            let mut named = self.fallback(name, subject).await;
            if named.iter().any(|one| one["digest"] == statement.digest().as_str()) {
                return;
            }
            named.push(statement.manifest.descriptor());
            self.put_manifest(name, &tag, &Statement::index(&named)).await;
        }
    }

    /// Puts something under a tag that is made from a digest, as cosign does.
    pub async fn attach(&self, name: &str, subject: &Digest, suffix: &str, statement: &Statement) {
        self.put_parts(name, statement).await;
        self.put_manifest(name, &tag(subject, suffix), &statement.manifest).await;
    }

    pub async fn has_referrers_api(&self, name: &str, subject: &Digest) -> bool {
        let response = self.request(Method::GET, name, &format!("referrers/{subject}")).send().await;
        response.expect("the registry answers").status() == StatusCode::OK
    }

    /// The descriptors that the index under the fallback tag has.
    pub async fn fallback(&self, name: &str, subject: &Digest) -> Vec<Value> {
        let Some(index) = self.manifest(name, &tag(subject, "")).await else { return Vec::new() };
        manifests(&index.bytes)
    }

    /// The descriptors of what refers to a digest, by the registry's API or the fallback tag.
    pub async fn referrers(&self, name: &str, subject: &Digest) -> Vec<Value> {
        let request = self.request(Method::GET, name, &format!("referrers/{subject}"));
        let response = request.send().await.expect("the registry answers");
        if response.status() == StatusCode::OK {
            return manifests(&response.bytes().await.expect("the list comes whole"));
        }
        self.fallback(name, subject).await
    }

    /// All that belongs to an image, to its children and to what belongs to these, each read down to its last byte.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub async fn belongings(&self, name: &str, root: &Digest) -> Result<BTreeSet<Belonging>, String> {
        let contents = self.walk(name, root.as_str()).await?;
        let mut open: Vec<Digest> = contents.manifests.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(subject) = open.pop() {
            let mut here = Vec::new();
            for one in self.referrers(name, &subject).await {
                here.push(("", one["digest"].as_str().unwrap().parse().unwrap()));
            }
            for suffix in SUFFIXES {
                here.extend(self.digest(name, &tag(&subject, suffix)).await.map(|digest| (suffix, digest)));
            }
            for (suffix, digest) in here {
                self.walk(name, digest.as_str()).await?;
                if found.insert((subject.clone(), suffix, digest.clone())) {
                    open.push(digest);
                }
            }
        }
        Ok(found)
    }
}

/// Signs an image, its children and a statement, in all the ways there are. What is told by a name is told by `seed` too.
pub async fn sign(registry: &Http, name: &str, image: &Image, seed: &str) {
    let root = &image.root;
    let statement = |what: &str| Statement::about(root, &format!("{what} of {seed}"));
    let (signature, sbom) = (statement("a signature"), statement("an SBOM"));
    for one in [&signature, &sbom] {
        registry.refer(name, &root.digest, one).await;
    }
    // The SBOM is signed too.
    let of_sbom = Statement::about(&sbom.manifest, &format!("a signature of the SBOM of {seed}"));
    registry.refer(name, sbom.digest(), &of_sbom).await;
    registry
        .attach(name, &root.digest, ".sig", &Statement::bare(&format!("an old signature of {seed}")))
        .await;
    if let Some(child) = image.children.first() {
        let of_child = Statement::about(&child.root, &format!("an attestation of a child of {seed}"));
        registry.refer(name, child.digest(), &of_child).await;
        let old = Statement::bare(&format!("an old attestation of a child of {seed}"));
        registry.attach(name, child.digest(), ".att", &old).await;
    }
}

/// How much [`sign`] makes of an image with children.
pub const SIGNED: usize = 6;

fn manifests(bytes: &Bytes) -> Vec<Value> {
    let list: Value = serde_json::from_slice(bytes).expect("an index is JSON");
    list["manifests"].as_array().into_iter().flatten().cloned().collect()
}
