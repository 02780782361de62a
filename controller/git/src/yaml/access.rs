//! The parts of a value, handed to whoever reads it.

use diarchy_core::code::Code;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, IntoDeserializer as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::decode::Value;
use super::shape::ShapeError;
use super::tree::{NodeId, Tree};

/// The items of a list, one after the other.
pub struct Items<'t> {
    pub tree: &'t Tree,
    pub items: std::slice::Iter<'t, NodeId>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ShapeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeError> {
        let tree = self.tree;
        self.items
            .next()
            .map(|id| Value { tree, id: *id }.read(seed))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The keys of a mapping, each followed by its value.
pub struct Entries<'t> {
    pub tree: &'t Tree,
    pub keys: std::vec::IntoIter<(NodeId, NodeId)>,
    /// What belongs to the key that was read last.
    pub value: Option<NodeId>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ShapeError> {
        let Some((key, value)) = self.keys.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let key = Value {
            tree: self.tree,
            id: key,
        };
        key.read(seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ShapeError> {
        let id = self
            .value
            .take()
            .ok_or_else(|| ShapeError::custom("a value was asked for before its key"))?;
        Value {
            tree: self.tree,
            id,
        }
        .read(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.keys.len())
    }
}

/// One of a list of words.
pub struct Word<'t>(pub &'t str);

impl<'de, 't> EnumAccess<'de> for Word<'t> {
    type Error = ShapeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ShapeError> {
        let word: StrDeserializer<'t, ShapeError> = self.0.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        _seed: T,
    ) -> Result<T::Value, ShapeError> {
        Err(self.more_than_a_word())
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        _visitor: V,
    ) -> Result<V::Value, ShapeError> {
        Err(self.more_than_a_word())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, ShapeError> {
        Err(self.more_than_a_word())
    }
}

impl Word<'_> {
    fn more_than_a_word(&self) -> ShapeError {
        ShapeError::new(
            Code::WrongType,
            format!("`{}` needs more than its name", self.0),
            "write it out",
        )
    }
}
