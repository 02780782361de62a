//! A namespace of one test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use super::{ADMIN, Cluster, Person, ok};

/// A namespace that is there for one test.
#[derive(Clone)]
pub struct Namespace<'a> {
    pub(super) cluster: &'a Cluster,
    pub name: String,
    /// Goes with the last who has it.
    _end: Arc<End<'a>>,
}

/// Ends a namespace.
struct End<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl Cluster {
    /// A new namespace.
    pub fn namespace(&self) -> Namespace<'_> {
        let name = format!("diarchy-test-{:08x}", rand::random::<u32>());
        let mut create = self.kubectl(&ADMIN);
        ok(create.args(["create", "namespace", &name]));
        let end = End {
            cluster: self,
            name: name.clone(),
        };
        Namespace {
            cluster: self,
            name,
            _end: Arc::new(end),
        }
    }
}

impl Namespace<'_> {
    /// `kubectl` as `person` runs it, within the namespace.
    pub fn kubectl(&self, person: &Person) -> Command {
        let mut command = self.cluster.kubectl(person);
        command.args(["--namespace", &self.name]);
        command
    }

    /// `kubectl apply --server-side` of documents, as the administrator runs it.
    pub fn apply(&self, documents: &[Value]) -> Command {
        // No `List`: with one, kubectl judges the documents by itself and asks no server.
        let documents: Vec<String> = documents.iter().map(Value::to_string).collect();
        let file = self.file(&documents.join("\n---\n"));
        let mut command = self.kubectl(&ADMIN);
        command.args(["apply", "--server-side", "-f"]).arg(file);
        command
    }

    /// The path of a new file that ends with the cluster.
    pub fn file(&self, content: &str) -> PathBuf {
        let name = format!("{}-{:016x}.yaml", self.name, rand::random::<u64>());
        self.cluster.file(&name, content)
    }

    /// Why each object was refused, out of what `kubectl` said, by the object's name.
    pub fn refusals(&self, said: &str) -> BTreeMap<String, String> {
        let mut refusals = BTreeMap::new();
        let mut refusal = None;
        for line in said.lines() {
            let mut cause = line;
            if let Some((name, rest)) = self.named(line) {
                refusal = Some(refusals.entry(name.to_owned()).or_insert_with(String::new));
                cause = rest;
            }
            // Several causes have a line each, after the one that names the object.
            let refusal = refusal
                .as_mut()
                .unwrap_or_else(|| panic!("about no object: {said}"));
            if !cause.is_empty() {
                refusal.push_str(cause);
                refusal.push('\n');
            }
        }
        refusals
    }

    /// The object that a line of an error is about, and what it says of that.
    fn named<'a>(&self, line: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some((object, cause)) = line.split_once("\" is invalid: ") {
            return Some((object.rsplit('"').next()?, cause));
        }
        // It cannot be read as an object of its kind.
        let (_, object) = line.split_once(&format!("({}/", self.name))?;
        let (object, cause) = object.split_once("): ")?;
        Some((object.split(';').next()?, cause))
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        // A cluster of our own goes anyhow. What was given is left as it was found, as far as it
        // answers: this may be the end of a test that failed because it does not.
        if !self.cluster.is_own() {
            let mut delete = self.cluster.kubectl(&ADMIN);
            delete.args(["delete", "namespace", &self.name, "--wait=false"]);
            drop(delete.output());
        }
    }
}
