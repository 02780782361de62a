//! What a document says of itself.

use std::collections::BTreeMap;

use diarchy_core::code::Code;
use diarchy_core::finding::FieldPath;

use super::{Findings, forms};
use crate::manifest::Metadata;

/// The longest label, and the longest name of a label or an annotation.
const LONGEST_WORD: usize = 63;
/// How much all annotations of an object may hold.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// Judges what every kind has, as an API server does.
pub(super) fn judge(findings: &mut Findings, metadata: &Metadata) {
    let path = FieldPath::of("metadata");
    forms::name(findings, &path.key("name"), &metadata.name);
    if let Some(namespace) = &metadata.namespace {
        forms::namespace(findings, &path.key("namespace"), namespace);
    }
    judge_labels(findings, &path.key("labels"), &metadata.labels);
    judge_annotations(findings, &path.key("annotations"), &metadata.annotations);
}

fn judge_labels(findings: &mut Findings, path: &FieldPath, labels: &BTreeMap<String, String>) {
    for (key, value) in labels {
        let path = path.key(key.clone());
        judge_key(findings, &path, key);
        if !value.is_empty() && !is_word(value) {
            findings.add(
                Code::InvalidFormat,
                &path,
                format!("`{value}` cannot be a label's value"),
                format!(
                    "use at most {LONGEST_WORD} letters, digits, `-`, `_` and `.`, with a letter or \
                     digit at both ends; an annotation may hold any text"
                ),
            );
        }
    }
}

fn judge_annotations(
    findings: &mut Findings,
    path: &FieldPath,
    annotations: &BTreeMap<String, String>,
) {
    for key in annotations.keys() {
        // Of annotations the server judges the names without regard to case.
        judge_key(findings, &path.key(key.clone()), &key.to_lowercase());
    }
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > MOST_ANNOTATIONS {
        findings.add(
            Code::OutOfRange,
            path,
            format!(
                "the annotations hold {size} bytes, and at most {MOST_ANNOTATIONS} are allowed"
            ),
            "keep what is so long elsewhere, and a link to it here",
        );
    }
}

/// Judges the name of a label or an annotation: a word, which a domain may stand before.
fn judge_key(findings: &mut Findings, path: &FieldPath, key: &str) {
    let (domain, word) = match key.split_once('/') {
        Some((domain, word)) => (Some(domain), word),
        None => (None, key),
    };
    if domain.is_some_and(|domain| !forms::is_name(domain)) || !is_word(word) {
        findings.add(
            Code::InvalidFormat,
            path,
            format!("`{key}` cannot be the name of a label or an annotation"),
            "write it like team or contoso.com/team",
        );
    }
}

fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= LONGEST_WORD
        && text.bytes().all(inner)
        && end(text.bytes().next())
        && end(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{GROUP, read_with};
    use super::*;
    use crate::DeviceGroup;

    fn findings(field: &str, value: Value) -> Vec<String> {
        read_with::<DeviceGroup>(GROUP, &[(&format!("/metadata/{field}"), value)]).list()
    }

    #[test]
    fn labels_have_short_names_and_short_values() {
        let longest = "x".repeat(LONGEST_WORD);
        for labels in [
            json!({ "team": "", "contoso.com/Team_1": "a.b-c" }),
            json!({ &longest: &longest }),
        ] {
            assert_eq!(findings("labels", labels), Vec::<String>::new());
        }
        for (key, value) in [
            ("team", "a b"),
            ("team", "-a"),
            ("team", &format!("{longest}x")),
            ("a b", "x"),
            ("Contoso.com/team", "x"),
            ("/team", "x"),
            ("contoso.com/", "x"),
            ("a/b/c", "x"),
        ] {
            let found = findings("labels", json!({ key: value }));
            assert_eq!(found.len(), 1, "{key}: {value}: {found:?}");
            assert!(
                found[0].starts_with("InvalidFormat metadata.labels"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn annotations_hold_any_text_up_to_a_size() {
        let name = "Contoso.com/notes";
        let most = "x".repeat(MOST_ANNOTATIONS - name.len());
        let found = findings("annotations", json!({ name: &most }));
        assert_eq!(found, Vec::<String>::new());
        let found = findings("annotations", json!({ name: format!("{most}x") }));
        assert_eq!(found, ["OutOfRange metadata.annotations"]);
        let found = findings("annotations", json!({ "a b": "x" }));
        assert!(
            found[0].starts_with("InvalidFormat metadata.annotations"),
            "{found:?}"
        );
    }
}
