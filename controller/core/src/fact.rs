//! A fact about a device: read, read and not there, or not read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is known of one property of one device.
///
/// In a record, a key that is missing is [`Fact::Unread`] and `null` is [`Fact::Absent`]; fields of
/// this type therefore carry `#[serde(default, skip_serializing_if = "Fact::is_unread")]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Fact<T> {
    /// Nobody could read it: unknown.
    #[default]
    Unread,
    /// It was read, and does not exist.
    Absent,
    /// It was read.
    Known(T),
}

impl<T> Fact<T> {
    /// Whether it is unknown.
    pub const fn is_unread(&self) -> bool {
        matches!(self, Self::Unread)
    }

    /// The value, if it was read and is there.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unread | Self::Absent => None,
        }
    }

    /// The same fact about a borrowed value.
    pub const fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Unread => Fact::Unread,
            Self::Absent => Fact::Absent,
            Self::Known(value) => Fact::Known(value),
        }
    }

    /// The same fact about what `convert` makes of the value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Unread => Fact::Unread,
            Self::Absent => Fact::Absent,
            Self::Known(value) => Fact::Known(convert(value)),
        }
    }

    /// This fact, or `other` when this one has no value: what one service does not know, the other
    /// may. Unread unless both were read.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(value), _) | (_, Self::Known(value)) => Self::Known(value),
            (Self::Absent, Self::Absent) => Self::Absent,
            _ => Self::Unread,
        }
    }

    /// What a service that answered said: `None` is [`Fact::Absent`].
    pub fn read(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => serializer.serialize_some(value),
            Self::Unread | Self::Absent => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::read)
    }
}
