//! Three-valued logic: a fact that was not read is unknown, and unknown moves nobody.

use std::ops::{BitAnd, BitOr, Not};

use fixedbitset::FixedBitSet;
use serde::{Deserialize, Serialize};

/// True, false, or not known (Kleene's logic).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ternary {
    /// Known to be false.
    No,
    /// Not known.
    Unknown,
    /// Known to be true.
    Yes,
}

impl Ternary {
    /// Whether it is or may be true.
    #[must_use]
    pub const fn is_possible(self) -> bool {
        !matches!(self, Self::No)
    }

    /// Whether it is known to be true.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        matches!(self, Self::Yes)
    }
}

impl From<bool> for Ternary {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

impl From<Option<bool>> for Ternary {
    fn from(read: Option<bool>) -> Self {
        read.map_or(Self::Unknown, Self::from)
    }
}

impl BitAnd for Ternary {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl BitOr for Ternary {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        !(!self & !other)
    }
}

impl Not for Ternary {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::Unknown => Self::Unknown,
            Self::No => Self::Yes,
        }
    }
}

/// For each row of an inventory, whether it is a member: two bits a row.
///
/// What is certain is always possible, so the connectives are two word-wise operations each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    certain: FixedBitSet,
    possible: FixedBitSet,
}

impl Membership {
    /// The same `answer` for each of `rows` rows.
    #[must_use]
    pub fn uniform(rows: usize, answer: Ternary) -> Self {
        let filled = |full: bool| {
            let mut bits = FixedBitSet::with_capacity(rows);
            bits.set_range(.., full);
            bits
        };
        Self {
            certain: filled(answer.is_certain()),
            possible: filled(answer.is_possible()),
        }
    }

    /// The answers of `each` for the rows 0 to `rows`.
    #[must_use]
    pub fn from_rows(rows: usize, each: impl Fn(usize) -> Ternary) -> Self {
        let mut membership = Self::uniform(rows, Ternary::No);
        for row in 0..rows {
            membership.set(row, each(row));
        }
        membership
    }

    /// How many rows it speaks of.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.certain.len()
    }

    /// The answer for `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> Ternary {
        if !self.possible.contains(row) {
            Ternary::No
        } else if self.certain.contains(row) {
            Ternary::Yes
        } else {
            Ternary::Unknown
        }
    }

    /// Sets the answer for `row`, which must be one of its rows.
    pub fn set(&mut self, row: usize, answer: Ternary) {
        self.certain.set(row, answer.is_certain());
        self.possible.set(row, answer.is_possible());
    }

    /// The rows known to be members.
    #[must_use]
    pub fn certain(&self) -> &FixedBitSet {
        &self.certain
    }

    /// The rows that are or may be members.
    #[must_use]
    pub fn possible(&self) -> &FixedBitSet {
        &self.possible
    }

    /// How many rows are known to be members.
    #[must_use]
    pub fn count_certain(&self) -> usize {
        self.certain.count_ones(..)
    }

    /// How many rows may or may not be members.
    #[must_use]
    pub fn count_unknown(&self) -> usize {
        self.possible.count_ones(..) - self.certain.count_ones(..)
    }

    /// Keeps what is a member of both.
    pub fn and(&mut self, other: &Self) {
        self.certain.intersect_with(&other.certain);
        self.possible.intersect_with(&other.possible);
    }

    /// Adds what is a member of the other.
    pub fn or(&mut self, other: &Self) {
        self.certain.union_with(&other.certain);
        self.possible.union_with(&other.possible);
    }

    /// Takes out what is a member of the other.
    pub fn and_not(&mut self, other: &Self) {
        self.certain.difference_with(&other.possible);
        self.possible.difference_with(&other.certain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [Ternary; 3] = [Ternary::No, Ternary::Unknown, Ternary::Yes];

    #[test]
    fn columns_obey_the_same_logic_as_single_values() {
        for left in VALUES {
            for right in VALUES {
                let column = |answer| Membership::uniform(130, answer);
                let mut and = column(left);
                and.and(&column(right));
                let mut or = column(left);
                or.or(&column(right));
                let mut and_not = column(left);
                and_not.and_not(&column(right));
                for row in [0, 63, 64, 129] {
                    assert_eq!(and.get(row), left & right);
                    assert_eq!(or.get(row), left | right);
                    assert_eq!(and_not.get(row), left & !right);
                }
            }
        }
    }

    #[test]
    fn counts_tell_certain_from_unknown() {
        let membership = Membership::from_rows(9, |row| VALUES[row % 3]);
        assert_eq!(membership.count_certain(), 3);
        assert_eq!(membership.count_unknown(), 3);
    }
}
