//! The `allowed_signers` file of ssh-keygen: who may sign, with which key, for what, and when.

use std::str::FromStr as _;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

/// One line: somebody's key.
#[derive(Debug, Clone)]
pub struct AllowedSigner {
    /// Who it is; patterns and several names as they are written.
    pub principals: String,
    pub key: KeyData,
    /// For what it counts; empty is everything.
    pub namespaces: Vec<String>,
    /// From when, in seconds since 1970.
    pub valid_after: Option<i64>,
    /// Until when.
    pub valid_before: Option<i64>,
}

/// Reads a file. Each problem is said with its line.
pub fn read(text: &str) -> Result<Vec<AllowedSigner>, (usize, String)> {
    let mut signers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        signers.push(signer(line).map_err(|problem| (at + 1, problem))?);
    }
    Ok(signers)
}

/// Reads public keys alone, each a line, as in a file of keys that were revoked.
pub fn read_keys(text: &str) -> Result<Vec<KeyData>, (usize, String)> {
    let mut keys = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = PublicKey::from_openssh(line)
            .map_err(|_| (at + 1, "it is no public key of SSH".to_owned()))?;
        keys.push(key.key_data().clone());
    }
    Ok(keys)
}

/// Whether a text may be such a file: a line of it has a kind of key where one belongs.
pub fn is_one(text: &str) -> bool {
    text.lines()
        .any(|line| words(line).iter().skip(1).take(2).any(|word| is_kind(word)))
}

fn signer(line: &str) -> Result<AllowedSigner, String> {
    let words = words(line);
    let mut rest = words.iter();
    let principals = rest.next().map(|word| unquoted(word)).unwrap_or_default();
    let mut options = "";
    let mut kind = rest.next().copied().unwrap_or_default();
    if !is_kind(kind) {
        options = kind;
        kind = rest.next().copied().unwrap_or_default();
    }
    let key = rest.next().copied().unwrap_or_default();
    if !is_kind(kind) {
        return Err("it is not written as principals, options, kind of key, key".to_owned());
    }
    let key = PublicKey::from_str(&format!("{kind} {key}"))
        .map_err(|_| "the key cannot be read".to_owned())?;
    let mut signer = AllowedSigner {
        principals: principals.to_owned(),
        key: key.key_data().clone(),
        namespaces: Vec::new(),
        valid_after: None,
        valid_before: None,
    };
    for option in split(options, ',') {
        signer.take(option)?;
    }
    Ok(signer)
}

impl AllowedSigner {
    fn take(&mut self, option: &str) -> Result<(), String> {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let value = unquoted(value);
        match key.to_lowercase().as_str() {
            "" => {}
            "namespaces" => self.namespaces = value.split(',').map(ToOwned::to_owned).collect(),
            "valid-after" => self.valid_after = Some(time(value)?),
            "valid-before" => self.valid_before = Some(time(value)?),
            "cert-authority" => {
                return Err(
                    "certificates of signers are not read: give each signer's own key".to_owned(),
                );
            }
            other => return Err(format!("`{other}` is no option of a signer")),
        }
        Ok(())
    }

    /// Whether the key counts for `namespace`.
    pub fn is_for(&self, namespace: &str) -> bool {
        self.namespaces.is_empty()
            || self
                .namespaces
                .iter()
                .any(|pattern| diarchy_core::glob::matches(pattern, namespace))
    }
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with or without `Z`. Always UTC: where a machine
/// is must not decide who is trusted.
fn time(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches('Z');
    let format = match digits.len() {
        8 => "%Y%m%d",
        12 => "%Y%m%d%H%M",
        14 => "%Y%m%d%H%M%S",
        _ => "",
    };
    let parsed = match digits.len() {
        8 => jiff::civil::Date::strptime(format, digits).map(|date| date.at(0, 0, 0, 0)),
        _ => DateTime::strptime(format, digits),
    };
    parsed
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|time| time.timestamp().as_second())
        .map_err(|_| format!("`{text}` is no time: write it like 20261231 or 20261231235959"))
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|kind| word.starts_with(kind))
}

/// The words of a line; white space within quotes is no end of one.
fn words(line: &str) -> Vec<&str> {
    split(line, ' ')
        .into_iter()
        .flat_map(|word| split(word, '\t'))
        .collect()
}

/// The pieces between separators that are not within quotes, without empty ones.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        if character == '"' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            pieces.push(&text[begin..at]);
            begin = at + separator.len_utf8();
        }
    }
    pieces.push(&text[begin..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn one(line: &str) -> AllowedSigner {
        let mut signers = read(line).unwrap();
        assert_eq!(signers.len(), 1, "{line}");
        signers.remove(0)
    }

    #[test]
    fn a_line_is_read_as_ssh_keygen_reads_it() {
        let plain = one(&format!("lena@contoso.com {KEY} her laptop"));
        assert_eq!(plain.principals, "lena@contoso.com");
        assert!(plain.is_for("git") && plain.is_for("file"));
        let options = one(&format!(
            "\"lena,paul\" namespaces=\"git,file\",valid-after=\"20260101\",valid-before=20261231235959Z {KEY}"
        ));
        assert_eq!(options.principals, "lena,paul");
        assert!(options.is_for("git") && !options.is_for("email"));
        assert_eq!(options.valid_after, Some(1_767_225_600));
        assert_eq!(options.valid_before, Some(1_798_761_599));
        assert_eq!(
            one(&format!("l\tvalid-after=\"202601010000\"\t{KEY}")).valid_after,
            Some(1_767_225_600)
        );
        assert_eq!(read("# nobody\n\n").unwrap().len(), 0);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for (line, says) in [
            ("lena", "is not written as"),
            ("lena ssh-ed25519", "cannot be read"),
            ("lena ssh-ed25519 AAAA", "cannot be read"),
            (
                &format!("lena cert-authority {KEY}"),
                "certificates of signers",
            ),
            (&format!("lena no-touch-required {KEY}"), "no option"),
            (&format!("lena valid-before=tomorrow {KEY}"), "no time"),
        ] {
            let (number, problem) = read(&format!("\n{line}")).unwrap_err();
            assert_eq!(number, 2);
            assert!(problem.contains(says), "{line}: {problem}");
        }
    }

    #[test]
    fn the_file_is_told_from_others() {
        assert!(is_one(&format!("# x\nlena {KEY}")));
        assert!(is_one(&format!("lena namespaces=\"git\" {KEY}")));
        assert!(!is_one(KEY));
        assert!(!is_one("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ=="));
    }
}
