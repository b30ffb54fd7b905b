//! `index.json`: which manifests a layout has, and their tags. What others wrote into it stays as they wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    digest::Digest,
    reference::{Reference, Tag},
    registry::{Descriptor, OCI_INDEX},
    text::excerpt,
};

/// The annotation that holds a tag (image-spec, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The index, in its order.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Everything beside the manifests.
    rest: BTreeMap<String, Box<RawValue>>,
}

/// A manifest in the index.
#[derive(Debug)]
pub(super) struct Entry {
    raw: Box<RawValue>,
    /// What it names, or why it cannot be used.
    pub(super) descriptor: Result<Descriptor, String>,
    name: Option<Name>,
}

/// What the annotation says.
#[derive(Debug)]
struct Name {
    tag: Tag,
    /// It is a reference with a registry, of which the tag is a part.
    is_long: bool,
}

/// What is to be changed.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The tag shows this manifest from now on; without a tag, it is in the index.
    Put { tag: Option<Tag>, descriptor: Descriptor, artifact_type: Option<String> },
    /// The tag shows nothing, if it shows this.
    Untag { tag: Tag, digest: Digest },
}

/// What has a tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tagged<'a> {
    Nothing,
    One(&'a Descriptor),
    /// Manifests that differ have it.
    Several,
    Damaged(&'a str),
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Value>>,
}

/// An entry as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    media_type: &'a str,
    digest: &'a Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<&'static str, &'a Tag>>,
}

impl Index {
    /// Reads it.
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut rest: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(bytes)?;
        let manifests: Option<Vec<Box<RawValue>>> = match rest.remove("manifests") {
            Some(manifests) => serde_json::from_str(manifests.get())?,
            None => None,
        };
        let entries = manifests.unwrap_or_default().into_iter().map(Entry::read).collect();
        Ok(Self { entries, rest })
    }

    /// As it is written.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut fields: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
        fields.insert("schemaVersion", serde_json::value::to_raw_value(&2)?);
        fields.insert("mediaType", serde_json::value::to_raw_value(OCI_INDEX)?);
        fields.extend(self.rest.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let entries: Vec<&RawValue> = self.entries.iter().map(|entry| entry.raw.as_ref()).collect();
        fields.insert("manifests", serde_json::value::to_raw_value(&entries)?);
        serde_json::to_vec(&fields)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the tag shows. Where a manifest has the tag itself, those do not count that have a whole reference with it.
    pub(super) fn tagged(&self, tag: &Tag) -> Tagged<'_> {
        let with = |is_long| {
            let this = move |entry: &&Entry| {
                entry.name.as_ref().is_some_and(|name| name.tag == *tag && name.is_long == is_long)
            };
            self.entries.iter().filter(this)
        };
        let mut named: Vec<&Entry> = with(false).collect();
        if named.is_empty() {
            named = with(true).collect();
        }
        let mut found: Option<&Descriptor> = None;
        for entry in named {
            match (&entry.descriptor, found) {
                (Err(problem), _) => return Tagged::Damaged(problem),
                (Ok(descriptor), Some(other)) if descriptor.digest != other.digest => return Tagged::Several,
                (Ok(descriptor), _) => found = Some(descriptor),
            }
        }
        found.map_or(Tagged::Nothing, Tagged::One)
    }

    /// All tags, sorted. What cannot be a tag is left out.
    pub(super) fn tags(&self) -> Vec<Tag> {
        let tags = self.entries.iter().filter_map(|entry| entry.name.as_ref()).map(|name| &name.tag);
        tags.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// What the index says of a manifest.
    pub(super) fn descriptor(&self, digest: &Digest) -> Option<&Descriptor> {
        let descriptors = self.entries.iter().filter_map(|entry| entry.descriptor.as_ref().ok());
        descriptors.into_iter().find(|descriptor| descriptor.digest == *digest)
    }

    /// Changes it; `false` if it was so already.
    pub(super) fn change(&mut self, change: &Change) -> serde_json::Result<bool> {
        match change {
            Change::Put { tag: Some(tag), descriptor, artifact_type } => {
                let has_tag = |entry: &&Entry| entry.has_tag(tag);
                let mut there = self.entries.iter().filter(has_tag);
                if let (Some(only), None) = (there.next(), there.next())
                    && only.descriptor.as_ref() == Ok(descriptor)
                {
                    return Ok(false);
                }
                let place = self.entries.iter().position(|entry| entry.has_tag(tag));
                self.entries.retain(|entry| !entry.has_tag(tag));
                let entry = Entry::new(Some(tag), descriptor, artifact_type.as_deref())?;
                let place = place.unwrap_or(self.entries.len());
                self.entries.insert(place, entry);
                Ok(true)
            }
            Change::Put { tag: None, descriptor, artifact_type } => {
                if self.descriptor(&descriptor.digest).is_some() {
                    return Ok(false);
                }
                self.entries.push(Entry::new(None, descriptor, artifact_type.as_deref())?);
                Ok(true)
            }
            Change::Untag { tag, digest } => {
                let shows = matches!(self.tagged(tag), Tagged::One(found) if found.digest == *digest);
                if shows {
                    // What another tool calls by the whole reference may be something else.
                    let is_it = |entry: &Entry| {
                        entry.descriptor.as_ref().is_ok_and(|descriptor| descriptor.digest == *digest)
                    };
                    self.entries.retain(|entry| !(entry.has_tag(tag) && is_it(entry)));
                }
                Ok(shows)
            }
        }
    }
}

