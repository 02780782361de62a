//! Columns: for each row of an inventory one small code, and what the codes stand for.

use std::collections::HashMap;
use std::hash::Hash;

use fixedbitset::FixedBitSet;
use jiff::Timestamp;

use crate::fact::Fact;
use crate::ternary::Ternary;

/// One code for each row, as narrow as the column's dictionary allows.
#[derive(Debug, Clone)]
enum Codes {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Codes {
    fn new(codes: Vec<u32>, most: usize) -> Self {
        if let Ok(narrow) = narrowed(&codes, most) {
            return Self::U8(narrow);
        }
        match narrowed(&codes, most) {
            Ok(narrow) => Self::U16(narrow),
            Err(_) => Self::U32(codes),
        }
    }

    fn get(&self, row: usize) -> usize {
        match self {
            Self::U8(codes) => usize::from(codes[row]),
            Self::U16(codes) => usize::from(codes[row]),
            Self::U32(codes) => codes[row] as usize,
        }
    }
}

/// The codes in a narrower type, if the largest fits.
fn narrowed<T: TryFrom<u32> + TryFrom<usize>>(
    codes: &[u32],
    most: usize,
) -> Result<Vec<T>, <T as TryFrom<usize>>::Error> {
    T::try_from(most)?;
    // Every code is at most `most`, so that none is lost here.
    Ok(codes
        .iter()
        .filter_map(|code| T::try_from(*code).ok())
        .collect())
}

/// What stands in one row of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Not read.
    Unread,
    /// Read, and not there.
    Absent,
    /// The dictionary's value at this place.
    Value(usize),
}

impl Cell {
    const UNREAD: u32 = 0;
    const ABSENT: u32 = 1;
    const FIRST: u32 = 2;
}

/// A column of values that repeat: a dictionary, and a code for each row.
#[derive(Debug, Clone)]
pub struct WordColumn<T> {
    codes: Codes,
    values: Vec<T>,
}

/// A column of text, as it was read.
pub type TextColumn = WordColumn<Box<str>>;

impl<T: Clone + Eq + Hash> WordColumn<T> {
    /// The column of `facts`, one for each row.
    pub fn new(facts: impl Iterator<Item = Fact<T>>) -> Self {
        let mut places: HashMap<T, u32> = HashMap::new();
        let mut values = Vec::new();
        let codes = facts
            .map(|fact| match fact {
                Fact::Unread => Cell::UNREAD,
                Fact::Absent => Cell::ABSENT,
                Fact::Known(value) => *places.entry(value).or_insert_with_key(|value| {
                    values.push(value.clone());
                    // There are no more values than rows, and rows are counted in 32 bits.
                    u32::try_from(values.len() - 1).unwrap_or(u32::MAX - Cell::FIRST) + Cell::FIRST
                }),
            })
            .collect();
        Self {
            codes: Codes::new(codes, values.len() + Cell::FIRST as usize),
            values,
        }
    }
}

impl<T> WordColumn<T> {
    /// What stands in `row`.
    #[must_use]
    pub fn cell(&self, row: usize) -> Cell {
        match self.codes.get(row) {
            0 => Cell::Unread,
            1 => Cell::Absent,
            code => Cell::Value(code - Cell::FIRST as usize),
        }
    }

    /// The value in `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> Fact<&T> {
        match self.cell(row) {
            Cell::Unread => Fact::Unread,
            Cell::Absent => Fact::Absent,
            Cell::Value(place) => Fact::Known(&self.values[place]),
        }
    }

    /// The dictionary.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// A table that answers for each code of the column, to be asked with [`WordColumn::look_up`].
    pub fn table<A>(&self, answer: impl Fn(Fact<&T>) -> A) -> Vec<A> {
        let values = self.values.iter().map(|value| answer(Fact::Known(value)));
        [answer(Fact::Unread), answer(Fact::Absent)]
            .into_iter()
            .chain(values)
            .collect()
    }

    /// What `table` answers for `row`.
    #[must_use]
    pub fn look_up<A: Copy>(&self, table: &[A], row: usize) -> A {
        table[self.codes.get(row)]
    }
}

/// A column of yes, no, or not read. Read and not there counts as no.
#[derive(Debug, Clone)]
pub struct Flag {
    read: FixedBitSet,
    yes: FixedBitSet,
}

