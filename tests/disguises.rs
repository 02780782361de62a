//! The forms in which a secret travels, and in which it could be written somewhere.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};

/// Pieces that give a secret away.
pub fn forms(secret: &str) -> Vec<String> {
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let escaped = serde_json::json!(secret).to_string();
    let escaped_twice = serde_json::json!(escaped).to_string();
    let percent = percent(secret);
    let mut forms = vec![
        secret.to_owned(),
        hex(secret.as_bytes()),
        hex(&wide),
        format!("{:?}", secret.as_bytes()),
        format!("{wide:?}"),
        escaped.trim_matches('"').to_owned(),
        escaped_twice.trim_matches(['"', '\\']).to_owned(),
        percent.replace("%20", "+"),
        percent,
    ];
    for encoding in [BASE64_STANDARD, BASE64_URL_SAFE] {
        for at in 0..3 {
            forms.push(piece_in_base64(&encoding, secret.as_bytes(), at));
            forms.push(piece_in_base64(&encoding, &wide, at));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// As in an address or a form.
fn percent(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02x}"),
    });
    bytes.collect()
}

/// What of the base64 of a longer text is the same whatever stands before and after `bytes` in it,
/// if so many bytes stand before it, in threes.
fn piece_in_base64(encoding: &impl Engine, bytes: &[u8], before: usize) -> String {
    let text = [&vec![0; before][..], bytes].concat();
    let encoded = encoding.encode(&text);
    let whole = text.len() * 8 / 6;
    encoded[(before * 8).div_ceil(6)..whole].to_owned()
}

#[test]
fn a_secret_is_found_wherever_it_stands_in_base64() {
    for secret in ["p4ssw0rd", "p4ssw0rd+", "p4ssw0rd+/"] {
        let forms = forms(secret);
        for before in ["", "a", "ab", "abc", "fleet-reader:"] {
            for after in ["", "z", "zy", "zyx"] {
                let text = BASE64_STANDARD.encode(format!("{before}{secret}{after}"));
                let found = forms.iter().any(|form| text.contains(form.as_str()));
                assert!(found, "{before}{secret}{after}");
            }
        }
        let innocent = BASE64_STANDARD.encode("fleet-reader:an0ther-word");
        assert!(!forms.iter().any(|form| innocent.contains(form.as_str())));
    }
}
