//! What is built to exhaust us, and what goes in circles.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::{
    engine::error::Error,
    plan::Referred,
    registry::{
        At, Attachment, OCI_INDEX, OCI_MANIFEST,
        tests::{
            self as registry,
            fake::{Fake, Reply, refuse, reply},
        },
    },
    store::Store,
};

/// A registry without the API that has these manifests: by digest, and the indexes under fallback tags.
#[derive(Clone, Default)]
struct Shelf {
    manifests: HashMap<String, (&'static str, Vec<u8>)>,
}

impl Shelf {
    /// A manifest that is told by its name.
    fn put(&mut self, name: &str) -> Manifest {
        let config = json!({"mediaType": "x", "digest": Digest::sha256(b"{}"), "size": 2});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], "annotations": {"name": name},
        });
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::sha256(&bytes);
        self.manifests.insert(digest.to_string(), (OCI_MANIFEST, bytes.to_vec()));
        Manifest::parse(bytes, None, digest).unwrap()
    }

    /// Names referrers of a manifest.
    fn name(&mut self, subject: &Manifest, referrers: &[&Manifest]) {
        let one =
            |of: &&Manifest| json!({"mediaType": OCI_MANIFEST, "digest": of.digest, "size": of.bytes.len()});
        let manifests: Vec<Value> = referrers.iter().map(one).collect();
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        let tag = Attachment::Fallback.tag(&subject.digest).unwrap();
        self.manifests.insert(tag.to_string(), (OCI_INDEX, index.to_string().into_bytes()));
    }

    async fn list(self, root: &Manifest) -> BTreeSet<Referred> {
        let fake = Fake::start(move |asked, _| self.answer(&asked.path)).await;
        let store = Store::from(registry::open(&fake));
        list(&store, [root.digest.clone()], &Listings::default()).await.unwrap()
    }

    async fn gather(self, root: &Manifest) -> Result<Belongings, Error> {
        let fake = Fake::start(move |asked, _| self.answer(&asked.path)).await;
        let store = Store::from(registry::open(&fake));
        let root = store.get_manifest(&At::Digest(root.digest.clone())).await.unwrap();
        let tree = Tree::of(&store, root, None).await.unwrap();
        gather(&store, &tree, &Listings::default()).await
    }

    fn answer(&self, path: &str) -> Reply {
        if path.ends_with("/tags/list") {
            let tags: Vec<&String> = self.manifests.keys().filter(|key| !key.contains(':')).collect();
            return reply(200).body(json!({"tags": tags}).to_string());
        }
        match path.rsplit_once("/manifests/").and_then(|(_, at)| self.manifests.get(at)) {
            Some((kind, bytes)) => reply(200)
                .header("content-type", kind)
                .header("docker-content-digest", Digest::sha256(bytes))
                .body(bytes),
            None => refuse(404, "MANIFEST_UNKNOWN"),
        }
    }
}

/// Each level, as how many there are.
fn levels(belongings: &Belongings) -> Vec<usize> {
    belongings.levels.iter().map(Vec::len).collect()
}

#[tokio::test]
async fn referrers_of_referrers_are_gathered_level_by_level_and_four_are_enough() {
    for (depth, is_taken) in [(4, true), (5, false)] {
        let mut shelf = Shelf::default();
        let chain: Vec<Manifest> = (0..=depth).map(|n| shelf.put(&n.to_string())).collect();
        for pair in chain.windows(2) {
            shelf.name(&pair[0], &[&pair[1]]);
        }
        let gathered = shelf.gather(&chain[0]).await;
        if is_taken {
            let gathered = gathered.unwrap();
            assert_eq!(levels(&gathered), [1; 4]);
            assert!(gathered.iter().all(|one| one.of == chain[0].digest), "all of it belongs to the image");
        } else {
            assert!(matches!(gathered, Err(Error::TooDeep { .. })), "{gathered:?}");
        }
    }
}

#[tokio::test]
async fn what_refers_to_each_other_is_gathered_once() {
    let mut shelf = Shelf::default();
    let (root, a, b) = (shelf.put("root"), shelf.put("a"), shelf.put("b"));
    shelf.name(&root, &[&a, &a, &b]);
    shelf.name(&a, &[&b, &root]);
    shelf.name(&b, &[&a]);
    let one = |subject: &Manifest, referrer: &Manifest| Referred {
        subject: subject.digest.clone(),
        suffix: "",
        digest: referrer.digest.clone(),
    };
    let listed = [one(&root, &a), one(&root, &b), one(&a, &b), one(&a, &root), one(&b, &a)];
    assert_eq!(shelf.clone().list(&root).await, BTreeSet::from(listed));
    let gathered = shelf.gather(&root).await.unwrap();
    assert_eq!(levels(&gathered), [2, 3]);
}

#[tokio::test]
async fn more_than_any_image_has_is_refused() {
    let mut shelf = Shelf::default();
    let root = shelf.put("root");
    let all: Vec<Manifest> = (0..2_001).map(|n| shelf.put(&n.to_string())).collect();
    // Spread over several manifests, none of which names too many.
    let (first, rest) = all.split_at(2);
    shelf.name(&root, &first.iter().collect::<Vec<_>>());
    shelf.name(&first[0], &rest[..1_000].iter().collect::<Vec<_>>());
    shelf.name(&first[1], &rest[1_000..].iter().collect::<Vec<_>>());
    let gathered = shelf.gather(&root).await;
    assert!(matches!(gathered, Err(Error::TooMany { .. })), "{:?}", gathered.map(|all| levels(&all)));
}
