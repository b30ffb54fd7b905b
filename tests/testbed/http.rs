//! A registry by plain HTTP, as the distribution-spec writes it down: puts images there, and reads back what is there.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::stream;
use imagesync::digest::Digest;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    images::{Blob, Content, Format, Image, Manifest, finish},
    tokens::Tokens,
};

/// Who asks.
#[derive(Clone)]
pub enum Credential {
    /// Nobody.
    Anonymous,
    /// Name and password.
    Basic(String, String),
    /// The owner of the token server, who may do everything.
    Tokens(Tokens),
}

/// One registry and one credential.
#[derive(Clone)]
pub struct Http {
    /// `http://127.0.0.1:port`.
    pub base: String,
    /// With the certificates that the registry asks for.
    pub client: reqwest::Client,
    /// Who asks.
    pub credential: Credential,
}

/// All that a tag points at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The digests of the root and the manifests below it.
    pub manifests: BTreeSet<Digest>,
    /// The digests of their configs and layers.
    pub blobs: BTreeSet<Digest>,
    /// The lengths of all of these, each once.
    pub bytes: u64,
}

impl Http {
    /// A registry at `host:port` that asks for nothing.
    pub fn plain(host: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client without options");
        Self { base: format!("http://{host}"), client, credential: Credential::Anonymous }
    }

