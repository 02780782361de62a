//! A controller whose way to the API server can fail, a site where nothing has been done yet, and
//! what must have become of both in the end.

use serde_json::{Value, json};

use crate::api_proxy::{ApiProxy, Asked, Verdict};
use crate::cluster::{Cluster, own};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::reverting::patch;
use crate::site::{PILOT, Site};
use crate::world::{assert_made_once, assert_nothing_twice};

/// A controller behind a proxy. It carries out the resources of a site.
pub struct Interrupted<'a> {
    pub proxy: ApiProxy,
    pub tenant: Tenant<'a>,
    pub deployment: Deployment<'a>,
    pub controller: Controller,
    pub site: &'a Site,
    /// Who was in the pilot collection of `updates` before.
    before: Vec<u32>,
}

impl<'a> Interrupted<'a> {
    /// On the control plane of the tests' own, whose kubeconfig has what a proxy needs.
    pub fn of(site: &'a Site) -> Self {
        Self::with_lease(own().cluster(), site, "2s")
    }

    /// On this cluster, with Leases of this length.
    pub fn with_lease(cluster: &'a Cluster, site: &'a Site, lease: &str) -> Self {
        cluster.install_definitions();
        let proxy = ApiProxy::of(cluster);
        let tenant = Tenant::of(cluster, site);
        let deployment = Deployment::of(cluster, &[&tenant]);
        Self {
            before: site.control.members(PILOT).unwrap(),
            controller: proxy.start(&deployment, "one", lease),
            proxy,
            tenant,
            deployment,
            site,
        }
    }

    /// The same, after its controller has ended and another has been started.
    pub fn replaced_by(self, replica: &str) -> Self {
        self.controller.stop();
        let controller = self.proxy.start(&self.deployment, replica, "2s");
        Self { controller, ..self }
    }

    /// Cuts every watch that there is, once. New ones come through.
    pub fn cut(&self) {
        let last = self.proxy.last();
        self.proxy.rule(move |asked| {
            if asked.number <= last {
                no_watch(asked)
            } else {
                Verdict::Pass
            }
        });
    }

    /// Waits until something has been written for a device.
    pub fn first_write(&self) {
        wait("a first write", || {
            let writes = self.site.rules_written();
            (writes > 0).then_some(()).ok_or(json!(writes))
        });
    }

    /// Waits until so many more passes have been made.
    pub fn passes(&self, more: usize) {
        let passes = || self.controller.log().matches("made a pass").count();
        let before = passes();
        wait("passes", || {
            let now = passes();
            (now >= before + more).then_some(()).ok_or(json!(now))
        });
    }

    /// Has the devices of `updates` go back.
    pub fn send_back(&self) {
        let back = r#"{"spec":{"authority":"ConfigurationManager"}}"#;
        patch(&self.tenant, "workloadassignment/updates", back);
    }

    /// Waits until the devices of `updates` have gone back.
    pub fn wait_until_back(&self) {
        self.wait_until_seen("updates");
        wait("devices to be back", || {
            let now = self.site.control.members(PILOT).unwrap();
            (now == self.before).then_some(()).ok_or(json!(now))
        });
        self.tenant.wait_for_condition("Converged", "fleet/contoso");
    }

    /// Waits until an assignment's status is about what it is now.
    pub fn wait_until_seen(&self, assignment: &str) -> Value {
        let what = "a change that was seen";
        self.tenant
            .wait_for(what, "workloadassignment", assignment, is_seen)
    }

    /// Ends it, and asserts that nothing was done at the site that should not have been. Its log.
    pub fn end(self) -> String {
        let log = self.controller.stop();
        assert_made_once(&self.site.writes());
        assert_nothing_twice(&self.site.writes());
        self.site.assert_clean();
        log
    }
}

/// Whether an object's status is about what it is now.
pub fn is_seen(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// A rule: no watch comes through.
pub fn no_watch(asked: &Asked) -> Verdict {
    if asked.is_watch() {
        Verdict::Cut
    } else {
        Verdict::Pass
    }
}

/// A rule: watches are open, and say nothing for now.
pub fn silent_watches(asked: &Asked) -> Verdict {
    if asked.is_watch() {
        Verdict::Hold
    } else {
        Verdict::Pass
    }
}
