//! What a controller asks of an API server when there is nothing to do.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use crate::chart_rights::apply_rights;
use crate::cluster::own;
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::site::Site;

/// How many groups there are beside the resources of the site.
const GROUPS: usize = 990;

#[test]
fn a_fleet_that_has_nothing_to_do_writes_nothing_but_leases() {
    let cluster = own().cluster();
    cluster.install_definitions();
    // On the machine's clock, with a pass every 200 ms.
    let site = Site::real();
    let tenant = Tenant::of(cluster, &site);
    let deployment = Deployment::of(cluster, &[&tenant]);
    let list = format!("watchNamespaces={{{}}}", tenant.namespace.name);
    apply_rights(cluster, &deployment.home, &["--set", &list]);
    let mut command = deployment.command("one");
    let account = cluster.kubeconfig_of_account(&deployment.home.name, "diarchy");
    command.env("KUBECONFIG", account);
    let groups: Vec<String> = (0..GROUPS)
        .map(|at| {
            format!(
                "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: desk-{at} }}\n\
                 spec: {{ fleetRef: {{ name: contoso }}, devices: [ NO-WS{at:06} ] }}"
            )
        })
        .collect();
    tenant.apply_text(&groups.join("\n---\n"));
    let controller = Controller::start(&mut command);
    tenant.apply();
    tenant.approve();
    wait("everything to be sent", || {
        let fleet = tenant.fleet();
        let is_sent = fleet["status"]["waitingPlan"].is_null() && site.rules_written() > 0;
        is_sent.then_some(()).ok_or(fleet)
    });
    // What the devices report of it comes in, and is told.
    thread::sleep(Duration::from_secs(10));
    let passes = || controller.log().matches("made a pass").count();
    let before = passes();
    let mark = own().mark();
    thread::sleep(if std::env::var_os("DIARCHY_LONG").is_some() {
        Duration::from_mins(3)
    } else {
        Duration::from_secs(30)
    });
    let user = format!("system:serviceaccount:{}:diarchy", deployment.home.name);
    let asked: BTreeSet<(String, String)> = own()
        .requests_since(mark)
        .into_iter()
        .filter(|request| request.user == user)
        .map(|request| (request.verb, request.resource))
        .collect();
    assert!(
        passes() > before + 20,
        "nobody looked: {}",
        passes() - before
    );
    let writes: Vec<_> = asked
        .iter()
        .filter(|(verb, _)| !["get", "list", "watch"].contains(&verb.as_str()))
        .filter(|(_, resource)| resource != "leases")
        .collect();
    assert!(writes.is_empty(), "{asked:?}");
    controller.stop();
    site.assert_clean();
}
