//! What a controller asks of an API server when there is nothing to do.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

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
    let groups: Vec<String> = (0..GROUPS)
        .map(|at| {
            format!(
                "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: desk-{at} }}\n\
                 spec: {{ fleetRef: {{ name: contoso }}, devices: [ NO-WS{at:06} ] }}"
            )
        })
        .collect();
    tenant.apply_text(&groups.join("\n---\n"));
    let mut command = deployment.command_listening("one", "127.0.0.1:0");
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
    thread::sleep(Duration::from_mins(3));
    let user = format!("system:serviceaccount:{}:diarchy", deployment.home.name);
    let mut asked: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in own().requests_since(mark) {
        if request.user == user {
            *asked.entry((request.verb, request.resource)).or_default() += 1;
        }
    }
    assert!(
        passes() > before + 20,
        "nobody looked: {}",
        passes() - before
    );
    let is_read = |verb: &str| ["get", "list", "watch"].contains(&verb);
    let writes: Vec<_> = asked
        .keys()
        .filter(|(verb, resource)| !is_read(verb) && resource != "leases")
        .collect();
    assert!(writes.is_empty(), "{asked:?}");
    // Watches are taken up again from time to time, and that is all.
    let reads: usize = asked
        .iter()
        .filter_map(|((verb, _), count)| is_read(verb).then_some(count))
        .sum();
    assert!(reads < 180, "{asked:?}");
    let renewals: usize = asked.values().sum::<usize>() - reads;
    assert!(renewals < 180, "{asked:?}");
    controller.stop();
    site.assert_clean();
}