impl Entry {
    fn read(raw: Box<RawValue>) -> Self {
        let fields: Fields = match serde_json::from_str(raw.get()) {
            Ok(fields) => fields,
            Err(error) => {
                return Self { raw, descriptor: Err(excerpt(&error.to_string())), name: None };
            }
        };
        let name = fields.annotations.as_ref().and_then(|annotations| annotations.get(REF_NAME)?.as_str());
        let name = name.and_then(Name::read);
        let descriptor = match fields.digest.parse() {
            Ok(digest) => {
                let media_type = fields.media_type.unwrap_or_default();
                Ok(Descriptor { digest, size: fields.size, media_type })
            }
            Err(error) => Err(error.to_string()),
        };
        Self { raw, descriptor, name }
    }

    fn new(
        tag: Option<&Tag>,
        descriptor: &Descriptor,
        artifact_type: Option<&str>,
    ) -> serde_json::Result<Self> {
        let Descriptor { digest, size, media_type } = descriptor;
        let annotations = tag.map(|tag| BTreeMap::from([(REF_NAME, tag)]));
        let value = Written { media_type, digest, size: *size, artifact_type, annotations };
        let raw = serde_json::value::to_raw_value(&value)?;
        let name = tag.map(|tag| Name { tag: tag.clone(), is_long: false });
        Ok(Self { raw, descriptor: Ok(descriptor.clone()), name })
    }

    fn has_tag(&self, tag: &Tag) -> bool {
        self.name.as_ref().is_some_and(|name| name.tag == *tag)
    }
}

