//! The index under a fallback tag: what it becomes when referrers are added to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{super::manifest::OCI_INDEX, referrer::Referrer};

/// An index with all its fields as they stand there, the names of which nobody needs to know.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// What has to be told apart in a descriptor.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    digest: std::borrow::Cow<'a, str>,
}

/// The index that names `ours` besides all that `there` names; `None` if that is `there` itself.
///
/// # Guarantees
///
/// Descriptors of others stay, each as it stands there, in their order, as do all other fields of the index. Each of `ours` is
/// named once, as [`Referrer`] describes it: where it stood, or at the end, in the order of digests. The same values give
/// the same bytes.
///
/// # Errors
///
/// An index that is damaged; nothing in the bytes makes this panic.
pub(super) fn merged(there: Option<&[u8]>, ours: &[Referrer]) -> Result<Option<Bytes>, serde_json::Error> {
    let mut fields: Fields<'_> = there.map(serde_json::from_slice).transpose()?.unwrap_or_default();
    let named = fields.remove("manifests").map(RawValue::get);
    let named: Option<Vec<&RawValue>> = named.map(serde_json::from_str).transpose()?.flatten();
    let mut missing: BTreeMap<&str, &Referrer> =
        ours.iter().map(|referrer| (referrer.digest().as_str(), referrer)).collect();
    let (mut manifests, mut is_new, mut done) = (Vec::new(), there.is_none(), BTreeSet::new());
    for raw in named.unwrap_or_default() {
        let Named { digest } = serde_json::from_str(raw.get())?;
        if done.contains(digest.as_ref()) {
            is_new = true;
            continue;
        }
        match missing.remove(digest.as_ref()) {
            Some(ours) => {
                let text = serde_json::to_string(ours)?;
                is_new |= !is_same(raw.get(), &text);
                done.insert(ours.digest().as_str());
                manifests.push(text);
            }
            None => manifests.push(raw.get().to_owned()),
        }
    }
    is_new |= !missing.is_empty();
    for referrer in missing.values() {
        manifests.push(serde_json::to_string(referrer)?);
    }
    Ok(is_new.then(|| written(&fields, &manifests)))
}

/// Whether two texts are the same JSON: a descriptor that says the same is left as it is.
fn is_same(a: &str, b: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    value(a) == value(b)
}

fn written(fields: &Fields<'_>, manifests: &[String]) -> Bytes {
    let mut text = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":["#);
    text.push_str(&manifests.join(","));
    text.push(']');
    for (name, value) in fields {
        if !matches!(name.as_str(), "schemaVersion" | "mediaType") {
            // Writing to a string cannot fail. A name that was read is written as JSON has it.
            let name = serde_json::Value::from(name.as_str());
            let _ = write!(text, ",{name}:{value}");
        }
    }
    text.push('}');
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{
        super::super::manifest::{Manifest, OCI_MANIFEST},
        *,
    };
    use crate::digest::Digest;

    fn referrer(name: &str) -> Referrer {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x", "layers": [],
            "config": {"mediaType": "application/y", "digest": Digest::sha256(b"{}"), "size": 2},
            "annotations": {"name": name},
        });
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::sha256(&bytes);
        Referrer::of(&Manifest::parse(bytes, None, digest).unwrap())
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn digests(index: &Value) -> Vec<&str> {
        index["manifests"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap()).collect()
    }

    #[test]
    fn where_there_is_none_one_is_made_and_it_is_an_index() {
        let (a, b) = (referrer("a"), referrer("b"));
        let bytes = merged(None, &[a.clone(), b.clone()]).unwrap().unwrap();
        assert_eq!(
            merged(None, &[b.clone(), a.clone(), b]).unwrap().unwrap(),
            bytes,
            "the order does not matter"
        );
        let index = read(&bytes);
        assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
        let mut sorted = digests(&index);
        sorted.sort_unstable();
        assert_eq!(digests(&index), sorted);
        let described =
            index["manifests"].as_array().unwrap().iter().find(|one| one["annotations"]["name"] == "a");
        assert_eq!(described.unwrap(), &serde_json::to_value(a).unwrap());
    }

    #[test]
    fn what_others_wrote_stays_to_the_letter_and_ours_is_described_anew() {
        let ours = referrer("ours");
        let theirs = format!(r#"{{ "x": 1.50, "digest":"{}", "size": 7 }}"#, Digest::sha256(b"theirs"));
        let there = format!(
            r#"{{"annotations": {{"k": "v"}}, "schemaVersion": 2, "manifests": [{theirs},
               {{"digest": "{}", "size": 9, "mediaType": "x"}}], "mediaType": "{OCI_INDEX}"}}"#,
            ours.digest()
        );
        let bytes = merged(Some(there.as_bytes()), std::slice::from_ref(&ours)).unwrap().unwrap();
        assert!(std::str::from_utf8(&bytes).unwrap().contains(&theirs));
        let index = read(&bytes);
        assert_eq!(index["annotations"], json!({"k": "v"}));
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(index["manifests"][1], serde_json::to_value(&ours).unwrap());
        // Once it is so, nothing has to be written.
        assert_eq!(merged(Some(&bytes), &[ours]).unwrap(), None);
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        for there in
            ["", "[]", r#"{"manifests": 1}"#, r#"{"manifests": [{}]}"#, r#"{"manifests": [{"digest": 1}]}"#]
        {
            merged(Some(there.as_bytes()), &[referrer("a")]).unwrap_err();
        }
        for there in ["{}", r#"{"manifests": null}"#] {
            assert!(merged(Some(there.as_bytes()), &[referrer("a")]).unwrap().is_some());
        }
    }

    proptest! {
        #[test]
        fn nobodys_entry_is_lost_and_no_entry_of_ours_is_there_twice(
            there in proptest::collection::vec(0..8_u8, 0..8), ours in proptest::collection::vec(0..8_u8, 0..8)
        ) {
            let referrers = |names: &[u8]| names.iter().map(|name| referrer(&name.to_string())).collect::<Vec<_>>();
            let (there, ours) = (referrers(&there), referrers(&ours));
            let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": there}).to_string();
            let after = merged(Some(index.as_bytes()), &ours).unwrap();
            let after = read(after.as_deref().unwrap_or(index.as_bytes()));
            let after = digests(&after);
            for one in there.iter().chain(&ours) {
                prop_assert!(after.contains(&one.digest().as_str()));
            }
            for one in &ours {
                prop_assert_eq!(after.iter().filter(|digest| **digest == one.digest().as_str()).count(), 1);
            }
        }

        #[test]
        fn nothing_in_the_bytes_makes_it_panic(there in any::<Vec<u8>>()) {
            let _ = merged(Some(&there), &[referrer("a")]);
        }
    }
}
