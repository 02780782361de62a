//! Repositories: located resources out of git, or out of a folder as it lies on disk.
//!
//! [`load`] reads every YAML file of a revision, decodes the documents of group `diarchy.dev`
//! strictly, judges them one by one and together, and answers with what the revision asks of each
//! fleet or with everything that is wrong with it, by file, line and column.
//!
//! # Repositories on other machines
//!
//! A [`Fetcher`] brings a revision into a mirror on this machine, by a short-lived process and
//! within limits; [`load`] then reads it out of the mirror. [`signature`] says who signed it.
//!
//! # Positions
//!
//! A finding points at a value of a document by its path. So each document is kept as a tree whose
//! nodes know their places, built from the events of `granit-parser`, and typed values are decoded
//! from that tree. A decoder that reads the text by itself would have to be told where each
//! document begins and ends, stops at the first of two equal keys, and says where a missing field
//! was noticed rather than where it belongs; the tree would be needed beside it all the same.
//!
//! What is wrong with a value is said at the value; what is missing, at its parent; what stands
//! twice or contradicts itself, at each of the two. Where a key has nothing behind it, its value's
//! place is the key's. A value written as an alias lies where the alias stands, and the values
//! within it where the anchor has them.
//!
//! # One mistake, one finding
//!
//! A file or a document that cannot be read may hold anything. References are therefore not called
//! dangling when what they name may be lost in it: the revision is refused for the mistake alone.

mod cache;
mod diagnostic;
mod document;
mod error;
mod load;
mod remote;
mod repository;
pub mod signature;
mod written;
mod yaml;

pub use cache::Cache;
pub use diagnostic::{Diagnostic, Position};
pub use error::LoadError;
pub use load::{Loaded, LoadedFleet, load};
pub use remote::{
    Address, Credentials, FetchError, FetchRequest, Fetched, FetchedTag, Fetcher, Limits, Wanted,
    fetch, mirror_in, remove_mirror, serve,
};
pub use repository::{Options, Revision, Source, is_in_repository};
pub use written::Written;
pub use yaml::{MAX_DEPTH, MAX_DOCUMENTS, MAX_EXPANDED_VALUES, MAX_FILE_BYTES, MAX_VALUES};
