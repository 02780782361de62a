//! Documents that name every field, and ways to change one of their values at a time.

use diarchy_core::desired::Resources;
use diarchy_core::finding::{Finding, Origin};
use serde_json::Value;

use crate::manifest::{GitKind, Manifest};

pub(super) const FLEET: &str = include_str!("fixtures/fleet.yaml");
pub(super) const GROUP: &str = include_str!("fixtures/device_group.yaml");
pub(super) const POLICY: &str = include_str!("fixtures/policy.yaml");
pub(super) const SOURCE: &str = include_str!("fixtures/git_source.yaml");
pub(super) const ASSIGNMENT: &str = include_str!("fixtures/assignment.yaml");

/// What came of one document.
pub(super) struct Outcome {
    pub resources: Resources,
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// Each finding as its code's name and its path, sorted.
    pub fn list(&self) -> Vec<String> {
        let mut list: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("{:?} {}", finding.code, finding.path))
            .collect();
        list.sort();
        list
    }
}

/// Reads a document from YAML and interprets it.
pub(super) fn read<K: GitKind>(yaml: &str) -> Outcome {
    interpret::<K>(serde_saphyr::from_str(yaml).unwrap())
}

/// Reads a document after changing the value at each pointer; `null` takes the value out.
pub(super) fn read_with<K: GitKind>(yaml: &str, changes: &[(&str, Value)]) -> Outcome {
    interpret::<K>(serde_json::from_value(changed(yaml, changes)).unwrap())
}

/// The document with the value at each pointer changed.
pub(super) fn changed(yaml: &str, changes: &[(&str, Value)]) -> Value {
    let mut document: Value = serde_saphyr::from_str(yaml).unwrap();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = document
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("{pointer} has no parent"));
        match parent {
            Value::Object(fields) if value.is_null() => {
                assert!(fields.remove(key).is_some(), "{pointer} is not there");
            }
            Value::Object(fields) => {
                fields.insert(key.to_owned(), value.clone());
            }
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{pointer} has no parent"),
        }
    }
    document
}

fn interpret<K: GitKind>(manifest: Manifest<K::Spec>) -> Outcome {
    let mut resources = Resources::default();
    let findings = K::interpret(Origin(7), manifest, &mut resources);
    for finding in &findings {
        assert_eq!(finding.origin, Origin(7));
        assert!(!finding.problem.ends_with('.'), "{}", finding.problem);
        assert!(!finding.remedy.ends_with('.'), "{}", finding.remedy);
        assert!(
            !finding.problem.starts_with(char::is_uppercase),
            "{}",
            finding.problem
        );
        assert!(
            !finding.remedy.starts_with(char::is_uppercase),
            "{}",
            finding.remedy
        );
    }
    let refused = diarchy_core::desired::is_refused(&findings);
    // A source is only known to exist, refused or not.
    let is_source = K::KIND == diarchy_core::resource::Kind::GitSource;
    assert_eq!(resources.named.len(), usize::from(refused || is_source));
    let accepted = resources.fleets.len()
        + resources.groups.len()
        + resources.policies.len()
        + resources.assignments.len();
    assert_eq!(accepted, usize::from(!refused && !is_source));
    Outcome {
        resources,
        findings,
    }
}
