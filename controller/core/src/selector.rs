//! Selectors: which devices a group has, by what is known of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::duration::Span;
use crate::version::Version;

/// What a requirement does with a device's value.
///
/// Of a value that does not exist, `In`, `Glob`, `AtLeast`, `LessThan`, `Within` and `Exists` are
/// false, and their negations true. Of a value that was not read, each is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Operator {
    /// It is one of the values, without regard to case.
    In,
    /// It is none of the values.
    NotIn,
    /// It matches one of the patterns; `*` and `?`, without regard to case.
    Glob,
    /// It matches none of the patterns.
    NotGlob,
    /// It is this version or a later one.
    AtLeast,
    /// It is a version before this one.
    LessThan,
    /// It lies at most this long before now.
    Within,
    /// It lies longer than this before now.
    NotWithin,
    /// There is one.
    Exists,
    /// There is none.
    DoesNotExist,
}

impl Operator {
    /// Each of them.
    pub const ALL: [Self; 10] = [
        Self::In,
        Self::NotIn,
        Self::Glob,
        Self::NotGlob,
        Self::AtLeast,
        Self::LessThan,
        Self::Within,
        Self::NotWithin,
        Self::Exists,
        Self::DoesNotExist,
    ];

    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Glob => "Glob",
            Self::NotGlob => "NotGlob",
            Self::AtLeast => "AtLeast",
            Self::LessThan => "LessThan",
            Self::Within => "Within",
            Self::NotWithin => "NotWithin",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An attribute of a device that is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TextKey {
    /// `name`
    Name,
    /// `serialNumber`
    SerialNumber,
    /// `manufacturer`
    Manufacturer,
    /// `model`
    Model,
    /// `chassis`
    Chassis,
    /// `osVersion`, which is a version as well
    OsVersion,
    /// `osEdition`
    OsEdition,
    /// `joinType`
    JoinType,
    /// `ownership`
    Ownership,
    /// `country`
    Country,
    /// `city`
    City,
    /// `department`
    Department,
    /// `primaryUser`
    PrimaryUser,
    /// `category`
    Category,
    /// `siteCode`
    SiteCode,
    /// `adSite`
    AdSite,
    /// `clientVersion`, which is a version as well
    ClientVersion,
    /// `compliance`, which comes and goes
    Compliance,
    /// `clientHealth`, which comes and goes
    ClientHealth,
}

impl TextKey {
    /// Each of them, with its name as users write it.
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::Name, "name"),
        (Self::SerialNumber, "serialNumber"),
        (Self::Manufacturer, "manufacturer"),
        (Self::Model, "model"),
        (Self::Chassis, "chassis"),
        (Self::OsVersion, "osVersion"),
        (Self::OsEdition, "osEdition"),
        (Self::JoinType, "joinType"),
        (Self::Ownership, "ownership"),
        (Self::Country, "country"),
        (Self::City, "city"),
        (Self::Department, "department"),
        (Self::PrimaryUser, "primaryUser"),
        (Self::Category, "category"),
        (Self::SiteCode, "siteCode"),
        (Self::AdSite, "adSite"),
        (Self::ClientVersion, "clientVersion"),
        (Self::Compliance, "compliance"),
        (Self::ClientHealth, "clientHealth"),
    ];

    /// Its place among the text columns, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// An attribute of a device that is a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimeKey {
    /// `enrolledAt`
    EnrolledAt,
    /// `lastSync`, which comes and goes
    LastSync,
}

/// An attribute of a device that is a set of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SetKey {
    /// `configMgrCollection`
    ConfigMgrCollection,
    /// `entraGroup`
    EntraGroup,
}

/// An attribute that a requirement looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A text, some of which are versions too.
    Text(TextKey),
    /// A moment.
    Time(TimeKey),
    /// A set of ids; true of the set if it is true of any of them.
    Set(SetKey),
    /// `labels/<name>`
    Label(String),
}

impl Key {
    /// The key that users write as `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(label) = name.strip_prefix("labels/") {
            return (!label.is_empty()).then(|| Self::Label(label.to_owned()));
        }
        match name {
            "enrolledAt" => Some(Self::Time(TimeKey::EnrolledAt)),
            "lastSync" => Some(Self::Time(TimeKey::LastSync)),
            "configMgrCollection" => Some(Self::Set(SetKey::ConfigMgrCollection)),
            "entraGroup" => Some(Self::Set(SetKey::EntraGroup)),
            _ => TextKey::ALL
                .into_iter()
                .find(|(_, written)| *written == name)
                .map(|(key, _)| Self::Text(key)),
        }
    }

    /// Every name that [`Key::from_name`] knows, with `labels/<name>` for the labels.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let texts = TextKey::ALL.into_iter().map(|(_, name)| name);
        texts
            .chain([
                "enrolledAt",
                "lastSync",
                "configMgrCollection",
                "entraGroup",
                "labels/<name>",
            ])
            .collect()
    }

    /// Whether the fact comes and goes, so that it may admit a device but not select one: a holiday
    /// must not hand a laptop back.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Time(TimeKey::LastSync) | Self::Text(TextKey::Compliance | TextKey::ClientHealth)
        )
    }

    /// Whether `operator` can look at it.
    #[must_use]
    pub const fn allows(&self, operator: Operator) -> bool {
        match operator {
            Operator::Exists | Operator::DoesNotExist => true,
            Operator::In | Operator::NotIn | Operator::Glob | Operator::NotGlob => {
                !matches!(self, Self::Time(_))
            }
            Operator::AtLeast | Operator::LessThan => {
                matches!(
                    self,
                    Self::Text(TextKey::OsVersion | TextKey::ClientVersion)
                )
            }
            Operator::Within | Operator::NotWithin => matches!(self, Self::Time(_)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(key) => f.write_str(TextKey::ALL[key.index()].1),
            Self::Time(TimeKey::EnrolledAt) => f.write_str("enrolledAt"),
            Self::Time(TimeKey::LastSync) => f.write_str("lastSync"),
            Self::Set(SetKey::ConfigMgrCollection) => f.write_str("configMgrCollection"),
            Self::Set(SetKey::EntraGroup) => f.write_str("entraGroup"),
            Self::Label(name) => write!(f, "labels/{name}"),
        }
    }
}

/// The positive half of a requirement: what is asked of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// It is one of these, which are folded to lower case.
    In(Vec<String>),
    /// It matches one of these, which are folded to lower case.
    Glob(Vec<String>),
    /// It is this version or a later one.
    AtLeast(Version),
    /// It is an earlier version.
    LessThan(Version),
    /// It lies at most this long before now.
    Within(Span),
    /// It is there.
    Exists,
}

/// One clause of a selector, valid by construction of whoever read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// What it looks at.
    pub key: Key,
    /// What it asks.
    pub test: Test,
    /// Whether it asks for the opposite.
    pub negated: bool,
    /// How it reads, for people: `country In [FR, DE]`.
    pub text: String,
}

/// Clauses that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selector {
    /// The clauses, at least one.
    pub requirements: Vec<Requirement>,
}

/// Folds text as both services compare it: Unicode lower case.
///
/// A sigma is lower-cased by its place in a word, which a pattern that ends within the word would
/// miss; both of its forms are one letter here.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_as_it_is_written() {
        for name in Key::names() {
            let key = Key::from_name(name).unwrap();
            assert_eq!(key.to_string(), name);
        }
        for (position, (key, _)) in TextKey::ALL.into_iter().enumerate() {
            assert_eq!(key.index(), position);
        }
        assert_eq!(Key::from_name("labels/"), None);
        assert_eq!(Key::from_name("uptime"), None);
    }
}
