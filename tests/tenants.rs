//! Two tenants of one controller: neither sees, changes or borrows anything of the other's.

use serde_json::{Value, json};

use crate::cluster::{MEGAN, ok, refused, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, condition as condition_of};
use crate::gitsource_bench::{Bench, condition, message};
use crate::https_server::{PASSWORD, USERNAME};
use crate::site::Site;

/// What a condition of an object says.
fn told<'a>(object: &'a Value, kind: &str) -> &'a str {
    condition_of(object, kind)["message"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn tenants_cannot_reach_each_other() {
    let (site, other_site) = (Site::open(), Site::open());
    let contoso = Tenant::of(with_definitions(), &site);
    let fabrikam = Tenant::of(with_definitions(), &other_site);
    let deployment = Deployment::of(with_definitions(), &[&contoso, &fabrikam]);
    let mut command = deployment.command("one");
    // Its own services are the only ones that the other tenant may not name.
    let mine = site.simulator();
    let allowed: Vec<String> = [
        mine.admin_service(),
        mine.graph_endpoint(),
        mine.authority(),
    ]
    .iter()
    .map(|address| {
        let rest = address.split("://").nth(1).unwrap();
        rest.split('/').next().unwrap().to_owned()
    })
    .collect();
    command.args(["--allowed-endpoints", &allowed.join(",")]);
    let _controller = Controller::start(&mut command);
    contoso.apply();
    contoso.waiting();

    // An address that is not allowed: no credential goes there.
    fabrikam.apply_text(&fabrikam.text("fleet.yaml"));
    let fleet = fabrikam.wait_for("a refused address", "fleet", "contoso", |fleet| {
        told(fleet, "Ready").contains("DIA2014")
    });
    assert!(
        told(&fleet, "Ready").contains("may go to these only"),
        "{fleet:#}"
    );

    // A Secret that only the other namespace has.
    let mut delete = fabrikam.kubectl();
    ok(delete.args(["delete", "secret", "cm-admin"]));
    let mut borrowed = fabrikam.text("fleet.yaml");
    for (own, others) in [
        (other_site.simulator().admin_service(), mine.admin_service()),
        (
            other_site.simulator().graph_endpoint(),
            mine.graph_endpoint(),
        ),
        (other_site.simulator().authority(), mine.authority()),
    ] {
        borrowed = borrowed.replace(&own, &others);
    }
    fabrikam.apply_text(&borrowed);
    let fleet = fabrikam.wait_for("a missing Secret", "fleet", "contoso", |fleet| {
        told(fleet, "Ready").contains("DIA2010")
    });
    let expected = format!("{}/cm-admin", fabrikam.namespace.name);
    assert!(told(&fleet, "Ready").contains(&expected), "{fleet:#}");

    // A fleet that only the other namespace has.
    let mut delete = fabrikam.kubectl();
    ok(delete.args(["delete", "fleet", "contoso"]));
    fabrikam.apply_text(&fabrikam.text("resources.yaml"));
    let lone = fabrikam.wait_for(
        "a fleet that is missing",
        "workloadassignment",
        "updates",
        |one| told(one, "Ready").contains("DIA13"),
    );
    assert_eq!(lone["status"]["devices"], Value::Null);

    rights_end_at_the_namespace(&contoso, &fabrikam);
    contoso.approve();
    contoso.wait_for_condition("Converged", "fleet/contoso");
    site.assert_clean();
    assert!(
        other_site.writes().is_empty(),
        "the other tenant's site was written to"
    );
}

/// What a tenant's people may do ends at their namespace.
fn rights_end_at_the_namespace(contoso: &Tenant<'_>, fabrikam: &Tenant<'_>) {
    let mut role = fabrikam.kubectl();
    ok(role.args([
        "create",
        "role",
        "writer",
        "--verb=get,list,create,update,patch,delete",
        "--resource=fleets.diarchy.dev,workloadassignments.diarchy.dev,approvals.diarchy.dev",
    ]));
    let mut bind = fabrikam.kubectl();
    ok(bind
        .args(["create", "rolebinding", "writers", "--role=writer"])
        .arg(format!("--user={}", MEGAN.name)));
    ok(fabrikam
        .namespace
        .kubectl(&MEGAN)
        .args(["get", "workloadassignments"]));
    for arguments in [
        &["get", "fleets"][..],
        &["get", "fleetrecords"],
        &[
            "patch",
            "fleet/contoso",
            "--type=merge",
            "-p",
            r#"{"spec":{"suspend":true}}"#,
        ],
        &["delete", "workloadassignment/updates"],
    ] {
        let told = refused(contoso.namespace.kubectl(&MEGAN).args(arguments));
        assert!(told.to_lowercase().contains("forbidden"), "{told}");
    }
    // Not even what the controller remembers of their own fleet.
    refused(
        fabrikam
            .namespace
            .kubectl(&MEGAN)
            .args(["get", "fleetrecords"]),
    );
}

#[test]
fn a_source_borrows_neither_account_nor_secret_of_another_namespace() {
    let site = Site::open();
    let contoso = Bench::idle(with_definitions());
    let fabrikam = Bench::idle(with_definitions());
    contoso.grant("deliverer");
    contoso.secret("own", &[("username", USERNAME), ("password", PASSWORD)]);
    let tenants = [&contoso, &fabrikam].map(|bench| Tenant::within(bench.namespace.clone(), &site));
    let deployment = Deployment::of(with_definitions(), &[&tenants[0], &tenants[1]]);
    let mut command = deployment.command("one");
    command.arg("--mirrors").arg(contoso.mirrors());
    let _controller = Controller::start(&mut command);

    // An account with rights that only the other namespace has.
    let mut source = fabrikam.source();
    source["spec"]["serviceAccountName"] = json!("deliverer");
    fabrikam.apply(&source);
    let status = fabrikam.wait("it is refused", |status| {
        condition(status, "Stalled")["reason"] == "Forbidden"
    });
    let account = format!(
        "system:serviceaccount:{}:deliverer",
        fabrikam.namespace.name
    );
    assert!(message(&status, "Ready").contains(&account), "{status:#}");

    // A Secret that only the other namespace has.
    source["spec"]["secretRef"]["name"] = json!("own");
    fabrikam.apply(&source);
    let status = fabrikam.wait("its Secret is missing", |status| {
        message(status, "Ready").contains("DIA2010")
    });
    let own = format!("{}/own", fabrikam.namespace.name);
    assert!(message(&status, "Ready").contains(&own), "{status:#}");

    // Documents for the other namespace.
    let source = fabrikam.source();
    fabrikam.grant("default");
    let group = "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\n\
        metadata: { name: stray, namespace: contoso-other }\n\
        spec: { fleetRef: { name: contoso }, devices: [ PC-1 ] }\n";
    let group = group.replace("contoso-other", &contoso.namespace.name);
    fabrikam.origin.write("stray.yaml", group);
    fabrikam.origin.commit("README.md", "a stray\n");
    fabrikam.apply(&source);
    let status = fabrikam.wait("it is refused", |status| {
        message(status, "Ready").contains(&contoso.namespace.name)
    });
    assert!(status["lastAppliedRevision"].is_null(), "{status:#}");
    assert_eq!(fabrikam.objects(), [""; 0]);
    assert_eq!(contoso.objects(), [""; 0]);
}
