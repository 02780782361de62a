//! Reading one entity of a service's answer without trusting its shape.
//!
//! Every property is a [`Fact`]: a key that is missing was not read, `null` (and an empty text) was
//! read and is not there, and a value of the wrong type or with an unknown word was not read either,
//! which is noted as a problem. One bad property never costs the others.

use diarchy_core::fact::Fact;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::{Map, Value};

/// The properties of one entity, and what was wrong with those looked at so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    fields: Map<String, Value>,
    problems: Vec<String>,
}

impl Record {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            problems: Vec::new(),
        }
    }

    /// What could not be read, one line each.
    pub(crate) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// The raw value: exact spelling first, then any case, because documents and services disagree
    /// about some (`ResourceId`, `ResourceID`).
    fn take(&mut self, name: &str) -> Fact<Value> {
        let value = match self.fields.remove(name) {
            Some(value) => value,
            None => match self
                .fields
                .keys()
                .find(|key| key.eq_ignore_ascii_case(name))
                .cloned()
                .and_then(|key| self.fields.remove(&key))
            {
                Some(value) => value,
                None => return Fact::Unread,
            },
        };
        match value {
            Value::Null => Fact::Absent,
            value => Fact::Known(value),
        }
    }

    fn problem<T>(&mut self, name: &str, expected: &str, found: &Value) -> Fact<T> {
        self.problems
            .push(format!("{name} is {}, not {expected}", kind(found)));
        Fact::Unread
    }

    fn convert<T>(
        &mut self,
        name: &str,
        expected: &str,
        convert: impl FnOnce(&Value) -> Option<Fact<T>>,
    ) -> Fact<T> {
        match self.take(name) {
            Fact::Unread => Fact::Unread,
            Fact::Absent => Fact::Absent,
            Fact::Known(value) => match convert(&value) {
                Some(fact) => fact,
                None => self.problem(name, expected, &value),
            },
        }
    }

    /// A text; an empty one is absent.
    pub(crate) fn text(&mut self, name: &str) -> Fact<String> {
        self.convert(name, "a text", |value| {
            let text = value.as_str()?.trim();
            Some(Fact::read((!text.is_empty()).then(|| text.to_owned())))
        })
    }

    /// A text or a number, as text.
    pub(crate) fn text_or_number(&mut self, name: &str) -> Fact<String> {
        self.convert(name, "a text or a number", |value| match value {
            Value::Number(number) => Some(Fact::Known(number.to_string())),
            Value::String(text) => {
                let text = text.trim();
                Some(Fact::read((!text.is_empty()).then(|| text.to_owned())))
            }
            _ => None,
        })
    }

    /// Texts; one alone counts as a list of one.
    pub(crate) fn texts(&mut self, name: &str) -> Fact<Vec<String>> {
        self.convert(name, "a list of texts", |value| match value {
            Value::String(text) => Some(Fact::Known(vec![text.clone()])),
            Value::Array(values) => Some(Fact::Known(
                values
                    .iter()
                    .filter_map(|value| Some(value.as_str()?.to_owned()))
                    .collect(),
            )),
            _ => None,
        })
    }

    /// A GUID in lower case; an all-zero one is absent, which is how an unregistered device
    /// reports.
    pub(crate) fn guid(&mut self, name: &str) -> Fact<String> {
        self.convert(name, "a GUID", |value| {
            let text = value.as_str()?.trim();
            if text.is_empty() {
                return Some(Fact::Absent);
            }
            guid(text)
        })
    }

    /// Whether a GUID is there and all zero. Asked before [`Record::guid`] takes it.
    pub(crate) fn is_zero_guid(&self, name: &str) -> bool {
        let text = self.fields.get(name).and_then(Value::as_str);
        text.is_some_and(|text| guid(text) == Some(Fact::Absent))
    }

    /// A yes or no, also as 0 and 1.
    pub(crate) fn flag(&mut self, name: &str) -> Fact<bool> {
        self.convert(name, "a yes or no", |value| match value {
            Value::Bool(flag) => Some(Fact::Known(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(0) => Some(Fact::Known(false)),
                Some(1) => Some(Fact::Known(true)),
                _ => None,
            },
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(Fact::Known(true)),
                "false" | "0" => Some(Fact::Known(false)),
                "" => Some(Fact::Absent),
                _ => None,
            },
            _ => None,
        })
    }

    /// A whole number, also as text.
    pub(crate) fn number(&mut self, name: &str) -> Fact<i64> {
        self.convert(name, "a whole number", whole)
    }

    /// A whole number of 32 bits without sign.
    pub(crate) fn unsigned(&mut self, name: &str) -> Fact<u32> {
        self.convert(name, "a whole number of 32 bits", |value| {
            Some(match whole(value)? {
                Fact::Known(number) => Fact::Known(u32::try_from(number).ok()?),
                Fact::Absent => Fact::Absent,
                Fact::Unread => Fact::Unread,
            })
        })
    }

    /// A moment. Both services write a moment that never was as one long before they existed
    /// (`0001-01-01`, `1601-01-01`, `1980-01-01`): that is absent.
    pub(crate) fn time(&mut self, name: &str) -> Fact<Timestamp> {
        self.convert(name, "a time", |value| {
            let text = value.as_str()?.trim();
            if text.is_empty() {
                return Some(Fact::Absent);
            }
            let time = moment(text)?;
            Some(Fact::read((time >= DAWN).then_some(time)))
        })
    }

    /// One of the words in `table`, in any case. A word that is not there was not understood.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, table: &[(&str, T)]) -> Fact<T> {
        match self.text(name) {
            Fact::Known(text) => {
                let found = table
                    .iter()
                    .find(|(word, _)| word.eq_ignore_ascii_case(&text));
                if let Some((_, meaning)) = found {
                    Fact::Known(*meaning)
                } else {
                    let text = crate::http::failure::one_line(&text);
                    self.problems
                        .push(format!("{name} has the unknown value {text}"));
                    Fact::Unread
                }
            }
            Fact::Absent => Fact::Absent,
            Fact::Unread => Fact::Unread,
        }
    }

    /// A nested entity; what is wrong in it is noted here by [`Record::absorb`].
    pub(crate) fn object(&mut self, name: &str) -> Fact<Self> {
        match self.take(name) {
            Fact::Known(Value::Object(fields)) => Fact::Known(Self::new(fields)),
            Fact::Known(other) => self.problem(name, "an object", &other),
            Fact::Absent => Fact::Absent,
            Fact::Unread => Fact::Unread,
        }
    }

    /// A list, as it is.
    pub(crate) fn list(&mut self, name: &str) -> Fact<Vec<Value>> {
        match self.take(name) {
            Fact::Known(Value::Array(values)) => Fact::Known(values),
            Fact::Known(other) => self.problem(name, "a list", &other),
            Fact::Absent => Fact::Absent,
            Fact::Unread => Fact::Unread,
        }
    }

    /// Takes over the problems of the nested entity `name`.
    pub(crate) fn absorb(&mut self, name: &str, nested: Self) {
        let problems = nested.problems.into_iter();
        self.problems
            .extend(problems.map(|problem| format!("{name}: {problem}")));
    }
}

