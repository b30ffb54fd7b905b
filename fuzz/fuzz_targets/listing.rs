//! Tag lists, `Link` headers and error bodies of any bytes: no panic, and tags that are tags.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|pages: &[u8]| imagesync::registry::fuzz::listings(pages));
