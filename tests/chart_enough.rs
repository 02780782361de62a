//! The controller, with the rights that the chart gives it and no others, carries out a fleet; and the
//! audit log tells which of them it used.

use std::collections::BTreeSet;

use crate::chart_rights::{apply_rights, table};
use crate::cluster::own;
use crate::deployed::{Controller, Deployment, Tenant};
use crate::reverting::{delete, reverts, wait_until_gone};
use crate::site::Site;

/// Verb, and resource with its group.
type Used = (String, String);

/// What one fleet that converges does not need, or not each time.
const OTHERWISE: [(&str, &str); 13] = [
    // A GitSource.
    ("patch", "gitsources.diarchy.dev/status"),
    ("impersonate", "serviceaccounts"),
    // Workload identity: this fleet signs in with a secret.
    ("list", "serviceaccounts"),
    ("watch", "serviceaccounts"),
    ("create", "serviceaccounts/token"),
    // What is remembered outgrows its objects.
    ("delete", "fleetrecords.diarchy.dev"),
    ("update", "fleetrecords.diarchy.dev"),
    // The same happens again soon.
    ("patch", "events.events.k8s.io"),
    // Somebody else has written a Lease.
    ("get", "leases.coordination.k8s.io"),
    ("update", "leases.coordination.k8s.io"),
    ("patch", "devicegroups.diarchy.dev/status"),
    // Somebody asks about a device.
    ("create", "tokenreviews.authentication.k8s.io"),
    ("create", "subjectaccessreviews.authorization.k8s.io"),
];

fn used(verb: &str, group: &str, resource: &str) -> Used {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, format!("/{subresource}")),
        None => (resource, String::new()),
    };
    let dot = if group.is_empty() { "" } else { "." };
    (
        verb.to_owned(),
        format!("{resource}{dot}{group}{subresource}"),
    )
}

#[test]
fn the_rights_of_the_chart_are_enough_and_none_of_them_is_idle() {
    let cluster = own().cluster();
    cluster.install_definitions();
    let site = Site::open();
    let tenant = Tenant::of(cluster, &site);
    let deployment = Deployment::of(cluster, &[&tenant]);
    let (home, watched) = (&deployment.home, &tenant.namespace.name);
    let list = format!("watchNamespaces={{{watched}}}");
    apply_rights(cluster, home, &["--set", &list]);
    let mut command = deployment.command("one");
    command.env(
        "KUBECONFIG",
        cluster.kubeconfig_of_account(&home.name, "diarchy"),
    );
    let controller = Controller::start(&mut command);
    tenant.carry_out();
    reverts(&tenant, "updates");
    delete(&tenant, "workloadassignment/updates");
    wait_until_gone(&tenant, "workloadassignment/updates");
    controller.stop();

    let account = format!("system:serviceaccount:{}:diarchy", home.name);
    let requests = own().requests();
    let asked = || requests.iter().filter(|request| request.user == account);
    let refused: Vec<_> = asked().filter(|request| !request.allowed).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let asked: BTreeSet<Used> = asked()
        .map(|request| {
            let resource = match request.subresource.as_str() {
                "" => request.resource.clone(),
                subresource => format!("{}/{subresource}", request.resource),
            };
            used(&request.verb, &request.group, &resource)
        })
        .collect();
    let given: BTreeSet<Used> = ["watched", "own", "everywhere"]
        .iter()
        .flat_map(|part| table(part, &home.name))
        .map(|(verb, group, resource, _)| used(&verb, &group, &resource))
        .collect();
    let more: Vec<_> = asked.difference(&given).collect();
    assert!(more.is_empty(), "allowed to anybody: {more:?}");
    let idle: Vec<_> = given
        .difference(&asked)
        .filter(|(verb, resource)| !OTHERWISE.contains(&(verb.as_str(), resource.as_str())))
        .collect();
    assert!(idle.is_empty(), "given and never used: {idle:?}");
}