impl Flag {
    /// The column of `facts` for `rows` rows.
    pub fn new(rows: usize, facts: impl Iterator<Item = Fact<bool>>) -> Self {
        let mut flag = Self {
            read: FixedBitSet::with_capacity(rows),
            yes: FixedBitSet::with_capacity(rows),
        };
        for (row, fact) in facts.enumerate() {
            flag.read.set(row, !fact.is_unread());
            flag.yes.set(row, fact == Fact::Known(true));
        }
        flag
    }

    /// What is known of `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> Ternary {
        if self.read.contains(row) {
            Ternary::from(self.yes.contains(row))
        } else {
            Ternary::Unknown
        }
    }

    /// The rows known to be so.
    #[must_use]
    pub fn yes(&self) -> &FixedBitSet {
        &self.yes
    }
}

/// A column of moments, to the microsecond.
#[derive(Debug, Clone)]
pub struct TimeColumn {
    micros: Vec<i64>,
}

impl TimeColumn {
    const UNREAD: i64 = i64::MIN;
    const ABSENT: i64 = i64::MIN + 1;

    /// The column of `facts`, one for each row.
    pub fn new(facts: impl Iterator<Item = Fact<Timestamp>>) -> Self {
        Self {
            micros: facts
                .map(|fact| match fact {
                    Fact::Unread => Self::UNREAD,
                    Fact::Absent => Self::ABSENT,
                    Fact::Known(time) => time.as_microsecond(),
                })
                .collect(),
        }
    }

    /// The moment in `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> Fact<Timestamp> {
        match self.micros[row] {
            Self::UNREAD => Fact::Unread,
            micros => Timestamp::from_microsecond(micros).map_or(Fact::Absent, Fact::Known),
        }
    }
}

/// A column of sets of ids.
#[derive(Debug, Clone)]
pub struct SetColumn {
    /// Where each row's items begin, and after the last row where they end.
    starts: Vec<u32>,
    /// Places in the dictionary.
    items: Vec<u32>,
    values: Vec<Box<str>>,
    read: FixedBitSet,
}

impl SetColumn {
    /// The column of `facts` for `rows` rows.
    pub fn new<'a>(rows: usize, facts: impl Iterator<Item = Fact<&'a [String]>>) -> Self {
        let mut places: HashMap<&str, u32> = HashMap::new();
        let mut column = Self {
            starts: vec![0],
            items: Vec::new(),
            values: Vec::new(),
            read: FixedBitSet::with_capacity(rows),
        };
        for (row, fact) in facts.enumerate() {
            column.read.set(row, !fact.is_unread());
            for item in fact.known().unwrap_or_default() {
                let place = *places.entry(item).or_insert_with(|| {
                    column.values.push(item.as_str().into());
                    u32::try_from(column.values.len() - 1).unwrap_or(u32::MAX)
                });
                column.items.push(place);
            }
            let end = u32::try_from(column.items.len()).unwrap_or(u32::MAX);
            column.starts.push(end);
        }
        column
    }

    /// The dictionary.
    #[must_use]
    pub fn values(&self) -> &[Box<str>] {
        &self.values
    }

    /// The places in the dictionary of what `row` has; not read is `None`.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&[u32]> {
        self.read.contains(row).then(|| {
            let bounds = self.starts[row] as usize..self.starts[row + 1] as usize;
            &self.items[bounds]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_gives_back_what_it_was_given() {
        for distinct in [3_usize, 300, 70_000] {
            let facts = || {
                (0..100_000_usize).map(|row| match row % 5 {
                    0 => Fact::Unread,
                    1 => Fact::Absent,
                    _ => Fact::Known(Box::<str>::from((row % distinct).to_string())),
                })
            };
            let column = TextColumn::new(facts());
            for (row, fact) in facts().enumerate() {
                assert_eq!(column.get(row), fact.as_ref());
            }
        }
    }

    #[test]
    fn a_set_that_was_not_read_is_not_an_empty_one() {
        let some = ["A".to_owned(), "B".to_owned()];
        let facts = [Fact::Known(&some[..]), Fact::Unread, Fact::Absent];
        let column = SetColumn::new(3, facts.into_iter());
        assert_eq!(column.get(0), Some(&[0, 1][..]));
        assert_eq!(column.get(1), None);
        assert_eq!(column.get(2), Some(&[][..]));
    }

    #[test]
    fn times_keep_their_three_states() {
        let noon: Timestamp = "2026-11-22T12:00:00.123456Z".parse().unwrap();
        let facts = [Fact::Known(noon), Fact::Unread, Fact::Absent];
        let column = TimeColumn::new(facts.into_iter());
        assert_eq!([0, 1, 2].map(|row| column.get(row)), facts);
    }
}
