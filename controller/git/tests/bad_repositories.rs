//! Repositories with one fault each, and exactly what is said of them.
//!
//! Each file `tests/bad_repositories/*.txt` is a case:
//!
//! ```text
//! # What is wrong, in a sentence.
//! expect: file:line:column: DIA1xxx     one line for each finding, in their order
//! === path/of/a/file.yaml               followed by the file, to the next line of this kind
//! === escaped path/of/a/file.yaml       the same, with \xNN, \n, \t, and {{3*text}} written out
//! === path/of/a/link -> target          a symbolic link
//! ```
//!
//! The files are added to those of `tests/bad_repositories/good`, or replace them; after a line
//! `base: none` they stand alone. Every case is read twice: as a commit, and as it lies on disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use diarchy_core::code::Code;
use diarchy_git::{Cache, Loaded, Options, Source, load};

use fixture::Entry;

struct Case {
    name: String,
    expected: Vec<String>,
    entries: Vec<(String, Entry)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_repositories")
}

fn good() -> Vec<(String, Entry)> {
    [
        "fleet.yaml",
        "policy.yaml",
        "groups/laptops.yaml",
        "assignments/updates.yaml",
    ]
    .map(|name| {
        let bytes = fs::read(folder().join("good").join(name)).unwrap();
        (name.to_owned(), Entry::File(bytes))
    })
    .to_vec()
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths.iter().map(|path| case(path)).collect()
}

fn case(path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap();
    let (header, files) = text.split_once("\n=== ").unwrap();
    assert!(
        header.starts_with("# "),
        "{} does not say what is wrong",
        path.display()
    );
    let expected = header
        .lines()
        .filter_map(|line| line.strip_prefix("expect: "))
        .map(ToOwned::to_owned)
        .collect();
    let mut entries = if header.contains("\nbase: none") {
        Vec::new()
    } else {
        good()
    };
    for file in files.split("\n=== ") {
        let (head, body) = file.split_once('\n').unwrap_or((file, ""));
        let (name, entry) = if let Some((name, target)) = head.split_once(" -> ") {
            (name, Entry::Link(target.to_owned()))
        } else if let Some(name) = head.strip_prefix("escaped ") {
            (name, Entry::File(unescaped(&lines(body))))
        } else {
            (head, Entry::File(lines(body).into_bytes()))
        };
        entries.retain(|(other, _)| other != name);
        entries.push((name.to_owned(), entry));
    }
    Case {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        expected,
        entries,
    }
}

/// The line end before the next file belongs to this one.
fn lines(body: &str) -> String {
    format!("{}\n", body.strip_suffix('\n').unwrap_or(body))
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(repeat) = rest.strip_prefix("{{") {
            let (repeat, tail) = repeat.split_once("}}").unwrap();
            let (count, piece) = repeat.split_once('*').unwrap();
            bytes.extend(unescaped(piece).repeat(count.parse().unwrap()));
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(&tail[..2], 16).unwrap());
            rest = &tail[2..];
        } else if let Some(tail) = rest.strip_prefix("\\n") {
            bytes.push(b'\n');
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("\\t") {
            bytes.push(b'\t');
            rest = tail;
        } else {
            rest = &rest[character.len_utf8()..];
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    bytes
}

/// The findings as the cases write them.
fn brief(loaded: &Loaded) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|d| format!("{}:{}:{}: {}", d.file, d.line, d.column, d.code))
        .collect()
}

fn load_commit(entries: &[(String, Entry)]) -> Loaded {
    let repository = fixture::Repo::bare();
    repository.commit("main", entries);
    let source = Source::Repository(repository.place());
    load(&source, &Options::default(), &mut Cache::default()).unwrap()
}

fn load_folder(entries: &[(String, Entry)]) -> Loaded {
    let folder = fixture::on_disk(entries);
    let source = Source::WorkingTree(folder.path().to_owned());
    load(&source, &Options::default(), &mut Cache::default()).unwrap()
}

#[test]
fn the_good_repository_is_valid() {
    let loaded = load_commit(&good());
    assert_eq!(brief(&loaded), Vec::<String>::new());
    assert!(loaded.is_valid());
    assert_eq!(loaded.fleets.len(), 1);
    assert_eq!(loaded.fleets[0].desired.assignments.len(), 1);
    assert_eq!(
        loaded.fleets[0]
            .spec
            .configuration_manager
            .site_code
            .as_str(),
        "PS1"
    );
}

#[test]
fn each_fault_is_found_at_its_place_and_nothing_else() {
    let mut wrong = Vec::new();
    for case in cases() {
        for (read, loaded) in [
            ("commit", load_commit(&case.entries)),
            ("disk", load_folder(&case.entries)),
        ] {
            let found = brief(&loaded);
            if found != case.expected {
                let said: Vec<String> =
                    loaded.diagnostics.iter().map(ToString::to_string).collect();
                wrong.push(format!(
                    "{} ({read})\n  expected {:#?}\n  found {said:#?}",
                    case.name, case.expected
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_of_a_repository_is_provoked() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let provoked: BTreeSet<String> = cases
        .iter()
        .flat_map(|case| &case.expected)
        .filter_map(|line| line.rsplit(' ').next())
        .map(ToOwned::to_owned)
        .collect();
    let of_repositories: BTreeSet<String> = Code::ALL
        .iter()
        .filter(|code| (1000..2000).contains(&code.number()))
        .map(ToString::to_string)
        .collect();
    assert_eq!(provoked, of_repositories);
}

#[test]
fn only_warnings_leave_a_revision_valid() {
    for case in cases() {
        let warnings = case.expected.iter().all(|line| line.contains(": DIA14"));
        let loaded = load_commit(&case.entries);
        assert_eq!(loaded.is_valid(), warnings, "{}", case.name);
        assert_eq!(loaded.fleets.is_empty(), !warnings, "{}", case.name);
    }
}

#[test]
fn every_finding_says_what_is_wrong_and_how_to_mend_it() {
    for case in cases() {
        for diagnostic in load_commit(&case.entries).diagnostics {
            let shown = diagnostic.to_string();
            assert!(!shown.contains('\n') && !shown.ends_with('.'), "{shown}");
            assert!(
                !diagnostic.problem.is_empty() && !diagnostic.remedy.is_empty(),
                "{shown}"
            );
        }
    }
}
