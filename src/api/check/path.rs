//! Paths of fields: `spec.images[0].source`.

use std::fmt;

/// Where in an object a field is. The empty path is the object itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Step>);

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into the field of this name.
    Key(String),
    /// To the item at this position, from 0.
    Index(usize),
}

impl FieldPath {
    /// The steps from the object to the field.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path of the field of that name in what this path leads to.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// The path of the item at that position in what this path leads to.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// Whether `other` is this path or leads on from it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// This path without the steps of `tail` at its end, where it has them.
    #[must_use]
    pub fn without(&self, tail: &Self) -> Self {
        Self(self.0.strip_suffix(tail.steps()).unwrap_or(&self.0).to_vec())
    }

    /// The path that leads here, and then on along `tail`.
    #[must_use]
    pub fn join(&self, tail: &Self) -> Self {
        Self([self.steps(), tail.steps()].concat())
    }

    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Reads what [`Display`](fmt::Display) writes. Names with dots or brackets in them are not told apart from
/// steps; the fields of our kinds have none.
impl From<&str> for FieldPath {
    fn from(path: &str) -> Self {
        let step = |part: &str| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => Step::Index(index),
            None => Step::Key(part.to_owned()),
        };
        Self(path.split(['.', '[']).filter(|part| !part.is_empty()).map(step).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_what_it_writes() {
        let path =
            FieldPath::default().key("spec").key("images").index(3).key("select").key("names").index(0);
        assert_eq!(path.to_string(), "spec.images[3].select.names[0]");
        assert_eq!(FieldPath::from(path.to_string().as_str()), path);
        assert_eq!(FieldPath::from(""), FieldPath::default());
    }

    #[test]
    fn a_path_contains_itself_and_what_leads_on_from_it() {
        let [image, source, other]: [FieldPath; 3] =
            ["spec.images[1]", "spec.images[1].source", "spec.images[10]"].map(FieldPath::from);
        assert!(image.contains(&source) && image.contains(&image));
        assert!(!source.contains(&image) && !image.contains(&other));
    }
}
