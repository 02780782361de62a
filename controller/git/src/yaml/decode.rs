//! Values out of documents, strictly.

use diarchy_core::code::Code;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Entries, Items, Word};
use super::scalar::{Mistaken, Plain, mistaken, plain};
use super::shape::ShapeError;
use super::tree::{Content, Node, NodeId, Tag, Tree};
use crate::diagnostic::Problem;

/// Reads a document as a `T`.
///
/// # Errors
/// The first thing that is wrong with its shape, at its place.
pub fn decode<T: DeserializeOwned>(tree: &Tree, id: NodeId) -> Result<T, Problem> {
    T::deserialize(Value { tree, id }).map_err(ShapeError::into_problem)
}

/// One value, to be read as whatever is asked for.
#[derive(Clone, Copy)]
pub struct Value<'t> {
    pub tree: &'t Tree,
    pub id: NodeId,
}

/// A scalar as its reader sees it.
enum Scalar<'t> {
    /// Without quotes: what it is depends on how it looks.
    Plain(&'t str),
    /// Text by its quotes, its block or its tag.
    Text(&'t str),
}

impl<'t> Value<'t> {
    fn node(self) -> &'t Node {
        self.tree.value(self.id)
    }

    /// Runs `read`, and says of a mistake without a place that it lies here.
    fn located<T>(self, read: impl FnOnce(Self) -> Result<T, ShapeError>) -> Result<T, ShapeError> {
        let checked = match &self.node().tag {
            Some(Tag::Other(tag)) => Err(ShapeError::new(
                Code::WrongType,
                format!("the tag `{tag}` means nothing here"),
                "remove the tag",
            )),
            _ => Ok(self),
        };
        checked
            .and_then(read)
            .map_err(|error| error.at(self.tree.position(self.id)))
    }

    /// Reads itself with `seed`; a type that judges what it has read does so out of sight of any
    /// method here, and its mistake lies here too.
    pub fn read<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ShapeError> {
        seed.deserialize(self)
            .map_err(|error| error.at(self.tree.position(self.id)))
    }

    fn scalar(self) -> Option<Scalar<'t>> {
        match &self.node().content {
            Content::Scalar { text, plain } if *plain && self.node().tag != Some(Tag::Text) => {
                Some(Scalar::Plain(text))
            }
            Content::Scalar { text, .. } => Some(Scalar::Text(text)),
            _ => None,
        }
    }

    fn is_null(self) -> bool {
        matches!(self.scalar(), Some(Scalar::Plain(text)) if plain(text) == Plain::Null)
    }

    fn wrong(self, expected: &str) -> ShapeError {
        let found = match (&self.node().content, self.scalar()) {
            (Content::List(_), _) => "a list stands here".to_owned(),
            (Content::Mapping(_), _) => "a mapping stands here".to_owned(),
            (_, Some(Scalar::Plain(""))) => "nothing is written here".to_owned(),
            (_, Some(Scalar::Plain(text))) => match plain(text) {
                Plain::Null => format!("`{text}` means nothing"),
                Plain::Bool(_) => format!("the boolean `{text}` stands here"),
                Plain::Integer(_) | Plain::Float(_) => format!("the number `{text}` stands here"),
                Plain::Text(_) => format!("the text `{text}` stands here"),
            },
            (_, Some(Scalar::Text(text))) => format!("the text \"{text}\" stands here"),
            (_, None) => "something else stands here".to_owned(),
        };
        ShapeError::new(Code::WrongType, found, format!("write {expected}"))
    }

    /// The text, if no reader of YAML could take it for anything else.
    ///
    /// A moment such as `2026-12-15T00:00:00Z` stands without quotes: the times of the API are
    /// written so, and its text is what every reader shows again. A date alone is not.
    fn as_text(self) -> Result<&'t str, ShapeError> {
        match self.scalar() {
            Some(Scalar::Text(text)) => Ok(text),
            Some(Scalar::Plain("")) | None => Err(self.wrong("text")),
            Some(Scalar::Plain(text)) => match mistaken(text) {
                None => Ok(text),
                Some(Mistaken::Time) if text.contains('T') => Ok(text),
                Some(mistaken) => Err(ShapeError::new(
                    Code::NeedsQuotes,
                    format!("the text `{text}` reads as {}", mistaken.name()),
                    format!("put it in quotes, \"{text}\""),
                )),
            },
        }
    }
}

/// Whatever their size, numbers are read alike; whether one fits is its reader's to say.
macro_rules! numbers {
    ($($($method:ident)+ => $to:ident;)+) => {$($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
            self.$to(visitor)
        }
    )+)+};
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| match (&this.node().content, this.scalar()) {
            (Content::List(_), _) => this.visit_list(visitor),
            (Content::Mapping(_), _) => this.visit_mapping(visitor),
            (_, Some(Scalar::Text(text))) => visitor.visit_str(text),
            (_, Some(Scalar::Plain(text))) => match plain(text) {
                Plain::Null => visitor.visit_unit(),
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Integer(value) => visit_integer(value, visitor),
                Plain::Float(value) => visitor.visit_f64(value),
                Plain::Text(text) => visitor.visit_str(text),
            },
            (_, None) => Err(this.wrong("a value")),
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| match this.scalar() {
            Some(Scalar::Plain(text)) => match plain(text) {
                Plain::Bool(value) => visitor.visit_bool(value),
                _ => Err(this.wrong("true or false")),
            },
            _ => Err(this.wrong("true or false, without quotes")),
        })
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| match this.scalar() {
            Some(Scalar::Plain(text)) => match plain(text) {
                Plain::Integer(value) => visit_integer(value, visitor),
                _ => Err(this.wrong("a whole number")),
            },
            _ => Err(this.wrong("a whole number, without quotes")),
        })
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| match this.scalar() {
            Some(Scalar::Plain(text)) => match plain(text) {
                Plain::Integer(value) => visit_integer(value, visitor),
                Plain::Float(value) => visitor.visit_f64(value),
                _ => Err(this.wrong("a number")),
            },
            _ => Err(this.wrong("a number, without quotes")),
        })
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 => deserialize_i64;
        deserialize_f32 => deserialize_f64;
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| visitor.visit_str(this.as_text()?))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        if self.is_null() {
            self.located(|_| visitor.visit_none())
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.located(|this| visitor.visit_newtype_struct(this))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| this.visit_list(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| this.visit_mapping(visitor))
    }

    /// Not from a list either, which serde's own readers would take for the fields in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.located(|this| match this.scalar() {
            Some(Scalar::Plain("")) | None => {
                Err(this.wrong(&format!("one of {}", variants.join(", "))))
            }
            Some(Scalar::Plain(text) | Scalar::Text(text)) => visitor.visit_enum(Word(text)),
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.located(|this| match this.scalar() {
            Some(Scalar::Plain(text) | Scalar::Text(text)) => visitor.visit_str(text),
            None => Err(this.wrong("a key")),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
}

impl Value<'_> {
    fn visit_list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        let Content::List(items) = &self.node().content else {
            return Err(self.wrong("a list"));
        };
        visitor.visit_seq(Items {
            tree: self.tree,
            items: items.iter(),
        })
    }

    fn visit_mapping<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        let Some(entries) = self.tree.entries(self.id) else {
            return Err(self.wrong("a mapping"));
        };
        visitor.visit_map(Entries {
            tree: self.tree,
            keys: entries.into_iter(),
            value: None,
        })
    }
}

fn visit_integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, ShapeError> {
    if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else {
        Err(ShapeError::new(
            Code::OutOfRange,
            format!("the number {value} cannot stand here"),
            "write a smaller one",
        ))
    }
}
