//! What becomes of a resource in a pass, and the conditions that say so.

use crate::condition::{ConditionKind, Truth};

/// Who is to act on what is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nobody.
    Nothing,
    /// The next pass tries again.
    Again,
    /// A person, first.
    Person,
}

/// Whether something is carried out, why, and who is to act if it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    is_ready: bool,
    reason: &'static str,
    message: String,
    next: Next,
}

impl Judged {
    /// It is carried out, or rests as it should.
    pub const fn ready(reason: &'static str, message: String) -> Self {
        Self::new(true, reason, message, Next::Nothing)
    }

    /// It is not, and that ends by itself.
    pub const fn not_ready(reason: &'static str, message: String) -> Self {
        Self::new(false, reason, message, Next::Nothing)
    }

    /// It is not, and is tried again.
    pub const fn tried_again(reason: &'static str, message: String) -> Self {
        Self::new(false, reason, message, Next::Again)
    }

    /// It is not before a person has acted.
    pub const fn by_person(reason: &'static str, message: String) -> Self {
        Self::new(false, reason, message, Next::Person)
    }

    const fn new(is_ready: bool, reason: &'static str, message: String, next: Next) -> Self {
        Self {
            is_ready,
            reason,
            message,
            next,
        }
    }

    /// `Ready`, and the two that are there only while they hold.
    pub fn truths(self) -> [Truth; 3] {
        let Self {
            is_ready,
            reason,
            message,
            next,
        } = self;
        [
            (ConditionKind::Ready, is_ready),
            (ConditionKind::Stalled, next == Next::Person),
            (ConditionKind::Reconciling, next == Next::Again),
        ]
        .map(|(kind, holds)| Truth {
            kind,
            holds,
            reason,
            message: message.clone(),
        })
    }
}
