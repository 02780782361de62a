//! Whole lists, over as many pages as they take.
//!
//! A list is complete or it is an error: half a list would look like devices that are gone.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::Url;

use crate::error::{EstateError, Service};
use crate::record::Record;

/// One type of entity that a service lists.
pub(crate) trait Entity: Sized + Send {
    /// What it is called in a problem.
    const NAME: &'static str;

    /// Reads what can be read.
    fn read(record: &mut Record) -> Self;

    /// What tells it from the others, if that could be read: pages may repeat an entity.
    fn key(&self) -> Option<String>;
}

/// Something in an answer that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The type of entity.
    pub entity: &'static str,
    /// Which one: its key, or empty.
    pub key: String,
    /// What was wrong with it.
    pub detail: String,
}

/// The most problems kept of one list; the rest are counted.
const EXAMPLES: usize = 20;

/// A complete list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// Every entity, each once.
    pub items: Vec<T>,
    /// How many things could not be read.
    pub problem_count: u64,
    /// Some of them.
    pub problems: Vec<Problem>,
    /// How many entries named nothing and had nothing in them that could be read.
    pub unreadable: u64,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            problem_count: 0,
            problems: Vec::new(),
            unreadable: 0,
        }
    }
}

impl<T> Listing<T> {
    fn note(&mut self, entity: &'static str, key: &str, details: Vec<String>) {
        for detail in details {
            self.problem_count += 1;
            if self.problems.len() < EXAMPLES {
                self.problems.push(Problem {
                    entity,
                    key: key.to_owned(),
                    detail,
                });
            }
        }
    }
}

/// Follows a list from page to page.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    service: Service,
    endpoint: &'static str,
    origin: url::Origin,
    seen_links: HashSet<String>,
    seen_keys: HashSet<String>,
    fruitless: usize,
    pub listing: Listing<T>,
}

/// More pages than any list here has: 1,000,000 devices at 20 a page.
const MOST_PAGES: usize = 50_000;
/// So many pages in a row that bring nothing new are a service that runs in circles.
const MOST_FRUITLESS: usize = 200;

impl<T: Entity> Pages<T> {
    pub(crate) fn new(service: Service, endpoint: &'static str, first: &Url) -> Self {
        Self {
            service,
            endpoint,
            origin: first.origin(),
            seen_links: HashSet::from([first.to_string()]),
            seen_keys: HashSet::new(),
            fruitless: 0,
            listing: Listing::default(),
        }
    }

    /// Takes in one page; the address of the next, if there is one.
    pub(crate) fn take(&mut self, body: &[u8]) -> Result<Option<Url>, EstateError> {
        let mut page = PageSeed {
            pages: self,
            fresh: 0,
        };
        let mut reader = serde_json::Deserializer::from_slice(strip_bom(body));
        let next = (&mut page)
            .deserialize(&mut reader)
            .and_then(|next| reader.end().map(|()| next));
        let fresh = page.fresh;
        let next = next.map_err(|error| self.unusable(format!("no list: {error}")))?;
        let Some(next) = next else { return Ok(None) };
        self.fruitless = if fresh == 0 { self.fruitless + 1 } else { 0 };
        self.follow(&next).map(Some)
    }

    fn follow(&mut self, next: &str) -> Result<Url, EstateError> {
        let url = Url::parse(next)
            .map_err(|_| self.unusable("a nextLink that is no absolute address".to_owned()))?;
        if url.origin() != self.origin {
            return Err(self.unusable("a nextLink to another server".to_owned()));
        }
        if !self.seen_links.insert(next.to_owned()) {
            return Err(self.unusable("a nextLink that leads in a circle".to_owned()));
        }
        if self.fruitless >= MOST_FRUITLESS || self.seen_links.len() > MOST_PAGES {
            return Err(self.unusable("pages without end".to_owned()));
        }
        Ok(url)
    }

    fn unusable(&self, detail: String) -> EstateError {
        EstateError::unusable(self.service, self.endpoint, detail)
    }

    /// Takes in one entry; whether it was new.
    fn entry(&mut self, entry: Value) -> bool {
        let Value::Object(fields) = entry else {
            self.listing.unreadable += 1;
            self.listing
                .note(T::NAME, "", vec!["an entry is no object".to_owned()]);
            return true;
        };
        let (item, problems) = read::<T>(fields);
        let key = item.key();
        if let Some(key) = &key
            && !self.seen_keys.insert(key.clone())
        {
            return false;
        }
        self.listing
            .note(T::NAME, key.as_deref().unwrap_or_default(), problems);
        self.listing.items.push(item);
        true
    }
}

/// One entity, and what could not be read of it.
pub(crate) fn read<T: Entity>(fields: Map<String, Value>) -> (T, Vec<String>) {
    let mut record = Record::new(fields);
    let item = T::read(&mut record);
    (item, record.into_problems())
}

/// Windows services like to begin with a byte order mark.
pub(crate) fn strip_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Reads a page entry by entry: an answer with every row at once must not be held as a tree.
struct PageSeed<'a, T> {
    pages: &'a mut Pages<T>,
    fresh: usize,
}

impl<'de, T: Entity> DeserializeSeed<'de> for &mut PageSeed<'_, T> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Entity> Visitor<'de> for &mut PageSeed<'_, T> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list called value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut listed, mut next) = (false, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "value" => {
                    map.next_value_seed(EntriesSeed(&mut *self))?;
                    listed = true;
                }
                "@odata.nextLink" | "odata.nextLink" => {
                    // One of the wrong type is an error: it is no end to believe in.
                    next = map.next_value::<Option<String>>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !listed {
            return Err(A::Error::missing_field("value"));
        }
        Ok(next.filter(|next| !next.is_empty()))
    }
}

struct EntriesSeed<'a, 'b, T>(&'a mut PageSeed<'b, T>);

impl<'de, T: Entity> DeserializeSeed<'de> for EntriesSeed<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Entity> Visitor<'de> for EntriesSeed<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Value>()? {
            if self.0.pages.entry(entry) {
                self.0.fresh += 1;
            }
        }
        Ok(())
    }
}
