//! Every code has its page in `docs/errors`, and every page its code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use diarchy_core::code::Code;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn page(code: Code) -> String {
    let path = folder().join(format!("{code}.md"));
    assert!(path.is_file(), "{} is missing", path.display());
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn every_code_has_a_page_that_begins_with_its_title() {
    for code in Code::ALL {
        let text = page(*code);
        let heading = text.lines().next().unwrap_or_default();
        assert_eq!(heading, format!("# {code}: {}", code.title()));
    }
}

#[test]
fn every_page_has_a_code() {
    let pages: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let expected: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, expected);
}

#[test]
fn the_index_lists_every_code_in_order_and_nothing_else() {
    let index = fs::read_to_string(folder().join("README.md")).unwrap();
    let rows: Vec<&str> = index
        .lines()
        .filter(|line| line.starts_with("| ["))
        .collect();
    let expected: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("| [{code}]({code}.md) | {} |", code.title()))
        .collect();
    assert_eq!(rows, expected);
}

/// A page of the first thousand shows what is printed, as it is printed, and how to mend it.
#[test]
fn a_page_about_a_repository_shows_the_message_and_the_remedy() {
    for code in Code::ALL.iter().filter(|code| code.number() < 2000) {
        let text = page(*code);
        let is_shown = text.lines().any(|line| is_message_of(line, *code));
        assert!(is_shown, "{code}: no line like file:1:2: {code}: …");
        assert!(text.contains("\n## How to mend it\n"), "{code}");
    }
}

/// Whether a line reads `file:line:column: DIA1xxx: problem: remedy`.
fn is_message_of(line: &str, code: Code) -> bool {
    let Some((position, message)) = line.split_once(&format!(": {code}: ")) else {
        return false;
    };
    let mut parts = position.rsplitn(3, ':');
    let mut number = || parts.next().is_some_and(|part| part.parse::<u32>().is_ok());
    number() && number() && message.contains(": ")
}

#[test]
fn links_between_pages_lead_somewhere() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1) {
            let (target, _) = target.split_once(')').unwrap();
            let file = target.split('#').next().unwrap_or_default();
            let found = folder().join(file).is_file();
            assert!(found, "{} links to {target}", path.display());
        }
    }
}
