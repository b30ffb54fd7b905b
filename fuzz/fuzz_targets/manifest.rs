//! Manifests of any bytes: no panic, no byte changed, and bounded lists; and of an index, one platform.
#![no_main]

use imagesync::{digest::Digest, platform::Platforms, registry::Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let digest = Digest::sha256(bytes);
    for content_type in [None, Some("application/vnd.oci.image.index.v1+json"), Some("text/plain")] {
        if let Ok(manifest) = Manifest::parse(bytes.to_vec().into(), content_type, digest.clone()) {
            assert_eq!(manifest.bytes, bytes);
            assert!(manifest.children().is_empty() || manifest.is_index());
            assert!(manifest.blobs().is_empty() || !manifest.is_index());
            let platforms = Platforms::new(["linux/amd64".parse().unwrap()]).unwrap();
            let subset = manifest.subset(&platforms).unwrap();
            let rewritten = manifest.rewritten(&subset).unwrap();
            let kept = subset.children().iter().filter(|child| child.verdict.is_kept());
            assert!(kept.map(|child| &child.digest).eq(rewritten.children().iter().map(|child| &child.digest)));
        }
    }
});
