//! What tests have measured, for people to read: `tests/run` shows it at its end.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Notes a line.
pub fn note(line: &str) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures.txt");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    writeln!(file, "{line}").unwrap();
}
