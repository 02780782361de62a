//! A document's nodes, each with its place in the text.

use std::collections::HashSet;

use diarchy_core::code::Code;
use diarchy_core::finding::{FieldPath, Segment};

use crate::diagnostic::{Position, Problem};

/// A node's place in a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(super) u32);

/// A value as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it begins; where its key does if nothing is written.
    pub position: Position,
    /// Its tag, if it has one.
    pub tag: Option<Tag>,
    /// What it holds.
    pub content: Content,
}

/// What a tag says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// `!!str` or `!`: the scalar is text, whatever it looks like.
    Text,
    /// Another tag of the core schema, which the value obeys anyway or is refused for.
    Core,
    /// Any other, as it is written.
    Other(String),
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A value without parts.
    Scalar {
        /// The text; empty if nothing is written.
        text: String,
        /// Whether it stands without quotes, on its own line or within one.
        plain: bool,
    },
    /// A list.
    List(Vec<NodeId>),
    /// Keys and values, in their order.
    Mapping(Vec<(NodeId, NodeId)>),
    /// `*name`: the value that was given this name before.
    Alias(NodeId),
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
}

impl Tree {
    /// The document's own value.
    pub const fn root(&self) -> NodeId {
        self.root
    }

    /// The node as it is written, which may be an alias.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The node that an alias stands for; any other node itself.
    pub fn value(&self, id: NodeId) -> &Node {
        match self.node(id) {
            // A name is given to a value only, so one step is enough.
            Node {
                content: Content::Alias(target),
                ..
            } => self.node(*target),
            node => node,
        }
    }

    /// Where the value begins in the text; an alias where it stands itself.
    pub fn position(&self, id: NodeId) -> Position {
        self.node(id).position
    }

    /// The text of a scalar; `None` if nothing is written there, or no scalar.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match self.value(id) {
            node @ Node {
                content: Content::Scalar { text, plain },
                ..
            } => {
                let null = *plain
                    && node.tag != Some(Tag::Text)
                    && super::scalar::plain(text) == super::scalar::Plain::Null;
                (!null).then_some(text)
            }
            _ => None,
        }
    }

    /// Whether it is a value without parts.
    pub fn is_scalar(&self, id: NodeId) -> bool {
        matches!(self.value(id).content, Content::Scalar { .. })
    }

    /// The keys and values of a mapping, with those that its merge keys (`<<`) bring; `None` if it
    /// is no mapping.
    pub fn entries(&self, id: NodeId) -> Option<Vec<(NodeId, NodeId)>> {
        let Content::Mapping(written) = &self.value(id).content else {
            return None;
        };
        let is_merge = |(key, value): &(NodeId, NodeId)| self.merged(*key, *value).is_some();
        if !written.iter().any(is_merge) {
            return Some(written.clone());
        }
        let (merges, mut entries): (Vec<_>, Vec<_>) = written.iter().partition(|e| is_merge(e));
        let mut taken: HashSet<&str> = entries
            .iter()
            .filter_map(|(key, _)| self.text(*key))
            .collect();
        for (key, value) in merges {
            for source in self.merged(key, value).unwrap_or_default() {
                for entry in self.entries(source).unwrap_or_default() {
                    if self.text(entry.0).is_none_or(|key| taken.insert(key)) {
                        entries.push(entry);
                    }
                }
            }
        }
        Some(entries)
    }

    /// The mappings that a merge key brings, the first of them winning; `None` if the key is none.
    fn merged(&self, key: NodeId, value: NodeId) -> Option<Vec<NodeId>> {
        let Content::Scalar { text, plain: true } = &self.node(key).content else {
            return None;
        };
        if text != "<<" {
            return None;
        }
        let is_mapping = |id: &NodeId| matches!(self.value(*id).content, Content::Mapping(_));
        match &self.value(value).content {
            Content::Mapping(_) => Some(vec![value]),
            Content::List(items) if items.iter().all(is_mapping) => Some(items.clone()),
            _ => None,
        }
    }

    /// The value under `key` of a mapping, the first if there are several.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entries(id)?
            .into_iter()
            .find(|(candidate, _)| self.text(*candidate) == Some(key))
            .map(|(_, value)| value)
    }

    /// The value at `path`, or as near to it as there is one.
    pub fn nearest(&self, path: &FieldPath) -> NodeId {
        let mut id = self.root;
        for segment in path.segments() {
            let child = match segment {
                Segment::Key(key) => self.get(id, key),
                Segment::Index(index) => match &self.value(id).content {
                    Content::List(items) => items.get(*index).copied(),
                    _ => None,
                },
            };
            match child {
                Some(child) => id = child,
                None => break,
            }
        }
        id
    }

    /// The text at exactly `path`.
    pub fn text_at(&self, path: &FieldPath) -> Option<&str> {
        let parent = path.segments().split_last();
        let found = match parent {
            Some((Segment::Key(key), above)) => {
                let above: FieldPath = above.iter().cloned().collect();
                self.get(self.nearest(&above), key)?
            }
            _ => self.nearest(path),
        };
        self.text(found)
    }

    /// Where the value at `path` begins; where its nearest parent does if there is none.
    pub fn locate(&self, path: &FieldPath) -> Position {
        self.position(self.nearest(path))
    }

    /// Every key that stands twice in its mapping, at each of its places.
    pub fn duplicate_keys(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for node in &self.nodes {
            let Content::Mapping(entries) = &node.content else {
                continue;
            };
            let mut seen = HashSet::new();
            let twice: HashSet<&str> = entries
                .iter()
                .filter_map(|(key, _)| self.text(*key))
                .filter(|key| !seen.insert(*key))
                .collect();
            for (key, _) in entries {
                if let Some(text) = self.text(*key).filter(|text| twice.contains(text)) {
                    problems.push(Problem::new(
                        self.position(*key),
                        Code::DuplicateKey,
                        format!("the key `{text}` stands twice in this mapping"),
                        "keep one of them",
                    ));
                }
            }
        }
        problems
    }
}
