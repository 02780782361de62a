//! The controller's service account may do what the chart's table says, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::chart::{documents, file, kind, parse, template};
use crate::cluster::{ADMIN, Cluster, Namespace, ok, refused, shared, with_definitions};

/// A right: verb, group, resource, and the names that it is limited to.
pub type Right = (String, String, String, Vec<String>);

fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().into_iter().flatten();
    words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

/// The rights of a part of the table, for a release in `namespace`.
pub fn table(part: &str, namespace: &str) -> BTreeSet<Right> {
    let table = parse(&file("files/permissions.yaml"));
    let mut rights = BTreeSet::new();
    for entry in table[part].as_array().unwrap() {
        let names = match entry["name"].as_str() {
            Some("namespace") => vec![namespace.to_owned()],
            Some(other) => panic!("no name is called {other}"),
            None => Vec::new(),
        };
        let word = |key: &str| entry[key].as_str().unwrap().to_owned();
        for verb in words(&entry["verbs"]) {
            rights.insert((verb, word("group"), word("resource"), names.clone()));
        }
    }
    rights
}

/// What an account may do in a namespace, as the API server says.
fn allowed(cluster: &Cluster, kubeconfig: &Path, namespace: &Namespace) -> BTreeSet<Right> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": { "namespace": namespace.name },
    });
    let review = namespace.file(&review.to_string());
    let mut create = cluster.kubectl_with(kubeconfig);
    // What it is checked against is not for everybody to read.
    create.args(["create", "--validate=false", "--output", "json", "-f"]);
    create.arg(review);
    let answer: Value = serde_json::from_str(&ok(&mut create)).unwrap();
    assert_eq!(answer["status"]["incomplete"], false);
    let mut rights = BTreeSet::new();
    for rule in answer["status"]["resourceRules"].as_array().unwrap() {
        for verb in words(&rule["verbs"]) {
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    let names = words(&rule["resourceNames"]);
                    rights.insert((verb.clone(), group.clone(), resource, names));
                }
            }
        }
    }
    rights
}

/// Makes sure that there is such an account.
fn account(namespace: &Namespace, name: &str) {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": name },
    });
    ok(&mut namespace.apply(&[account]));
}

/// Applies the service account of a release in `namespace`, and that account's rights.
pub fn apply_rights(cluster: &Cluster, namespace: &Namespace, arguments: &[&str]) {
    let rendered = documents(&template(&namespace.name, arguments));
    let parts: Vec<String> = rendered
        .iter()
        // The roles of people are the same for every release.
        .filter(|one| {
            let name = one["metadata"]["name"].as_str().unwrap();
            name.ends_with("diarchy") || name.ends_with("diarchy-review")
        })
        .filter(|one| kind(one) == "ServiceAccount" || kind(one).contains("Role"))
        .map(Value::to_string)
        .collect();
    // Two for each namespace that is watched, or for all of them.
    assert!(parts.len() >= 7, "{parts:#?}");
    let mut apply = cluster.kubectl(&ADMIN);
    apply.args(["apply", "--server-side", "-f"]);
    ok(apply.arg(namespace.file(&parts.join("\n---\n"))));
}

/// Takes away what a release in `namespace` has in no namespace: it would stay in a cluster that was
/// given.
pub fn remove_rights(cluster: &Cluster, namespace: &str) {
    if cluster.is_own() {
        return;
    }
    for kind in ["clusterrolebinding", "clusterrole"] {
        let mut delete = cluster.kubectl(&ADMIN);
        let names = ["diarchy", "diarchy-review"];
        delete.args(["delete", kind, "--ignore-not-found"]);
        delete.args(names.map(|name| format!("{namespace}-{name}")));
        drop(delete.output());
    }
}

/// A release of which there is only its account and that account's rights.
struct Release {
    own: Namespace<'static>,
    watched: Namespace<'static>,
    other: Namespace<'static>,
}

impl Release {
    fn new(watches_everything: bool) -> Self {
        let namespaces = || shared().namespace();
        let release = Self {
            own: namespaces(),
            watched: namespaces(),
            other: namespaces(),
        };
        let list = format!("watchNamespaces={{{}}}", release.watched.name);
        let arguments: &[&str] = if watches_everything {
            &[]
        } else {
            &["--set", &list]
        };
        apply_rights(shared(), &release.own, arguments);
        release
    }

    /// What the account may do in a namespace beyond what any account may.
    fn rights(&self, namespace: &Namespace) -> BTreeSet<Right> {
        account(&self.own, "nobody");
        let of = |account: &str| {
            let kubeconfig = shared().kubeconfig_of_account(&self.own.name, account);
            allowed(shared(), &kubeconfig, namespace)
        };
        let anybody = of("nobody");
        of("diarchy").difference(&anybody).cloned().collect()
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        remove_rights(shared(), &self.own.name);
    }
}