/// Neither service existed before.
const DAWN: Timestamp = Timestamp::constant(946_684_800, 0);

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a yes or no",
        Value::Number(_) => "a number out of range",
        Value::String(_) => "a text of another form",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn whole(value: &Value) -> Option<Fact<i64>> {
    match value {
        Value::Number(number) => number.as_i64().map(Fact::Known),
        Value::String(text) if text.trim().is_empty() => Some(Fact::Absent),
        Value::String(text) => text.trim().parse().ok().map(Fact::Known),
        _ => None,
    }
}

/// A GUID in lower case, without braces or the `GUID:` of Configuration Manager's client ids.
pub(crate) fn guid(text: &str) -> Option<Fact<String>> {
    let text = text.trim();
    let text = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("GUID:") => text[5..].trim_start(),
        _ => text,
    };
    let text = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if !formed {
        return None;
    }
    let zero = text.bytes().all(|byte| byte == b'0' || byte == b'-');
    Some(Fact::read((!zero).then(|| text.to_ascii_lowercase())))
}

/// RFC 3339, the same without a zone (which is UTC), or the form of WMI.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return Offset::UTC.to_timestamp(civil).ok();
    }
    wmi_moment(text)
}

/// `yyyymmddHHMMSS.ffffff` and the minutes from UTC, such as `20261123120000.000000+000`.
fn wmi_moment(text: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize, to: usize| i8::try_from(part(from, to)?).ok();
    let civil = DateTime::new(
        part(0, 4)?,
        small(4, 6)?,
        small(6, 8)?,
        small(8, 10)?,
        small(10, 12)?,
        small(12, 14)?,
        0,
    )
    .ok()?;
    let minutes: i32 = match text.get(21..) {
        None | Some("" | "***" | "+***") => 0,
        Some(offset) => offset.parse().ok()?,
    };
    let offset = Offset::from_seconds(minutes.checked_mul(60)?).ok()?;
    offset.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(value: Value) -> Record {
        match value {
            Value::Object(fields) => Record::new(fields),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn missing_null_and_wrong_are_three_things() {
        let mut record = record(json!({"null": null, "empty": " ", "wrong": 5, "right": " a "}));
        assert_eq!(record.text("missing"), Fact::Unread);
        assert_eq!(record.text("null"), Fact::Absent);
        assert_eq!(record.text("empty"), Fact::Absent);
        assert_eq!(record.text("wrong"), Fact::Unread);
        assert_eq!(record.text("right"), Fact::Known("a".into()));
        assert_eq!(record.into_problems().len(), 1);
    }

    #[test]
    fn a_name_is_found_in_any_case() {
        let mut record = record(json!({"ResourceId": 7}));
        assert_eq!(record.unsigned("ResourceID"), Fact::Known(7));
    }

    #[test]
    fn a_guid_is_known_in_every_spelling() {
        let plain = "0a1b2c3d-0000-4000-8000-00000000000f";
        for text in [
            plain,
            "0A1B2C3D-0000-4000-8000-00000000000F",
            "GUID:0a1b2c3d-0000-4000-8000-00000000000f",
            "guid: {0A1B2C3D-0000-4000-8000-00000000000F}",
        ] {
            assert_eq!(guid(text), Some(Fact::Known(plain.into())), "{text}");
        }
        assert_eq!(
            guid("00000000-0000-0000-0000-000000000000"),
            Some(Fact::Absent)
        );
        for text in [
            "",
            "GUID:",
            "0a1b2c3d",
            "é0a1b2c-0000-4000-8000-00000000000f",
        ] {
            assert_eq!(guid(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_read_in_every_form_and_before_the_services_it_never_was() {
        let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-23T12:00:00Z", Fact::Known(noon)),
            ("2026-11-23T13:00:00+01:00", Fact::Known(noon)),
            ("2026-11-23T12:00:00", Fact::Known(noon)),
            ("20261123120000.000000+000", Fact::Known(noon)),
            ("20261123130000.000000+060", Fact::Known(noon)),
            ("20261123120000.000000+***", Fact::Known(noon)),
            ("0001-01-01T00:00:00Z", Fact::Absent),
            ("1980-01-01T00:00:00Z", Fact::Absent),
            ("", Fact::Absent),
            ("yesterday", Fact::Unread),
        ] {
            let mut record = record(json!({ "at": text }));
            assert_eq!(record.time("at"), expected, "{text}");
        }
    }
}
