//! YAML with positions: text out of bytes, documents out of text, values out of documents.

mod access;
mod decode;
mod reader;
mod scalar;
mod shape;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use reader::read;
pub use text::{text, too_large};
pub use tree::{NodeId, Tree};

/// How many bytes a file may have: a mebibyte is some ten thousand device names, and no page of
/// review is longer.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// How many lists and mappings may lie within each other. The deepest field of the API lies nine
/// levels deep; what other tools keep beside it (a JSON schema) seldom forty.
pub const MAX_DEPTH: usize = 64;

/// How many documents a file may have; whole generated installations have some hundred.
pub const MAX_DOCUMENTS: usize = 1_000;

/// How many values the documents of a file may have together. Bounds what a small text can make of
/// itself in memory: `[,,,,` is a value for each byte.
pub const MAX_VALUES: usize = 100_000;

/// How many values a document may have with every alias written out: as many as without aliases.
/// Nine lines of aliases to aliases are a thousand million values.
pub const MAX_EXPANDED_VALUES: usize = MAX_VALUES;
