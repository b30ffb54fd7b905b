//! Text that others wrote, as it can be shown.

use std::fmt::{self, Write as _};

/// A text that others wrote, as it may be printed: without control characters, and without those that turn the direction of
/// writing. A terminal would carry out what they say.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || turns { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
        })
    }
}

/// Enough of a bad string to recognise it: input from outside may be of any length.
pub(crate) fn excerpt(s: &str) -> String {
    beginning(s, 140)
}

/// The string, or its first `most` characters and a sign that there are more. Control characters, which a terminal would
/// obey, are shown as a mark.
pub(crate) fn beginning(s: &str, most: usize) -> String {
    let more = s.chars().nth(most).map(|_| '…');
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    s.chars().take(most).map(shown).chain(more).collect()
}
