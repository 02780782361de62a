//! What a failure asks of whoever meets it: errors are typed by this, in every room.

use jiff::Timestamp;

/// What a failure asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// A person must mend something first; trying again changes nothing.
    FixInput,
    /// Nothing is wrong; ask again at this time.
    WaitUntil(Timestamp),
    /// Try again at the next turn.
    Retry,
}
