//! Text out of bytes.

use diarchy_core::code::Code;

use super::MAX_FILE_BYTES;
use crate::diagnostic::{Position, Problem};

/// The text of a file, without a byte-order mark.
///
/// # Errors
/// The one thing that is wrong with the file as a whole: its size, its encoding, or a character
/// that YAML does not allow.
pub fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    match text.char_indices().find(|(_, c)| !is_printable(*c)) {
        None => Ok(text),
        Some((at, character)) => Err(Problem::new(
            Position::behind(&text[..at]),
            Code::Syntax,
            format!(
                "YAML does not allow the character U+{:04X}",
                u32::from(character)
            ),
            "remove it, or write it as an escape in double quotes",
        )),
    }
}

/// What is said of a file of `size` bytes that is too large.
pub fn too_large(size: u64) -> Problem {
    Problem::new(
        Position::START,
        Code::FileTooLarge,
        format!("the file has {size} bytes, and at most {MAX_FILE_BYTES} are read"),
        "split it into smaller files",
    )
}

fn not_utf8(bytes: &[u8], valid: usize) -> Problem {
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let utf16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    let problem = if utf16 {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        format!("the byte 0x{:02X} is not UTF-8", bytes[valid])
    };
    Problem::new(
        Position::behind(&before),
        Code::NotUtf8,
        problem,
        "save the file as UTF-8",
    )
}

/// The characters that a YAML stream may hold (YAML 1.2.2, production `c-printable`).
///
/// The parser ends a text at a NUL without a word: what follows would be lost.
const fn is_printable(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
        | '\u{10000}'..='\u{10FFFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> (usize, usize, Code) {
        let problem = text(bytes).unwrap_err();
        (problem.position.line, problem.position.column, problem.code)
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(text("\u{FEFF}a: b".as_bytes()), Ok("a: b"));
        assert_eq!(problem(b"\xEF\xBB\xBF\xFF"), (1, 1, Code::NotUtf8));
    }

    #[test]
    fn the_first_bad_byte_is_pointed_at() {
        assert_eq!(problem(b"a: b\nc: \xE9t\xE9"), (2, 4, Code::NotUtf8));
        assert_eq!(
            problem("é: é".as_bytes().split_last().unwrap().1),
            (1, 4, Code::NotUtf8)
        );
        assert_eq!(problem(b"\xFF\xFEa\0"), (1, 1, Code::NotUtf8));
    }

    #[test]
    fn characters_that_yaml_does_not_allow_are_pointed_at() {
        assert_eq!(problem(b"a: b\n\0c: d"), (2, 1, Code::Syntax));
        assert_eq!(problem(b"a: \x1B[0m"), (1, 4, Code::Syntax));
    }

    #[test]
    fn a_file_may_have_a_mebibyte() {
        assert!(text(&vec![b' '; MAX_FILE_BYTES]).is_ok());
        assert_eq!(
            problem(&vec![b' '; MAX_FILE_BYTES + 1]),
            (1, 1, Code::FileTooLarge)
        );
    }
}
