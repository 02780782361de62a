//! A revision of which only a part has come into the cluster: nobody is moved by what nobody has
//! written.

use serde_json::{Value, json};

use crate::api_proxy::{ApiProxy, Asked, Verdict};
use crate::cluster::{Namespace, own};
use crate::deployed::{Controller, Deployment, Tenant, condition, wait};
use crate::gitsource_bench::{Bench, condition as of_source, message};
use crate::interrupted::is_seen;
use crate::origin::Origin;
use crate::site::Site;
use crate::world::{assert_nothing_twice, taken_out};

/// What the second revision adds beside a group that grows: some of those who come into it stay.
const EXCEPTION: &str = r"
apiVersion: diarchy.dev/v1alpha1
kind: DeviceGroup
metadata: { name: americans }
spec:
  fleetRef: { name: contoso }
  selector:
    matchAttributes:
      - { key: country, operator: In, values: [ US ] }
---
apiVersion: diarchy.dev/v1alpha1
kind: WorkloadAssignment
metadata: { name: americans-stay }
spec:
  fleetRef: { name: contoso }
  workload: WindowsUpdatePolicies
  groupRef: { name: americans }
  authority: ConfigurationManager
  priority: 10
";

/// A fleet from git whose first revision has been carried out, and a controller behind a proxy.
struct Half<'a> {
    proxy: ApiProxy,
    bench: Bench,
    tenant: Tenant<'a>,
    deployment: Deployment<'a>,
    site: &'a Site,
    /// Another namespace that the controller looks at.
    beside: Namespace<'static>,
    /// Who was in the pilot collections after the first revision.
    placed: Vec<Vec<u32>>,
}

impl<'a> Half<'a> {
    fn of(site: &'a Site) -> (Self, Controller) {
        let cluster = own().cluster();
        cluster.install_definitions();
        let (namespace, beside) = (cluster.namespace(), cluster.namespace());
        let origin = Origin::empty();
        let tenant = Tenant::within(namespace.clone(), site);
        for file in ["fleet.yaml", "resources.yaml"] {
            origin.write(file, tenant.text(file));
        }
        origin.commit("NOTES.md", "one\n");
        let bench = Bench::of(cluster, namespace, origin);
        bench.grant("default");
        let mut deployment = Deployment::of(cluster, &[&tenant]);
        deployment.look_at(&beside);
        let mut half = Self {
            proxy: ApiProxy::of(cluster),
            bench,
            tenant,
            deployment,
            site,
            beside,
            placed: Vec::new(),
        };
        let controller = half.start("one");
        half.bench.apply(&half.bench.source());
        half.bench.wait_for_head();
        half.tenant.approve();
        half.tenant.wait_for_condition("Converged", "fleet/contoso");
        half.placed = site.members();
        (half, controller)
    }

    fn start(&self, replica: &str) -> Controller {
        let mut command = self.deployment.command_with_lease(replica, "2s");
        command.arg("--mirrors").arg(self.bench.mirrors());
        self.proxy.start_command(&mut command)
    }

    /// Commits the second revision.
    fn widen(&self) {
        let text = self.tenant.text("resources.yaml");
        let few = [
            "      - { key: country, operator: NotIn, values: [ US ] }\n",
            "      - { key: department, operator: NotIn, values: [ Sales ] }\n",
        ];
        let wide = few
            .iter()
            .fold(text.clone(), |text, line| text.replace(line, ""));
        assert_ne!(wide, text);
        self.bench.origin.write("exception.yaml", EXCEPTION);
        self.bench.origin.commit("resources.yaml", wide);
    }

    /// Lets the source apply these kinds and no others.
    fn allow(&self, kinds: &[&str]) {
        let kinds: Vec<String> = kinds
            .iter()
            .map(|kind| format!("{kind}.diarchy.dev"))
            .collect();
        let bench = &self.bench;
        bench.run(&["delete", "role", "deliver-default"]);
        bench.run(&[
            "create",
            "role",
            "deliver-default",
            "--verb=get,create,patch,delete",
            &format!("--resource={}", kinds.join(",")),
        ]);
    }

    /// Takes away the right to apply assignments, and waits until that counts.
    fn forbid_assignments(&self) {
        self.allow(&["fleets", "devicegroups", "comanagementpolicies"]);
        let account = format!(
            "--as=system:serviceaccount:{}:default",
            self.tenant.namespace.name
        );
        wait("a right that is gone", || {
            let mut can = self.tenant.kubectl();
            can.args(["auth", "can-i", "patch", "workloadassignments.diarchy.dev"]);
            let said = can.arg(&account).output().unwrap().stdout;
            let said = String::from_utf8(said).unwrap();
            said.starts_with("no").then_some(()).ok_or(said.into())
        });
    }

    fn allow_all(&self) {
        self.allow(&[
            "fleets",
            "devicegroups",
            "comanagementpolicies",
            "workloadassignments",
        ]);
    }

    /// Waits until the source says that it may not apply all of what is the head now.
    fn wait_until_refused(&self) {
        self.bench.wait("it is refused", |status| {
            of_source(status, "Stalled")["reason"] == "Forbidden"
        });
    }

