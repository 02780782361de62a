//! Inventory files: the same plan however one is written, and nothing of a bad one.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::bench::{root, stderr, stdout};
use crate::devices::{self, NOW, laptop, of_the_example, one_in_each_state, with};
use crate::planning::{document, plan, plan_of_the_example, simulated, small_with};
use crate::repository::Repository;

#[test]
fn the_order_of_lines_their_ends_and_blank_ones_do_not_matter() {
    let text = of_the_example();
    let mut lines: Vec<&str> = text.lines().collect();
    let plain = plan_of_the_example(&root().join("examples/contoso/inventory.ndjson"), "json");
    assert_eq!(plain.status.code(), Some(1), "{}", stderr(&plain));
    let place = Repository::folder();
    let same = |what: &str, content: String| {
        let file = place.write("shuffled.ndjson", content);
        for format in ["json", "text", "markdown"] {
            let first =
                plan_of_the_example(&root().join("examples/contoso/inventory.ndjson"), format);
            let again = plan_of_the_example(&file, format);
            assert_eq!(stdout(&again), stdout(&first), "{what}, {format}");
            assert_eq!(again.status.code(), first.status.code());
        }
    };
    lines.reverse();
    same("backwards", lines.join("\n"));
    for step in [7, 11, 13] {
        let shuffled: Vec<&str> = (0..lines.len())
            .map(|at| lines[at * step % lines.len()])
            .collect();
        same("shuffled", shuffled.join("\n"));
    }
    same("CRLF", lines.join("\r\n"));
    same(
        "blank lines",
        format!("\n\n{}\n  \n\t\n\r\n", lines.join("\n\n")),
    );
    let spaced = |line: &&str| format!(" {}  ", line.replace("\":", "\" : "));
    same(
        "spaces",
        lines.iter().map(spaced).collect::<Vec<_>>().join("\n"),
    );
}

#[test]
fn a_compressed_inventory_is_known_by_its_content() {
    let text = of_the_example();
    let place = Repository::folder();
    let plain = place.write("plain.gz", &text);
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let two_frames = [
        zstd::encode_all(&text.as_bytes()[..1000], 3).unwrap(),
        zstd::encode_all(&text.as_bytes()[1000..], 3).unwrap(),
    ]
    .concat();
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let two_members = [gzip(&text[..1000]), gzip(&text[1000..])].concat();
    let expected = plan_of_the_example(&plain, "json");
    assert_eq!(expected.status.code(), Some(1), "{}", stderr(&expected));
    for (what, bytes) in [
        ("zstd", zstd),
        ("zstd in two frames", two_frames),
        ("gzip", gzip(&text)),
        ("gzip in two members", two_members),
    ] {
        let file = place.write("packed.ndjson", bytes);
        let output = plan_of_the_example(&file, "json");
        assert_eq!(stdout(&output), stdout(&expected), "{what}");
    }
}

