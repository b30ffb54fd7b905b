//! Challenges of any bytes: no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: &[u8]| imagesync::registry::fuzz::challenges(headers));
