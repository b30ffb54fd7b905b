//! References and templates of any text: no panic, and what is read prints as something that reads the same.
#![no_main]

use imagesync::reference::{Reference, Template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference));
        assert_eq!(reference.familiar().parse().as_ref(), Ok(&reference));
    }
    if let Ok(template) = Template::parse(text, Template::TAG) {
        assert_eq!(template.to_string(), text);
    }
});
