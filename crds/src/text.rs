//! Values that have a form of their own, kept as they were written.
//!
//! A reader that insisted on the form would stop at the first mistake. These take any text, so that
//! everything that is wrong with a document can be said at once, while the schema declares the form
//! for the API server.

use std::borrow::Cow;
use std::fmt;

use diarchy_core::amount::PERCENT_PATTERN;
use diarchy_core::duration::SPAN_PATTERN;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A DNS-1123 subdomain: what a resource may be called.
pub(crate) const NAME_PATTERN: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Parts between slashes, each of them words between dots. That `x.lock`, `@` and `@{` are no names
/// either, only [`crate::interpret`] knows.
const BRANCH_PATTERN: &str = concat!(
    r"^[^-\x00-\x20\x7f~^:?*\[\\/.][^\x00-\x20\x7f~^:?*\[\\/.]*",
    r"(\.[^\x00-\x20\x7f~^:?*\[\\/.]+)*",
    r"(\.?/[^\x00-\x20\x7f~^:?*\[\\/.]+(\.[^\x00-\x20\x7f~^:?*\[\\/.]+)*)*$",
);

/// A version: numbers of at most 18 digits, which any reader can compare, and dots.
pub(crate) const VERSION_PATTERN: &str = r"^[0-9]{1,18}(\.[0-9]{1,18})*$";

macro_rules! texts {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($key:literal: $value:expr),+ $(,)? }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub String);

            impl $name {
                /// As it was written.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self(text.to_owned())
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.pad(&self.0)
                }
            }

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", $($key: $value),+ })
                }
            }
        )+
    };
}

texts! {
    /// A resource's name: a DNS-1123 subdomain.
    Name { "minLength": 1, "maxLength": 253, "pattern": NAME_PATTERN }

    /// A length of time: `30s`, `5m`, `1h30m`, `7d`.
    DurationText { "maxLength": 64, "pattern": SPAN_PATTERN }

    /// A moment in RFC 3339: `2026-12-15T00:00:00Z`.
    TimestampText {
        "maxLength": 64,
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    }

    /// A time of day on 24 hours: `08:00`.
    TimeOfDay { "maxLength": 5, "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" }

    /// An IANA time zone: `Europe/Paris`.
    TimeZoneName { "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_+/-]+$" }

    /// A GUID: `7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10`.
    Guid {
        "maxLength": 36,
        "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    }

    /// What a person attests, on one line.
    Statement { "minLength": 1, "maxLength": 256, "pattern": r"^\S(.*\S)?$" }

    /// An https URL; http only on a loopback host.
    Endpoint {
        "maxLength": 2048,
        "pattern": r"^(https://[^\s/?#@\\]+|http://(([^\s/?#@\\:]+\.)?localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]*)?)([/?#]\S*)?$",
    }

    /// A repository: an https or ssh URL, or `user@host:path`; http only on a loopback host.
    RepositoryUrl {
        "minLength": 1,
        "maxLength": 2048,
        "pattern": r"^(https://[^\s/@?#\\]+/[^\s?#\\]+|http://([^\s/@\\]*\.)?(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?/[^\s?#\\]+|ssh://([^\s/@:?#\\]+@)?[^\s/@?#\\]+/[^\s?#\\]+|[^/@: ]+@[^/@: ]+:.+)$",
    }

    /// The name of a branch or a tag: `main`, `release/2026`.
    BranchOrTag { "minLength": 1, "maxLength": 255, "pattern": BRANCH_PATTERN }

    /// A commit's whole id.
    CommitId { "maxLength": 40, "pattern": "^[0-9A-Fa-f]{40}$" }

    /// A version as numbers and dots: `10.0.22631`.
    VersionText { "maxLength": 64, "pattern": VERSION_PATTERN }

    /// A collection's id: its site code and 5 hexadecimal digits, `PS100021`.
    CollectionId { "maxLength": 8, "pattern": "^[A-Za-z0-9]{3}[0-9A-Fa-f]{5}$" }

    /// A site's code: 3 letters or digits, `PS1`.
    SiteCode { "maxLength": 3, "pattern": "^[A-Za-z0-9]{3}$" }
}

/// A number of devices: an integer, or a percentage such as `5%` or `2.5%`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum AmountText {
    /// So many devices.
    Count(i64),
    /// A percentage, as it was written.
    Percent(String),
}

impl From<&str> for AmountText {
    fn from(percent: &str) -> Self {
        Self::Percent(percent.to_owned())
    }
}

impl fmt::Display for AmountText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => f.write_str(percent),
        }
    }
}

impl JsonSchema for AmountText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // `minimum` judges the integer only, `pattern` and `maxLength` the text only.
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "minimum": 0,
            "maximum": u32::MAX,
            "maxLength": 8,
            "pattern": PERCENT_PATTERN,
        })
    }
}

// By hand: an untagged reader would lose the position of what it refuses.
impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;

        impl Visitor<'_> for AmountVisitor {
            type Value = AmountText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of devices or a percentage such as 5%")
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<AmountText, E> {
                Ok(AmountText::Count(count))
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<AmountText, E> {
                // What does not fit is far above every limit, and is reported as that.
                Ok(AmountText::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AmountText, E> {
                Ok(AmountText::Percent(text.to_owned()))
            }
        }

        deserializer.deserialize_any(AmountVisitor)
    }
}
