//! What people see: colours that obey `NO_COLOR` and a pipe, tables, numbers.

mod number;
mod table;

pub use number::{count, plural};
pub use table::Table;

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::ERROR;

/// How a heading looks.
pub const HEADING: Style = Style::new().bold();
/// How what is well looks.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// How what wants attention looks.
pub const NOTICE: Style = AnsiColor::Yellow.on_default();
/// How what is not so important looks.
pub const FAINT: Style = Style::new().dimmed();

/// `text` in `style`; the stream that it is written to takes the style out where it must.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text of somebody else's making on one line, with nothing in it that moves a cursor.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{FFFD}")
}

/// A moment for people, to the second.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes a line to standard output.
///
/// # Errors
///
/// Whatever the stream answers, a closed pipe above all.
pub fn line(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{text}")
}

/// Writes a table to standard output.
///
/// # Errors
///
/// Whatever the stream answers.
pub fn table(table: &Table) -> io::Result<()> {
    let lines = table.lines();
    let mut lines = lines.iter();
    if let Some(heading) = lines.next() {
        line(&styled(HEADING, heading))?;
    }
    lines.try_for_each(|text| line(text))
}

/// Writes a value to standard output as one indented JSON document.
///
/// # Errors
///
/// Whatever the stream answers.
pub fn json(value: &impl Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)
}

/// Writes a line to standard error. Nobody can be told if that fails.
pub fn line_on_stderr(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes an error to standard error.
pub fn error(text: &str) {
    line_on_stderr(&format!("{}: {text}", styled(ERROR, "error")));
}

/// Writes something worth knowing to standard error.
pub fn note(text: &str) {
    line_on_stderr(&format!("{}: {text}", styled(NOTICE, "note")));
}