    /// A request of a path below `/v2/NAME/`, or of an absolute address.
    pub fn request(&self, method: Method, name: &str, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            format!("{}/v2/{name}/{path}", self.base)
        };
        let request = self.client.request(method, url);
        match &self.credential {
            Credential::Anonymous => request,
            Credential::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credential::Tokens(tokens) => request.bearer_auth(tokens.mint(name, &["pull", "push", "delete"])),
        }
    }

    /// Whether the registry answers at all.
    pub async fn answers(&self) -> bool {
        self.client.get(format!("{}/v2/", self.base)).send().await.is_ok()
    }

    /// Puts an image there, complete and bottom up, and gives it a tag.
    pub async fn push(&self, name: &str, tag: &str, image: &Image) {
        self.push_parts(name, image).await;
        self.put_manifest(name, tag, &image.root).await;
    }

    /// Puts the blobs and the children there, the root not.
    pub async fn push_parts(&self, name: &str, image: &Image) {
        for blob in image.all_blobs() {
            self.put_blob(name, blob).await;
        }
        for manifest in image.children.iter().flat_map(Image::all_manifests) {
            self.put_manifest(name, manifest.digest.as_str(), manifest).await;
        }
    }

    /// Puts a blob there unless it is.
    pub async fn put_blob(&self, name: &str, blob: &Blob) {
        let at = format!("blobs/{}", blob.digest);
        if self
            .request(Method::HEAD, name, &at)
            .send()
            .await
            .expect("the registry answers")
            .status()
            .is_success()
        {
            return;
        }
        let session = sent(self.request(Method::POST, name, "blobs/uploads/"), StatusCode::ACCEPTED).await;
        let location = session.headers()["location"].to_str().expect("a location is text");
        let separator = if location.contains('?') { '&' } else { '?' };
        let upload = self
            .request(Method::PUT, name, &format!("{location}{separator}digest={}", blob.digest))
            .header("content-length", blob.size)
            .header("content-type", "application/octet-stream")
            .body(body(&blob.content));
        sent(upload, StatusCode::CREATED).await;
    }

    /// Puts a manifest there under a tag or its digest.
    pub async fn put_manifest(&self, name: &str, reference: &str, manifest: &Manifest) {
        let request = self
            .request(Method::PUT, name, &format!("manifests/{reference}"))
            .header("content-type", &manifest.media_type)
            .body(manifest.bytes.clone());
        sent(request, StatusCode::CREATED).await;
    }

    /// The digest that a tag has now.
    pub async fn digest(&self, name: &str, reference: &str) -> Option<Digest> {
        Some(self.manifest(name, reference).await?.digest)
    }

    /// A manifest as it is stored, `None` where there is none.
    pub async fn manifest(&self, name: &str, reference: &str) -> Option<Manifest> {
        let mut request = self.request(Method::GET, name, &format!("manifests/{reference}"));
        for format in [Format::Oci, Format::Docker] {
            request = request.header("accept", format.index()).header("accept", format.manifest());
        }
        let response = request.send().await.expect("the registry answers");
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!(response.status(), StatusCode::OK, "GET of {name} at {reference}");
        let media_type =
            response.headers()["content-type"].to_str().expect("a media type is text").to_owned();
        let bytes = response.bytes().await.expect("the manifest comes whole");
        Some(Manifest { digest: Digest::sha256(&bytes), media_type, bytes })
    }

    /// Every tag of a repository, none where there is no repository.
    pub async fn tags(&self, name: &str) -> Vec<String> {
        let mut tags = Vec::new();
        let mut next = Some("tags/list".to_owned());
        while let Some(page) = next {
            let response = self.request(Method::GET, name, &page).send().await.expect("the registry answers");
            if response.status() == StatusCode::NOT_FOUND {
                break;
            }
            next = response.headers().get("link").map(|link| {
                let link = link.to_str().expect("a link is text");
                link.split(['<', '>']).nth(1).expect("a link stands in angle brackets").to_owned()
            });
            let body = response.bytes().await.expect("the list comes whole");
            let list: Value = serde_json::from_slice(&body).expect("a tag list is JSON");
            tags.extend(
                list["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
            );
        }
        tags
    }

    /// Deletes a tag, or a manifest by its digest.
    pub async fn delete(&self, name: &str, reference: &str) {
        sent(self.request(Method::DELETE, name, &format!("manifests/{reference}")), StatusCode::ACCEPTED)
            .await;
    }

    /// Reads all that a tag points at, down to the last byte of the last layer, and checks each digest.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub async fn walk(&self, name: &str, reference: &str) -> Result<Contents, String> {
        let mut contents = Contents::default();
        let mut open = vec![reference.to_owned()];
        while let Some(reference) = open.pop() {
            let manifest = self
                .manifest(name, &reference)
                .await
                .ok_or_else(|| format!("{name}: there is no manifest {reference}"))?;
            if reference.contains(':') && manifest.digest.as_str() != reference {
                return Err(format!("{name}: {reference} has the bytes of {}", manifest.digest));
            }
            if !contents.manifests.insert(manifest.digest.clone()) {
                continue;
            }
            contents.bytes += manifest.bytes.len() as u64;
            let value: Value = serde_json::from_slice(&manifest.bytes).map_err(|error| error.to_string())?;
            open.extend(descriptors(&value["manifests"]).map(|(digest, _)| digest.to_string()));
            for (digest, size) in descriptors(&value["layers"]).chain(descriptor(&value["config"])) {
                if contents.blobs.insert(digest.clone()) {
                    contents.bytes += size;
                    self.check_blob(name, &digest, size).await?;
                }
            }
        }
        Ok(contents)
    }

    /// The same where nothing may be missing.
    pub async fn complete(&self, name: &str, reference: &str) -> Contents {
        self.walk(name, reference).await.unwrap_or_else(|problem| panic!("not complete: {problem}"))
    }

    async fn check_blob(&self, name: &str, digest: &Digest, size: u64) -> Result<(), String> {
        let problem = |what: String| format!("{name}: blob {digest}: {what}");
        let request = self.request(Method::GET, name, &format!("blobs/{digest}"));
        let mut response = request.send().await.map_err(|error| problem(error.to_string()))?;
        if response.status() != StatusCode::OK {
            return Err(problem(format!("the answer is {}", response.status())));
        }
        let (mut hasher, mut length) = (Sha256::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(|error| problem(error.to_string()))? {
            hasher.update(&chunk);
            length += chunk.len() as u64;
        }
        let found = finish(hasher);
        if length == size && found == *digest {
            Ok(())
        } else {
            Err(problem(format!("{length} bytes of {found}, and {size} bytes are described")))
        }
    }
}

async fn sent(request: RequestBuilder, expected: StatusCode) -> Response {
    let response = request.send().await.expect("the registry answers");
    if response.status() == expected {
        return response;
    }
    let (url, status) = (response.url().clone(), response.status());
    panic!("{url}: {status}, not {expected}: {}", response.text().await.unwrap_or_default());
}

fn body(content: &Content) -> Body {
    match content {
        Content::Bytes(bytes) => bytes.clone().into(),
        Content::Layer(layer) => {
            Body::wrap_stream(stream::iter(layer.chunks().map(Ok::<Bytes, std::io::Error>)))
        }
    }
}

fn descriptors(list: &Value) -> impl Iterator<Item = (Digest, u64)> {
    list.as_array().into_iter().flatten().filter_map(descriptor)
}

fn descriptor(value: &Value) -> Option<(Digest, u64)> {
    Some((value["digest"].as_str()?.parse().ok()?, value["size"].as_u64()?))
}
