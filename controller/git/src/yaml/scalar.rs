//! What a plain scalar means.

/// What YAML 1.2's core schema takes a plain scalar for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain<'t> {
    /// Nothing: empty, `~`, `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Everything else.
    Text(&'t str),
}

/// What a YAML 1.1 reader may take a plain scalar for, although text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistaken {
    /// `~`, `null`
    Null,
    /// `NO`, `on`, `y`
    Bool,
    /// `1e3`, `1.10`, `0x1F`, `16:00`
    Number,
    /// `2026-11-22`
    Time,
}

impl Mistaken {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Time => "a time",
        }
    }
}

/// Reads a plain scalar by the core schema.
pub fn plain(text: &str) -> Plain<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        _ => integer(text)
            .map(Plain::Integer)
            .or_else(|| float(text).map(Plain::Float))
            .unwrap_or(Plain::Text(text)),
    }
}

/// What a YAML 1.1 reader takes a plain scalar for, if not for text.
pub fn mistaken(text: &str) -> Option<Mistaken> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Mistaken::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "true" | "True"
        | "TRUE" | "false" | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => {
            Some(Mistaken::Bool)
        }
        _ if is_number(text) => Some(Mistaken::Number),
        _ if is_time(text) => Some(Mistaken::Time),
        _ => None,
    }
}

fn integer(text: &str) -> Option<i128> {
    let radix = |digits: &str, radix| {
        let plain = digits.chars().all(|c| c.is_digit(radix));
        plain.then(|| i128::from_str_radix(digits, radix).ok())?
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    // `017` is 17 to YAML 1.2 and 15 to YAML 1.1: nobody can mean it.
    let plain = all_digits(digits) && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if text == unsigned => Some(f64::NAN),
        _ if is_decimal(unsigned) => text.parse().ok(),
        _ => None,
    }
}

/// Whether a text without its sign is written as a decimal number, with or without fraction and
/// exponent.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    !(whole.is_empty() && fraction.is_empty())
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
        && exponent.is_none_or(all_digits)
}

/// Whether any YAML reader takes the text for a number: with `_` between digits, in base 2, 8, 16
/// or 60, infinite, or none at all.
fn is_number(text: &str) -> bool {
    let signless = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts = signless.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !starts {
        return false;
    }
    let unsigned = signless.replace('_', "");
    let based = |prefix: &str, radix| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)))
    };
    is_decimal(&unsigned)
        || based("0x", 16)
        || based("0o", 8)
        || based("0b", 2)
        || is_sexagesimal(&unsigned)
        || float(&unsigned).is_some()
}

/// `16:00` is 960, and `1:30.5` is 90.5, in YAML 1.1; `08:00` is text, for it begins with a zero.
fn is_sexagesimal(unsigned: &str) -> bool {
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let mut rest = parts.peekable();
    rest.peek().is_some()
        && all_digits(first)
        && (fraction.is_some() || !first.starts_with('0'))
        && fraction.is_none_or(|fraction| fraction.bytes().all(|b| b.is_ascii_digit()))
        && rest.all(|part| all_digits(part) && part.len() <= 2 && (part.len() == 1 || part < "60"))
}

/// `2026-11-22`, or a date and a time as YAML 1.1 knows them.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    if !(digits(0..4) && bytes.get(4) == Some(&b'-')) {
        return false;
    }
    let mut date = text.splitn(2, ['T', 't', ' ', '\t']);
    let day = date.next().unwrap_or_default();
    let mut parts = day.split('-').skip(1);
    let short = |part: Option<&str>| part.is_some_and(|part| all_digits(part) && part.len() <= 2);
    let is_date = short(parts.next()) && short(parts.next()) && parts.next().is_none();
    match date.next() {
        None => is_date && day.len() == "2026-11-22".len(),
        Some(time) => is_date && is_time_of_day(time.trim_start_matches([' ', '\t'])),
    }
}

fn is_time_of_day(text: &str) -> bool {
    let zone = text
        .find(['Z', 'z', '+', '-', ' ', '\t'])
        .unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let two = |part: Option<&str>| part.is_some_and(|part| all_digits(part) && part.len() <= 2);
    two(parts.next())
        && two(parts.next())
        && two(parts.next())
        && parts.next().is_none()
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && zone
            .trim_start_matches([' ', '\t'])
            .trim_start_matches(['Z', '+', '-'])
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b':')
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_core_schema_decides_what_a_plain_scalar_is() {
        assert_eq!(plain("~"), Plain::Null);
        assert_eq!(plain("True"), Plain::Bool(true));
        assert_eq!(plain("-7"), Plain::Integer(-7));
        assert_eq!(plain("0x1F"), Plain::Integer(31));
        assert_eq!(plain("0o17"), Plain::Integer(15));
        assert_eq!(plain("1.5"), Plain::Float(1.5));
        assert_eq!(plain("1e3"), Plain::Float(1000.0));
        assert_eq!(plain("-.inf"), Plain::Float(f64::NEG_INFINITY));
        for text in [
            "yes",
            "1_000",
            "20%",
            "10.0.22631",
            "e3",
            ".",
            "-",
            "0x",
            "1e",
            "inf",
            "nan",
        ] {
            assert_eq!(plain(text), Plain::Text(text), "{text}");
        }
    }

    #[test]
    fn what_yaml_1_1_takes_for_something_else_is_known() {
        let cases = [
            (Mistaken::Null, "~ null Null NULL"),
            (Mistaken::Bool, "NO on y N Yes off TRUE false"),
            (
                Mistaken::Number,
                "1e3 1.10 0x1F 0b11 0o17 017 1_000 16:00 190:20:30 1:30.5 .5 5. -3 +1 .inf -.INF .nan 12e03 1E+5",
            ),
            (
                Mistaken::Time,
                "2026-11-22 2026-11-22T08:00:00Z 2001-12-14t21:59:43.10-05:00 2001-12-14",
            ),
        ];
        for (expected, texts) in cases {
            for text in texts.split(' ') {
                assert_eq!(mistaken(text), Some(expected), "{text}");
            }
        }
        assert_eq!(mistaken("2001-12-14 21:59:43.10 -5"), Some(Mistaken::Time));
    }

    #[test]
    fn text_that_no_reader_mistakes_needs_no_quotes() {
        for text in [
            "PS1",
            "PS100021",
            "10.0.22631",
            "nope",
            "Norway",
            "08:00",
            "20%",
            "14d",
            "1h30m",
            "FR",
            "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10",
            "2026-11",
            "20261-11-22",
            "16:75",
            "16:00:",
            "-",
            "1.2.3",
            "Latitude 7*",
            "0x",
            "0xG1",
            "None",
            "_1",
            "e3",
            "2026-11-22x",
            "12:34:56 and more",
        ] {
            assert_eq!(mistaken(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_text_to_us_is_no_text_to_yaml_1_1(text in "[-+0-9a-fxoeE.:_~]{0,8}") {
            if plain(&text) != Plain::Text(&text) {
                prop_assert!(mistaken(&text).is_some(), "{}", text);
            }
        }

        #[test]
        fn every_number_that_rust_writes_is_taken_for_one(number in any::<f64>(), whole in any::<i64>()) {
            prop_assume!(number.is_finite());
            prop_assert_eq!(mistaken(&number.to_string()), Some(Mistaken::Number));
            prop_assert_eq!(mistaken(&format!("{number:e}")), Some(Mistaken::Number));
            let whole_text = whole.to_string();
            prop_assert_eq!(plain(&whole_text), Plain::Integer(whole.into()));
        }
    }
}