    /// Asserts that the source says of which revision there is only a part.
    fn assert_half_is_told(&self) {
        let status = self.bench.wait("", |_| true);
        assert_eq!(status["applyingRevision"], self.bench.head(), "{status:#}");
        assert_ne!(status["lastAppliedRevision"], self.bench.head());
        let told = format!("only a part of {} is applied", self.bench.head());
        for kind in ["Stalled", "Ready"] {
            assert!(message(&status, kind).contains(&told), "{status:#}");
        }
    }

    /// Waits for longer than anything takes to settle: what is applied now, in another namespace, has.
    fn others_have_settled(&self, name: &str) {
        let lone = format!(
            "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: {name} }}\n\
             spec: {{ fleetRef: {{ name: nosuch }}, devices: [ PC-1 ] }}\n"
        );
        let mut apply = self.beside.kubectl(&crate::cluster::ADMIN);
        apply.args(["apply", "-f"]).arg(self.beside.file(&lone));
        crate::cluster::ok(&mut apply);
        wait("something that has settled beside", || {
            let group = self.beside.get("devicegroup", name);
            let is_told = condition(&group, "Stalled")["status"] == "True";
            is_told.then_some(()).ok_or(group)
        });
    }

    fn assert_nobody_was_moved(&self) {
        assert_eq!(
            self.site.members(),
            self.placed,
            "half of a revision moved somebody"
        );
        let group = self.tenant.namespace.get("devicegroup", "others");
        assert!(!is_seen(&group), "it was taken for settled: {group:#}");
    }

    /// Waits until more devices of `updates` are placed than after the first revision.
    fn wait_until_wider(&self) {
        wait("devices that are moved", || {
            let now = self.site.members();
            (now[0].len() > self.placed[0].len())
                .then_some(())
                .ok_or(json!(now))
        });
    }
}

/// Waits until so many more passes have been made.
fn passes(controller: &Controller, more: usize) {
    let passes = || controller.log().matches("made a pass").count();
    let before = passes();
    wait("passes", || {
        let now = passes();
        (now >= before + more).then_some(()).ok_or(json!(now))
    });
}

#[test]
fn half_of_a_revision_moves_nobody_before_a_person_says_that_nothing_more_comes() {
    let site = Site::open();
    let (half, controller) = Half::of(&site);
    half.forbid_assignments();
    half.widen();
    half.bench.look();
    half.wait_until_refused();
    half.others_have_settled("one");
    passes(&controller, 3);
    half.assert_nobody_was_moved();
    half.assert_half_is_told();

    // A brake is heard at once all the same, whoever pulls it; what is applied by hand waits.
    let bench = &half.bench;
    let paused = "diarchy.dev/paused=true";
    bench.run(&["annotate", "workloadassignment", "apps", paused]);
    half.tenant
        .wait_for("a brake", "workloadassignment", "apps", |one| {
            condition(one, "Ready")["reason"] == "Paused"
        });
    let by_hand = r#"{"spec":{"priority":3}}"#;
    let patch = [
        "patch",
        "workloadassignment",
        "protection",
        "--type=merge",
        "-p",
    ];
    bench.run(&[&patch[..], &[by_hand]].concat());
    half.others_have_settled("two");
    passes(&controller, 3);
    half.assert_nobody_was_moved();
    let protection = half
        .tenant
        .namespace
        .get("workloadassignment", "protection");
    assert!(!is_seen(&protection), "{protection:#}");

    // Nothing more comes of a source that is suspended: what is there counts.
    let suspend = r#"{"spec":{"suspend":true}}"#;
    bench.run(&["patch", "gitsource", "main", "--type=merge", "-p", suspend]);
    half.wait_until_wider();
    controller.stop();
}

fn writes_exception(asked: &Asked) -> bool {
    asked.method == "PATCH" && asked.path.ends_with("/workloadassignments/americans-stay")
}

#[test]
fn a_controller_that_is_killed_in_the_middle_of_a_revision_moves_nobody_by_half_of_it() {
    let site = Site::open();
    let (half, controller) = Half::of(&site);
    half.proxy.rule(|asked| {
        if writes_exception(asked) {
            Verdict::Hold
        } else {
            Verdict::Pass
        }
    });
    half.widen();
    let bench = &half.bench;
    bench.run(&["annotate", "gitsource", "main", "diarchy.dev/requestedAt=1"]);
    half.proxy
        .wait_until_held("the second half of a revision", writes_exception);
    controller.kill();
    let source = half.tenant.namespace.get("gitsource", "main");
    half.forbid_assignments();
    half.proxy.mend();

    let controller = half.start("two");
    half.wait_until_refused();
    half.others_have_settled("one");
    half.assert_nobody_was_moved();
    half.assert_half_is_told();
    assert_eq!(source["status"]["applyingRevision"], bench.head());
    let log = controller.log();
    assert!(
        !log.contains("made a pass"),
        "what is half there was carried out"
    );

    half.allow_all();
    let status = bench.look_until("all of it is applied", |status| {
        status["lastAppliedRevision"] == bench.head()
    });
    assert_eq!(status["applyingRevision"], Value::Null, "{status:#}");
    half.wait_until_wider();
    half.tenant.wait_for(
        "the exception",
        "workloadassignment",
        "americans-stay",
        is_seen,
    );
    half.tenant.wait_for_condition("Converged", "fleet/contoso");
    // Had half of it been carried out, somebody would have gone back.
    let writes = site.writes();
    assert_eq!(taken_out(&writes), 0, "somebody was moved back");
    assert_nothing_twice(&writes);
    site.assert_clean();
    controller.stop();
}