#[test]
fn a_compressed_inventory_that_was_cut_off_is_refused() {
    let text = of_the_example();
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    for bytes in [&zstd[..zstd.len() / 2], &gzip[..gzip.len() / 2]] {
        let output = plan(&small_with(bytes), &["-o", "json"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        assert!(
            stderr(&output).starts_with("error: DIA2005: "),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let text = devices::file(&one_in_each_state());
    let plain = plan(&small_with(&text), &["-o", "json"]);
    let marked = plan(&small_with(format!("\u{FEFF}{text}")), &["-o", "json"]);
    assert_eq!(stdout(&marked), stdout(&plain), "{}", stderr(&marked));
}

#[test]
fn unknown_fields_change_nothing() {
    let devices = one_in_each_state();
    let more = |device: &Value| {
        with(
            device.clone(),
            json!({ "assetTag": "A-17", "Chassis": "Tower", "nested": { "id": "x", "list": [1, 2] } }),
        )
    };
    let plain = plan(&small_with(devices::file(&devices)), &["-o", "json"]);
    let extended: Vec<Value> = devices.iter().map(more).collect();
    let output = plan(&small_with(devices::file(&extended)), &["-o", "json"]);
    assert_eq!(stdout(&output), stdout(&plain), "{}", stderr(&output));
}

#[test]
fn what_was_not_read_is_not_what_is_not_there() {
    let devices = [
        with(laptop("unknown"), json!({ "chassis": null })),
        serde_json::from_str(&laptop("absent").to_string().replace("\"Laptop\"", "null")).unwrap(),
    ];
    let answer = document(&plan(&small_with(devices::file(&devices)), &["-o", "json"]));
    assert_eq!(answer["changes"], json!([]));
    assert_eq!(answer["blocked"].as_array().unwrap().len(), 1);
    assert_eq!(answer["blocked"][0]["device"], "unknown");
    assert_eq!(answer["blocked"][0]["reason"], "Held");
}

/// Lines that are no device, one mistake each.
const BAD_LINES: [&[u8]; 28] = [
    b"LAPTOP-0042",
    b"{\"id\":\"x\"",
    b"{\"id\":\"x\"} {\"id\":\"y\"}",
    b"{\"id\":\"x\"},",
    b"[{\"id\":\"x\"}]",
    b"\"x\"",
    b"null",
    b"7",
    b"{}",
    b"{\"name\":\"nameless\"}",
    b"{\"id\":\"\"}",
    b"{\"id\":null}",
    b"{\"id\":7}",
    b"{\"id\":\"x\",\"name\":7}",
    b"{\"id\":\"x\",\"name\":\"a\",\"name\":\"b\"}",
    b"{\"id\":\"x\",\"name\":\"\xff\"}",
    b"{\"id\":\"x\",\"server\":\"no\"}",
    b"{\"id\":\"x\",\"joinType\":\"Blended\"}",
    b"{\"id\":\"x\",\"mdm\":\"intune\"}",
    b"{\"id\":\"x\",\"lastSync\":\"yesterday\"}",
    b"{\"id\":\"x\",\"entraGroups\":\"all\"}",
    b"{\"id\":\"x\",\"labels\":[\"a\"]}",
    b"{\"id\":\"x\",\"configurationManager\":{\"resourceId\":-1}}",
    b"{\"id\":\"x\",\"configurationManager\":{\"resourceId\":4294967296}}",
    b"{\"id\":\"x\",\"assigned\":{\"Printing\":[]}}",
    b"{\"id\":\"x\",\"assigned\":{\"ClientApps\":[\"somebody\"]}}",
    b"{\"id\":\"x\",\"observed\":[\"Printing\"]}",
    b"{\"id\":\"first\"}",
];

#[test]
fn every_bad_line_is_told_by_its_number_and_nothing_is_planned() {
    let mut content = devices::file(&[laptop("first")]).into_bytes();
    for line in BAD_LINES {
        content.extend(b"\n");
        content.extend(line);
    }
    content.extend(format!("\n{}\n", laptop("last")).bytes());
    for format in ["json", "text", "markdown"] {
        let output = plan(&small_with(&content), &["-o", format]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert_eq!(stdout(&output), "", "{format}");
        let told = stderr(&output);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), BAD_LINES.len() + 1, "{told}");
        for (at, line) in lines.iter().take(BAD_LINES.len()).enumerate() {
            let place = format!("devices.ndjson:{}:", at + 3);
            assert!(line.starts_with(&place), "{line} should begin with {place}");
            let code = if at + 1 == BAD_LINES.len() {
                "DIA2007"
            } else {
                "DIA2006"
            };
            assert!(line.contains(&format!(": {code}: ")), "{line}");
        }
        assert_eq!(
            lines[BAD_LINES.len()],
            "error: devices.ndjson cannot be used"
        );
    }
}

#[test]
fn each_bad_line_alone_is_enough() {
    let place = Repository::small();
    for line in BAD_LINES {
        let first = devices::file(&[laptop("first")]).into_bytes();
        place.write("devices.ndjson", [&first, line].concat());
        let output = plan(&place, &["-o", "json"]);
        let told = stderr(&output);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{}",
            String::from_utf8_lossy(line)
        );
        assert!(told.starts_with("devices.ndjson:2:"), "{told}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_missing_inventory_is_refused() {
    let repository = Repository::small();
    let output = plan(&repository, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("error: DIA2005: `devices.ndjson` "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_empty_inventory_changes_nothing() {
    let output = plan(&small_with(""), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answer = document(&output);
    assert_eq!(answer["counts"]["devices"], 0);
    assert_eq!(answer["changes"], json!([]));
    let text = plan(&small_with(""), &[]);
    assert!(
        stdout(&text).ends_with("Nothing would change.\n"),
        "{}",
        stdout(&text)
    );
}

#[test]
fn what_was_exported_is_planned_as_what_was_read() {
    let exported = simulated(&["inventory", "export"]);
    assert_eq!(exported.status.code(), Some(0), "{}", stderr(&exported));
    let place = Repository::folder();
    let file = place.write("devices.ndjson", &exported.stdout);
    let from_estate = simulated(&["plan", "-o", "json", "--now", NOW]);
    let from_file = plan_of_the_example(&file, "json");
    assert_eq!(stdout(&from_file), stdout(&from_estate));
    assert_eq!(from_file.status.code(), Some(1), "{}", stderr(&from_file));
}

#[test]
fn an_export_that_cannot_be_written_is_told_with_its_place() {
    let output = simulated(&["inventory", "export", "-o", "/nowhere/devices.ndjson"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(
        told.starts_with("error: DIA2012: `/nowhere/devices.ndjson` "),
        "{told}"
    );
}

#[test]
fn an_export_can_be_compressed_and_written_to_a_file() {
    let place = Repository::folder();
    let file = place.file("devices.ndjson.zst");
    let packed = simulated(&[
        "inventory",
        "export",
        "--zstd",
        "-o",
        file.to_str().unwrap(),
    ]);
    assert_eq!(packed.status.code(), Some(0), "{}", stderr(&packed));
    assert_eq!(stdout(&packed), "");
    assert!(
        stderr(&packed).contains("wrote 50 devices to "),
        "{}",
        stderr(&packed)
    );
    let bytes = std::fs::read(&file).unwrap();
    let text = zstd::decode_all(bytes.as_slice()).unwrap();
    assert_eq!(devices::read(&String::from_utf8(text).unwrap()).len(), 50);
    assert_eq!(plan_of_the_example(&file, "json").status.code(), Some(1));
}
