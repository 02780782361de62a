//! Values that a field may be given by mistake, or just so.

use serde_json::{Value, json};

const WORDS: [&str; 23] = [
    "Contoso",
    "é",
    "\u{212a}",
    "a.b",
    "a..b",
    "-a",
    "a\nb",
    "a\u{0}b",
    "NO",
    "Intune",
    "ResourceAccess",
    "In",
    "Exists",
    "lastSync",
    "labels/x",
    "labels/",
    "labels/a\nb",
    "osVersion",
    "enrolledAt",
    "joinType",
    "hybridjoined",
    "HybridJoined",
    "Healthy",
];

const ADDRESSES: [&str; 46] = [
    "https://",
    "https://x",
    "http://x",
    "HTTPS://x",
    "https:x",
    "https:///x",
    "https://u:p@x",
    "https://@x",
    "https://x/@y",
    " https://x",
    "https://x ",
    "https://a b",
    "https://a\\b",
    "https://x/a b",
    "https://x/\t",
    "https://x:99999",
    "https://x:/",
    "https://x?y",
    "https://x#y",
    "https://x%20y",
    "https://x\u{a0}y",
    "https://x/\u{a0}",
    "https://x/\u{2028}",
    "https://m\u{fc}nchen.de/",
    "https://[::1]:8443/x",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]",
    "http://localhost:80",
    "http://localhost:",
    "http://localhost:x",
    "http://LOCALHOST",
    "http://localhost.",
    "http://localhost@evil.com",
    "http://localhost.evil.com",
    "http://a.localhost:1/x?y#z",
    "http://127.0.0.1/x",
    "http://127.0.0.1.",
    "http://127.0.0.256",
    "http://127.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://127.0.0.1.evil.com",
    "http://evil.com/127.0.0.1",
    "http://x.127.0.0.1",
    "http://evil.com#localhost",
    "ftp://x",
];

const TIMES: [&str; 24] = [
    "2026-12-15",
    "2026-12-15T00:00:00",
    "2026-12-15T00:00Z",
    "2026-12-15 00:00:00Z",
    "2026-12-15t00:00:00Z",
    "2026-12-15T00:00:00z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-12-15T24:00:00Z",
    "2026-12-15T23:60:00Z",
    "2026-12-15T23:59:60Z",
    "2026-12-15T00:00:00.5Z",
    "2026-12-15T00:00:00.123456789+02:00",
    "2026-12-15T00:00:00.1234567890Z",
    "2026-12-15T00:00:00.Z",
    "2026-12-15T00:00:00,5Z",
    "2026-12-15T00:00:00+23:59",
    "2026-12-15T00:00:00+24:00",
    "2026-12-15T00:00:00-00:00",
    "0000-12-15T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:00",
];

const AMOUNTS: [&str; 20] = [
    "5%", "0%", "0.0%", "00%", "0.01%", "00.10%", "05%", "10.0%", "2.5%", "2.555%", "0.%", ".5%",
    "99.99%", "100%", "100.00%", "100.1%", "101%", "-5%", "5 %", "5",
];

const DURATIONS: [&str; 20] = [
    "0",
    "0s",
    "00s",
    "0m0s",
    "1d",
    "1.5h",
    "1h0m",
    "1h 30m",
    "0h0.1s",
    "-1h",
    "1.s",
    ".5s",
    "5",
    "5x",
    "1w",
    "1µs",
    "1μs",
    "1ms1ms",
    "0.0000000001ns",
    "999999999999999999999d",
];

const VERSIONS: [&str; 12] = [
    "10",
    "10.0",
    "10.0.16298",
    "10.0.16299",
    "10.0.22631.4317",
    "1..2",
    ".1",
    "1.",
    "v1",
    "1.0-rc",
    "123456789012345678.1",
    "1234567890123456789.1",
];

const OTHERS: [&str; 16] = [
    "08:00",
    "24:00",
    "23:60",
    "8:00",
    "08:00:00",
    "UTC",
    "Europe/Nowhere",
    "europe/paris",
    "PS1",
    "ps1000ab",
    "PS1000GG",
    "PS1000211",
    "7B1F2C1E-5A1D-4D6E-9A51-1F0F4B3F9A10",
    "7b1f2c1e5a1d4d6e9a511f0f4b3f9a10",
    "{7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10}",
    "HybridJoined",
];

/// What no field may hold, or many may: of every type, and the ends of ranges.
fn any_type() -> Vec<Value> {
    let texts = [
        String::new(),
        " ".to_owned(),
        "x".to_owned(),
        "x".repeat(300),
    ];
    let mut values = vec![
        json!(0),
        json!(-1),
        json!(1),
        json!(1.0),
        json!(2.5),
        json!(1e300),
        json!(2_147_483_648_i64),
        json!(4_294_967_296_i64),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!(["x"]),
        json!([1]),
        json!([[]]),
        json!([null]),
        json!({ "x": 1 }),
    ];
    values.extend(texts.map(Value::String));
    values
}

/// Values to try where `value` stands: of every type, and those that look like it. A long run tries
/// everything everywhere.
pub fn instead_of(value: &Value) -> Vec<Value> {
    let texts: Vec<&str> = if std::env::var_os("DIARCHY_LONG").is_some() {
        forms()
            .into_iter()
            .flat_map(|(texts, _)| texts)
            .copied()
            .collect()
    } else {
        let looks = |look: fn(&str) -> bool| value.as_str().is_some_and(look);
        let alike = forms().into_iter().find(|(_, look)| looks(*look));
        alike.map_or(&[][..], |(texts, _)| texts).to_vec()
    };
    let mut values = any_type();
    values.extend(texts.into_iter().map(|text| json!(text)));
    values
}

type Form = (&'static [&'static str], fn(&str) -> bool);

/// Values by what they look like; the first that fits is meant.
fn forms() -> [Form; 7] {
    [
        (&ADDRESSES, |text| text.starts_with("https:")),
        (&TIMES, |text| text.contains('T') && text.ends_with('Z')),
        (&AMOUNTS, |text| text.ends_with('%')),
        (&DURATIONS, |text| {
            text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['d', 'h', 'm', 's'])
        }),
        (&VERSIONS, |text| text.starts_with("10.")),
        (&OTHERS, |text| {
            text.contains(['/', ':']) || text.len() == 36 || text.starts_with("PS")
        }),
        (&WORDS, |text| !text.is_empty()),
    ]
}
