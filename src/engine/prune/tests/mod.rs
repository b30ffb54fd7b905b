//! What is never deleted, whatever sources, registries, other people, clocks and crashes do.

mod model;
mod oracle;
mod walk;
