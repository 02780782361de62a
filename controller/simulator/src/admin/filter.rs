//! `$filter`, as far as field clients use it: `eq`, `startswith`, `and`, `or` and brackets.

use serde_json::Value;

/// A condition on an entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Equals(String, Value),
    StartsWith(String, String),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Open,
    Close,
    Comma,
    Name(String),
    Literal(Value),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// What cannot be read, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = words(text)?;
        words.reverse();
        let filter = either(&mut words)?;
        match words.last() {
            None => Ok(filter),
            Some(word) => Err(format!("unexpected {word:?}")),
        }
    }

    /// Whether an entity with these values meets it; compares text without regard to case.
    pub(crate) fn matches(&self, value: &impl Fn(&str) -> Value) -> bool {
        match self {
            Self::Equals(name, wanted) => same(&value(name), wanted),
            Self::StartsWith(name, start) => value(name)
                .as_str()
                .is_some_and(|text| text.to_lowercase().starts_with(&start.to_lowercase())),
            Self::And(one, other) => one.matches(value) && other.matches(value),
            Self::Or(one, other) => one.matches(value) || other.matches(value),
        }
    }

    /// The properties it speaks of.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Equals(name, _) | Self::StartsWith(name, _) => vec![name],
            Self::And(one, other) | Self::Or(one, other) => {
                let mut names = one.names();
                names.extend(other.names());
                names
            }
        }
    }

    /// The values that `name` can have in an entity that meets it; none: any.
    pub(crate) fn values_of(&self, name: &str) -> Option<Vec<&Value>> {
        match self {
            Self::Equals(other, value) => (other == name).then(|| vec![value]),
            Self::StartsWith(..) => None,
            Self::And(one, other) => one.values_of(name).or_else(|| other.values_of(name)),
            Self::Or(one, other) => {
                let mut values = one.values_of(name)?;
                values.extend(other.values_of(name)?);
                Some(values)
            }
        }
    }
}

fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => {
            value.to_lowercase() == wanted.to_lowercase()
        }
        _ => value == wanted,
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '(' => (Word::Open, &rest[1..]),
            ')' => (Word::Close, &rest[1..]),
            ',' => (Word::Comma, &rest[1..]),
            '\'' => quoted(&rest[1..])?,
            _ => {
                let end = rest
                    .find(|letter: char| letter.is_whitespace() || "(),'".contains(letter))
                    .unwrap_or(rest.len());
                (bare(&rest[..end]), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// A text in quotes, of which two in a row stand for one.
fn quoted(rest: &str) -> Result<(Word, &str), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '\'' {
            text.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '\'') {
            letters.next();
            text.push('\'');
        } else {
            return Ok((Word::Literal(Value::from(text)), &rest[at + 1..]));
        }
    }
    Err("a text does not end".to_owned())
}

fn bare(text: &str) -> Word {
    match text {
        "true" => Word::Literal(Value::Bool(true)),
        "false" => Word::Literal(Value::Bool(false)),
        "null" => Word::Literal(Value::Null),
        _ => text.parse::<i64>().map_or_else(
            |_| Word::Name(text.to_owned()),
            |number| Word::Literal(Value::from(number)),
        ),
    }
}

/// Words stand in reverse: the next one is the last.
fn either(words: &mut Vec<Word>) -> Result<Filter, String> {
    let mut filter = both(words)?;
    while take(words, &Word::Name("or".to_owned())) {
        filter = Filter::Or(Box::new(filter), Box::new(both(words)?));
    }
    Ok(filter)
}

fn both(words: &mut Vec<Word>) -> Result<Filter, String> {
    let mut filter = term(words)?;
    while take(words, &Word::Name("and".to_owned())) {
        filter = Filter::And(Box::new(filter), Box::new(term(words)?));
    }
    Ok(filter)
}

fn term(words: &mut Vec<Word>) -> Result<Filter, String> {
    if take(words, &Word::Open) {
        let inner = either(words)?;
        expect(words, &Word::Close)?;
        return Ok(inner);
    }
    let name = name(words)?;
    if name == "startswith" {
        expect(words, &Word::Open)?;
        let property = self::name(words)?;
        expect(words, &Word::Comma)?;
        let Value::String(start) = literal(words)? else {
            return Err("startswith wants a text".to_owned());
        };
        expect(words, &Word::Close)?;
        if take(words, &Word::Name("eq".to_owned())) && literal(words)? != Value::Bool(true) {
            return Err("startswith can only be compared with true".to_owned());
        }
        return Ok(Filter::StartsWith(property, start));
    }
    expect(words, &Word::Name("eq".to_owned()))?;
    Ok(Filter::Equals(name, literal(words)?))
}

fn take(words: &mut Vec<Word>, word: &Word) -> bool {
    let there = words.last() == Some(word);
    if there {
        words.pop();
    }
    there
}

fn expect(words: &mut Vec<Word>, word: &Word) -> Result<(), String> {
    if take(words, word) {
        return Ok(());
    }
    Err(format!("expected {word:?}, found {:?}", words.last()))
}

fn name(words: &mut Vec<Word>) -> Result<String, String> {
    match words.pop() {
        Some(Word::Name(name)) => Ok(name),
        other => Err(format!("expected a property, found {other:?}")),
    }
}

fn literal(words: &mut Vec<Word>) -> Result<Value, String> {
    match words.pop() {
        Some(Word::Literal(value)) => Ok(value),
        other => Err(format!("expected a value, found {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meets(filter: &str) -> bool {
        let entity = json!({"Name": "FR-LT000001", "ResourceID": 16777219, "Owner": "O'Hara"});
        Filter::parse(filter)
            .expect("a filter")
            .matches(&|name| entity[name].clone())
    }

    #[test]
    fn reads_what_field_clients_write() {
        assert!(meets("Name eq 'fr-lt000001'"));
        assert!(meets("ResourceID eq 16777219"));
        assert!(meets("Owner eq 'O''Hara'"));
        assert!(meets("startswith(Name,'FR-')"));
        assert!(meets(
            "startswith(Name,'FR-') eq true and ResourceID eq 16777219"
        ));
        assert!(meets(
            "Name eq 'a' or Name eq 'b' or ResourceID eq 16777219"
        ));
        assert!(!meets(
            "Name eq 'x' and (Name eq 'y' or ResourceID eq 16777219)"
        ));
        assert!(!meets("ResourceID eq '16777219'"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            "",
            "Name",
            "Name ne 'x'",
            "Name eq",
            "Name eq 'x",
            "Name eq 'x' )",
            "(Name eq 'x'",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn knows_which_values_a_property_can_have() {
        let filter = Filter::parse("(A eq '1' or A eq '2') and B eq 3").expect("a filter");
        assert_eq!(filter.values_of("A"), Some(vec![&json!("1"), &json!("2")]));
        assert_eq!(filter.values_of("B"), Some(vec![&json!(3)]));
        let open = Filter::parse("A eq '1' or B eq 3").expect("a filter");
        assert_eq!(open.values_of("A"), None);
    }
}