impl Name {
    /// Most tools write a tag. Some write all of the reference that they were given.
    fn read(text: &str) -> Option<Self> {
        match text.parse::<Tag>() {
            Ok(tag) => Some(Self { tag, is_long: false }),
            Err(_) if text.contains(['/', ':']) && !text.starts_with("oci:") => {
                let tag = text.parse::<Reference>().ok()?.tag?;
                Some(Self { tag, is_long: true })
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(content: &str) -> Descriptor {
        let digest = Digest::sha256(content.as_bytes());
        Descriptor { digest, size: content.len() as u64, media_type: "application/x".to_owned() }
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn put(name: &str, content: &str) -> Change {
        Change::Put { tag: Some(tag(name)), descriptor: descriptor(content), artifact_type: None }
    }

    fn read_back(index: &Index) -> Value {
        serde_json::from_slice(&index.to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_tag_moves_and_goes_and_what_others_wrote_stays() {
        let written = json!({
            "schemaVersion": 2, "annotations": {"a": "b"}, "unknown": [1],
            "manifests": [
                {"mediaType": "m", "digest": descriptor("x").digest, "size": 1, "platform": {"os": "plan9"}},
                {"digest": "blake3:00", "size": 1, "annotations": {REF_NAME: "odd"}},
                {"digest": descriptor("y").digest, "size": 1, "annotations": {REF_NAME: "v1"}},
            ],
        });
        let mut index = Index::parse(&serde_json::to_vec(&written).unwrap()).unwrap();
        assert_eq!(index.tags(), [tag("odd"), tag("v1")]);
        assert!(matches!(index.tagged(&tag("odd")), Tagged::Damaged(_)));
        assert!(index.change(&put("v1", "z")).unwrap());
        assert!(!index.change(&put("v1", "z")).unwrap(), "it is so already");
        assert_eq!(index.tagged(&tag("v1")), Tagged::One(&descriptor("z")));
        let now = read_back(&index);
        assert_eq!((&now["annotations"], &now["unknown"]), (&written["annotations"], &written["unknown"]));
        assert_eq!(now["manifests"][0], written["manifests"][0]);
        assert_eq!(now["manifests"][1], written["manifests"][1]);
        assert_eq!(now["manifests"][2]["annotations"][REF_NAME], "v1");
        let untag = |content: &str| Change::Untag { tag: tag("v1"), digest: descriptor(content).digest };
        assert!(!index.change(&untag("other")).unwrap(), "somebody wrote it since");
        assert!(index.change(&untag("z")).unwrap());
        assert!(!index.change(&untag("z")).unwrap());
        assert_eq!(index.tagged(&tag("v1")), Tagged::Nothing);
    }

    #[test]
    fn two_manifests_with_one_tag_are_told_and_the_next_write_leaves_one() {
        let entry = |content: &str| json!({"digest": descriptor(content).digest, "size": 1, "annotations": {REF_NAME: "v1"}});
        let index = |entries: Value| {
            Index::parse(&serde_json::to_vec(&json!({"manifests": entries})).unwrap()).unwrap()
        };
        assert!(matches!(index(json!([entry("a"), entry("a")])).tagged(&tag("v1")), Tagged::One(_)));
        let mut two = index(json!([entry("a"), entry("b")]));
        assert_eq!(two.tagged(&tag("v1")), Tagged::Several);
        two.change(&put("v1", "a")).unwrap();
        assert_eq!(two.entries().len(), 1);
    }

    #[test]
    fn a_whole_reference_is_its_tag_unless_another_has_the_tag_itself() {
        let entry = |content: &str, name: &str| json!({"digest": descriptor(content).digest, "size": 1, "annotations": {REF_NAME: name}});
        let text = json!({"manifests": [entry("a", "localhost:5000/app:v1"), entry("b", "a.example/app:v2"),
            entry("c", "v2"), entry("d", "no tag at all"), entry("e", "oci:out:v3")]});
        let index = Index::parse(&serde_json::to_vec(&text).unwrap()).unwrap();
        assert_eq!(index.tags(), [tag("v1"), tag("v2")]);
        let digest = |name| match index.tagged(&tag(name)) {
            Tagged::One(found) => found.digest.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(digest("v1"), descriptor("a").digest);
        assert_eq!(digest("v2"), descriptor("c").digest);
    }

    #[test]
    fn what_has_no_tag_is_listed_once() {
        let mut index = Index::default();
        let listed = Change::Put {
            tag: None,
            descriptor: descriptor("a"),
            artifact_type: Some("application/y".to_owned()),
        };
        assert!(index.change(&listed).unwrap());
        assert!(!index.change(&listed).unwrap());
        let there = read_back(&index);
        assert_eq!(there["manifests"][0]["artifactType"], "application/y");
        assert_eq!((&there["schemaVersion"], &there["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
        assert_eq!(index.entries().len(), 1);
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        for bad in ["", "[]", "{", "null", "{\"manifests\": 1}", "{\"manifests\": {}}"] {
            assert!(Index::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Index::parse(b"{\"manifests\": null}").unwrap().entries().is_empty());
        let index =
            Index::parse(b"{\"manifests\": [1, {}, null, {\"digest\": \"x\", \"size\": -1}]}").unwrap();
        assert!(index.entries().iter().all(|entry| entry.descriptor.is_err()));
    }
}
