//! Revisions that a source does not apply: nothing of them, and the last one stays in force.

use serde_json::json;

use crate::cluster::{refused, with_definitions};
use crate::gitsource_bench::{Bench, condition, message};
use crate::signing_key::SigningKey;

/// Looks at what was committed, which must be refused with this code and leave everything as it was.
fn assert_refused(bench: &Bench, code: &str) -> String {
    let (objects, in_force) = (bench.objects(), bench.wait("", |_| true));
    let status = bench.look();
    let told = message(&status, "Stalled");
    assert!(told.contains(code), "{code}: {status:#}");
    assert_eq!(condition(&status, "Ready")["status"], "False");
    assert_eq!(message(&status, "Ready"), told);
    assert_eq!(
        status["lastAppliedRevision"],
        in_force["lastAppliedRevision"]
    );
    assert_eq!(status["inventory"], in_force["inventory"]);
    assert_eq!(bench.objects(), objects);
    told
}

#[test]
fn a_revision_that_does_not_validate_applies_nothing() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    // One file is good and one is not: the good one waits too.
    bench.origin.write("groups/broken.yaml", "kind: [\n");
    bench.group("desks", "PC-1");
    let told = assert_refused(&bench, "DIA1003");
    assert!(told.contains("groups/broken.yaml:"), "{told}");
    assert!(told.starts_with(&bench.head()), "{told}");
    assert_eq!(
        bench.wait("", |_| true)["lastAttemptedRevision"],
        bench.head()
    );
    bench.origin.git(&["rm", "-q", "groups/broken.yaml"]);
    bench.origin.commit("README.md", "mended\n");
    let status = bench.look();
    assert_eq!(status["lastAppliedRevision"], bench.head());
    assert!(condition(&status, "Stalled").is_null());
}

#[test]
fn what_is_for_another_namespace_applies_nothing() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    bench.origin.write(
        "other/fleet.yaml",
        "apiVersion: diarchy.dev/v1alpha1\nkind: GitSource\n\
         metadata: { name: other, namespace: kube-system }\n\
         spec: { url: 'https://git.contoso.com/fleet.git', ref: { branch: main } }\n",
    );
    bench.group("desks", "PC-1");
    let told = assert_refused(&bench, "DIA2311");
    assert!(told.contains("other/fleet.yaml:1:1: GitSource"), "{told}");
}

/// A path that is wrong must not empty a namespace.
#[test]
fn a_revision_without_resources_removes_nothing() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    bench.origin.commit("elsewhere/notes.yaml", "a: 1\n");
    for (path, code) in [("nowhere", "DIA2003"), ("groups", "DIA1309")] {
        let objects = bench.objects();
        let mut source = bench.source();
        source["spec"]["path"] = json!(path);
        bench.apply(&source);
        bench.wait("it is refused", |status| {
            message(status, "Stalled").contains(code)
        });
        assert_eq!(bench.objects(), objects);
    }
}

#[test]
fn only_what_a_trusted_key_has_signed_is_applied() {
    let bench = Bench::new();
    let signing = SigningKey::new();
    let (public, signers) = (signing.public(), signing.allowed("lena@contoso.com"));
    bench.secret("signers", &[("allowed_signers", &signers)]);
    let mut source = bench.source();
    source["spec"]["verify"] = json!({ "trustedKeysRef": { "name": "signers" } });
    bench.apply(&source);
    let status = bench.wait("it is refused", |status| {
        message(status, "Stalled").starts_with("DIA2231: ")
    });
    assert_eq!(status["lastAttemptedRevision"], bench.head());
    assert!(status["lastAppliedRevision"].is_null());
    assert_eq!(bench.objects(), [""; 0]);
    signing.sign_commits_of(&bench.origin);
    bench.group("desks", "PC-1");
    assert_eq!(bench.look()["lastAppliedRevision"], bench.head());
    // Revoked, the key vouches for nothing more, at once.
    bench.secret(
        "signers",
        &[("allowed_signers", &signers), ("revoked_keys", &public)],
    );
    bench.wait("the key is revoked", |status| {
        message(status, "Stalled").starts_with("DIA2234: ")
    });
}

#[test]
fn a_source_leads_only_where_it_may() {
    let mut bench = Bench::idle(with_definitions());
    bench.grant("default");
    bench.start(Some("git.contoso.com"));
    bench.apply(&bench.source());
    let status = bench.wait("the host is refused", |status| {
        message(status, "Stalled").starts_with("DIA2014: ")
    });
    let told = message(&status, "Ready");
    assert!(told.contains("localhost:") && told.contains("git.contoso.com"));
    assert!(bench.server.asked().is_empty());
    // A folder of the controller's own machine is none of the tenant's business.
    let mut source = bench.source();
    source["spec"]["url"] = json!(format!("file://{}", bench.origin.repository().display()));
    let told = refused(&mut bench.namespace.apply(&[source]));
    assert!(told.contains("spec.url"), "{told}");
    let mut source = bench.source();
    source["spec"]["url"] = json!("https://git.contoso.com/fleet.git");
    source["spec"]["secretRef"]["name"] = json!("nosuch");
    bench.apply(&source);
    bench.wait("the Secret is missed", |status| {
        message(status, "Stalled").starts_with("DIA2010: ")
    });
    assert_eq!(bench.objects(), [""; 0]);
}
