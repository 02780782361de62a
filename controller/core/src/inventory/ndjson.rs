//! Inventory files: one device a line.

use std::collections::HashMap;
use std::fmt;

use crate::code::Code;
use crate::inventory::Device;

/// A line of an inventory file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProblem {
    /// Its number, from 1.
    pub line: usize,
    /// The column, from 1, where that is known.
    pub column: usize,
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub remedy: String,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            code,
            problem,
            remedy,
        } = self;
        write!(f, "{line}:{column}: {code}: {problem}: {remedy}")
    }
}

/// What some editors and shells put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads an inventory file. Empty lines are nothing, and so is a byte-order mark at its beginning.
///
/// # Errors
///
/// Every line that does not parse, has a wrong type or repeats an id; nothing is read from half a
/// file.
pub fn read(bytes: &[u8]) -> Result<Vec<Device>, Vec<LineProblem>> {
    let mut devices = Vec::new();
    let mut problems = Vec::new();
    let mut lines_of: HashMap<String, usize> = HashMap::new();
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    for (at, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = at + 1;
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<Device>(text) {
            Ok(device) if device.id.is_empty() => problems.push(nameless(line)),
            Ok(device) => {
                if let Some(first) = lines_of.insert(device.id.clone(), line) {
                    problems.push(duplicate(line, first, &device.id));
                }
                devices.push(device);
            }
            Err(error) => problems.push(unreadable(line, text, &error)),
        }
    }
    if problems.is_empty() {
        Ok(devices)
    } else {
        Err(problems)
    }
}

fn duplicate(line: usize, first: usize, id: &str) -> LineProblem {
    LineProblem {
        line,
        column: 1,
        code: Code::InventoryDuplicate,
        problem: format!("device `{id}` stands in line {first} already"),
        remedy: "keep one line for each device".to_owned(),
    }
}

fn nameless(line: usize) -> LineProblem {
    LineProblem {
        line,
        column: 1,
        code: Code::InventoryLine,
        problem: "this is no device: its `id` is empty".to_owned(),
        remedy: "write the id that `diarchy inventory export` gives it".to_owned(),
    }
}

fn unreadable(line: usize, text: &[u8], error: &serde_json::Error) -> LineProblem {
    let message = error.to_string();
    // The library adds its own position, which counts lines within the one line it was given.
    let problem = message
        .split_once(" at line ")
        .map_or(message.as_str(), |(problem, _)| problem);
    LineProblem {
        line,
        column: error.column().clamp(1, text.len().max(1)),
        code: Code::InventoryLine,
        problem: format!("this is no device: {problem}"),
        remedy: "write one JSON object a line, as `diarchy inventory export` does".to_owned(),
    }
}

/// The devices as an inventory file, in the order given.
///
/// # Panics
///
/// Never: every device is representable as JSON.
#[must_use]
pub fn write<'a>(devices: impl IntoIterator<Item = &'a Device>) -> String {
    let mut text = String::new();
    for device in devices {
        let line = serde_json::to_string(device).expect("a device has text keys and plain values");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_line_is_named() {
        let file = concat!(
            "{\"id\":\"a\"}\n",
            "\n",
            "{\"id\":\"b\",\"name\":7}\n",
            "{\"id\":\"a\"}\r\n",
            "{\"name\":\"nameless\"}\n",
            "{\"id\":\"c\",\"joinType\":\"Blended\"}\n",
            "{\"id\":\"d\""
        );
        let problems = read(file.as_bytes()).unwrap_err();
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.code)).collect();
        assert_eq!(
            found,
            [
                (3, Code::InventoryLine),
                (4, Code::InventoryDuplicate),
                (5, Code::InventoryLine),
                (6, Code::InventoryLine),
                (7, Code::InventoryLine),
            ]
        );
        assert!(problems[1].problem.contains("line 1"));
    }

    #[test]
    fn a_byte_order_mark_is_nothing_at_the_beginning_only() {
        let file = b"\xEF\xBB\xBF{\"id\":\"a\"}\n{\"id\":\"b\"}\n";
        assert_eq!(read(file).unwrap().len(), 2);
        let inside = b"{\"id\":\"a\"}\n\xEF\xBB\xBF{\"id\":\"b\"}\n";
        assert_eq!(read(inside).unwrap_err()[0].line, 2);
    }

    #[test]
    fn an_empty_id_is_none() {
        let problems = read(b"{\"id\":\"\"}\n{\"id\":\"\"}\n").unwrap_err();
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.code)).collect();
        assert_eq!(found, [(1, Code::InventoryLine), (2, Code::InventoryLine)]);
    }

    #[test]
    fn bytes_that_are_not_text_are_an_error_and_no_panic() {
        assert_eq!(read(b"{\"id\":\"\xff\"}").unwrap_err()[0].line, 1);
    }
}