#[test]
fn in_every_namespace_it_may_do_what_the_table_says_and_nothing_else() {
    let release = Release::new(true);
    let own = release.own.name.as_str();
    let everywhere = table("everywhere", own);
    let watched: BTreeSet<Right> = table("watched", own).union(&everywhere).cloned().collect();
    assert_eq!(release.rights(&release.other), watched);
    let both: BTreeSet<Right> = watched.union(&table("own", own)).cloned().collect();
    assert_eq!(release.rights(&release.own), both);
}

#[test]
fn with_a_list_of_namespaces_it_may_do_nothing_in_others() {
    let release = Release::new(false);
    let own = release.own.name.as_str();
    let everywhere = table("everywhere", own);
    let and_everywhere =
        |part| -> BTreeSet<Right> { table(part, own).union(&everywhere).cloned().collect() };
    assert_eq!(release.rights(&release.watched), and_everywhere("watched"));
    assert_eq!(release.rights(&release.own), and_everywhere("own"));
    assert_eq!(release.rights(&release.other), everywhere);
}

/// The rules above say it; these requests try it.
#[test]
fn what_it_may_not_do_is_refused() {
    with_definitions();
    let release = Release::new(false);
    let kubeconfig = shared().kubeconfig_of_account(&release.own.name, "diarchy");
    let as_controller = |namespace: &Namespace, arguments: &[&str]| {
        let mut command = shared().kubectl_with(&kubeconfig);
        command.args(["--namespace", &namespace.name]);
        command.args(arguments);
        command
    };
    let (own, watched, other) = (&release.own, &release.watched, &release.other);
    account(watched, "sign-in");
    account(other, "sign-in");
    for (namespace, arguments) in [
        (watched, &["get", "fleets,approvals,gitsources"][..]),
        (watched, &["get", "secrets"]),
        (watched, &["create", "token", "sign-in"]),
        (own, &["get", "leases"]),
        (own, &["get", "namespace", &own.name]),
    ] {
        ok(&mut as_controller(namespace, arguments));
    }
    for (namespace, arguments) in [
        (watched, &["create", "secret", "generic", "stolen"][..]),
        (watched, &["get", "secret", "cm-admin"]),
        (watched, &["delete", "secret", "cm-admin"]),
        (watched, &["get", "pods"]),
        (watched, &["create", "configmap", "notes"]),
        (watched, &["delete", "fleet", "contoso"]),
        (watched, &["annotate", "fleets", "contoso", "a=b"]),
        (watched, &["create", "serviceaccount", "other"]),
        (watched, &["get", "leases"]),
        (watched, &["get", "fleets", "--as", "admin"]),
        (watched, &["get", "fleets", "--as", "megan@contoso.com"]),
        (own, &["get", "fleets"]),
        (own, &["get", "secrets"]),
        (own, &["get", "namespaces"]),
        (own, &["get", "namespace", &other.name]),
        (other, &["get", "fleets"]),
        (other, &["get", "secrets"]),
        (other, &["create", "token", "sign-in"]),
        (watched, &["get", "fleets", "--all-namespaces"]),
    ] {
        let told = refused(&mut as_controller(namespace, arguments));
        assert!(
            told.to_lowercase().contains("forbidden"),
            "{arguments:?}: {told}"
        );
    }
}

/// A `GitSource` is applied with the rights of an account of its namespace, and no other namespace's.
#[test]
fn it_may_act_as_the_accounts_of_watched_namespaces_only() {
    with_definitions();
    let release = Release::new(false);
    let kubeconfig = shared().kubeconfig_of_account(&release.own.name, "diarchy");
    for (namespace, may) in [(&release.watched, true), (&release.other, false)] {
        let mut role = namespace.kubectl(&ADMIN);
        role.args(["create", "role", "applier", "--verb=list"]);
        ok(role.arg("--resource=configmaps"));
        let mut binding = namespace.kubectl(&ADMIN);
        binding.args(["create", "rolebinding", "applier", "--role=applier"]);
        ok(binding.arg(format!("--serviceaccount={}:applier", namespace.name)));
        let mut get = shared().kubectl_with(&kubeconfig);
        get.args(["--namespace", &namespace.name, "get", "configmaps"]);
        let account = format!("system:serviceaccount:{}:applier", namespace.name);
        get.args(["--as", &account]);
        if may {
            ok(&mut get);
        } else {
            let told = refused(&mut get);
            assert!(told.contains("cannot impersonate"), "{told}");
        }
    }
}
