//! From documents to what decisions need, with everything that is wrong on the way.
//!
//! One file for each kind that is read from repositories, and one for each form that values have.

mod co_management_policy;
mod device_group;
mod endpoint;
mod fleet;
mod forms;
mod git_source;
mod guardrails;
mod limits;
mod metadata;
mod requires;
mod rollout;
mod selector;
mod workload_assignment;

#[cfg(test)]
mod fixtures;

use diarchy_core::code::Code;
use diarchy_core::desired::{Named, Resources, is_refused};
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;

use crate::manifest::Manifest;

pub use endpoint::is_loopback;

/// What is wrong with one document, as far as it was read.
struct Findings {
    origin: Origin,
    list: Vec<Finding>,
}

impl Findings {
    const fn new(origin: Origin) -> Self {
        Self {
            origin,
            list: Vec::new(),
        }
    }

    /// Adds one about the value at `path`.
    fn add(
        &mut self,
        code: Code,
        path: &FieldPath,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.list.push(Finding::new(
            code,
            self.origin,
            path.clone(),
            problem,
            remedy,
        ));
    }

    /// Whether there is one about the value at `path` or a part of it.
    fn mentions(&self, path: &FieldPath) -> bool {
        self.list
            .iter()
            .any(|finding| finding.path.segments().starts_with(path.segments()))
    }
}

/// Judges what every kind has, and lets `read` judge and read the rest; what it gives is handed to
/// `accept` unless something is wrong.
fn interpret<S, T>(
    origin: Origin,
    kind: Kind,
    manifest: &Manifest<S>,
    fleet: Option<&str>,
    into: &mut Resources,
    read: impl FnOnce(&mut Findings) -> Option<T>,
    accept: impl FnOnce(&mut Resources, T),
) -> Vec<Finding>
where
    S: serde::Serialize,
{
    let mut findings = Findings::new(origin);
    metadata::judge(&mut findings, &manifest.metadata);
    let read = read(&mut findings);
    limits::judge(&mut findings, kind, &manifest.spec);
    match read {
        Some(read) if !is_refused(&findings.list) => accept(into, read),
        _ => into.named.push(Named {
            header: manifest.header(origin),
            kind,
            fleet: fleet.map(ToOwned::to_owned),
        }),
    }
    findings.list
}

/// A value that is there and was refused, for a reason that stands among the findings.
struct Refused;

/// A value that may be left out, as `read`.
fn optional<S, T>(
    findings: &mut Findings,
    path: &FieldPath,
    value: Option<&S>,
    read: impl FnOnce(&mut Findings, &FieldPath, &S) -> Option<T>,
) -> Result<Option<T>, Refused> {
    value
        .map(|value| read(findings, path, value).ok_or(Refused))
        .transpose()
}

/// Every value of a list as `read`, or `None` if one was refused; all of them are judged.
fn each<'a, S, T>(
    path: &FieldPath,
    values: &'a [S],
    mut read: impl FnMut(&FieldPath, &'a S) -> Option<T>,
) -> Option<Vec<T>> {
    let values: Vec<Option<T>> = values
        .iter()
        .enumerate()
        .map(|(at, value)| read(&path.index(at), value))
        .collect();
    values.into_iter().collect()
}
