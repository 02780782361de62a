//! One fleet's control plane in a cluster, for one pass.

use std::collections::BTreeSet;

use diarchy_clock::Clock;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::Approval;
use diarchy_crds::approval::TargetKind;
use diarchy_operator::audit::Entry;
use diarchy_operator::control_plane::{ControlPlane, Loaded, Report, Statuses};
use diarchy_operator::error::OperatorError;
use diarchy_operator::memory::{FleetMemory, counts_until};
use diarchy_operator::status::{self, Approved, WrittenApproval};
use diarchy_operator::store::GivenApproval;
use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;
use tokio::sync::Mutex;

use crate::finalizers::{self, Abandoned, Act};
use crate::holds::{Holds, Thing};
use crate::known_statuses;
use crate::objects::Objects;
use crate::records::Records;
use crate::sources::signers;
use crate::statuses::{Found, Reporter};
use crate::tenant::{Tenant, Version, key};
use crate::wanted::Wanted;

/// One fleet's control plane, for one pass.
pub struct FleetPlane<'a> {
    /// The id of this installation.
    pub installation: &'a str,
    /// The clock that everything goes by.
    pub clock: &'a Clock,
    /// What the cluster holds.
    pub objects: &'a Objects,
    /// What the pass is made for.
    pub wanted: &'a Wanted,
    /// What this replica holds.
    pub holds: &'a Holds,
    /// The estate that the fleet is written for.
    pub estate: &'a Thing,
    /// What is remembered of the fleet.
    pub records: &'a Mutex<Records>,
    /// Where statuses and events go.
    pub reporter: &'a Reporter,
}

impl ControlPlane for FleetPlane<'_> {
    async fn load(&self, fleet: &ObjectName) -> Result<Loaded, OperatorError> {
        let memory = self.records.lock().await.load().await?;
        Ok(Loaded {
            installation: self.claimant(),
            approvals: self.approvals(fleet, &memory),
            statuses: self.statuses(fleet),
            memory,
        })
    }

    fn may_send(&self) -> Result<(), OperatorError> {
        if self.holds.may_send(self.estate) {
            return Ok(());
        }
        let fleet = &self.wanted.fleet.loaded.desired.fleet;
        Err(OperatorError::NotHolder(format!("the estate of {fleet}")))
    }

    async fn remember(&self, _: &ObjectName, memory: &FleetMemory) -> Result<(), OperatorError> {
        self.may_send()?;
        self.records.lock().await.save(memory).await
    }

    async fn approve(&self, approval: &GivenApproval) -> Result<(), OperatorError> {
        // Nobody is told to approve by itself in a cluster.
        let digest = &approval.digest;
        Err(OperatorError::Internal(format!(
            "{digest} would be approved without a person"
        )))
    }

    async fn audit(&self, entries: &[Entry]) -> Result<(), OperatorError> {
        for entry in entries {
            let line = serde_json::to_string(entry)
                .map_err(|error| OperatorError::Internal(error.to_string()))?;
            tracing::info!(target: "diarchy::audit", "{line}");
        }
        Ok(())
    }

    async fn report(&self, reports: Vec<Report>) -> Result<(), OperatorError> {
        self.may_send()?;
        let namespace = &self.wanted.fleet.loaded.desired.fleet.namespace;
        let known = known_statuses::of_namespace(self.objects, namespace);
        let Wanted {
            tenant, requests, ..
        } = self.wanted;
        self.reporter
            .report(&known, tenant, requests, reports)
            .await?;
        self.report_approvals().await?;
        self.finalize(None).await
    }
}

/// Something that waits for a person.
struct Target<'a> {
    kind: TargetKind,
    name: &'a str,
    uid: &'a str,
    digest: String,
    revision: &'a str,
}

impl FleetPlane<'_> {
    /// Who claims the fleet at the site: a copy of it in another namespace is somebody else, and so is
    /// the same one under another controller.
    fn claimant(&self) -> String {
        format!("{}/{}", self.installation, self.wanted.fleet.uid)
    }

    /// The last yes that counts for each plan, step and text that waits.
    fn approvals(&self, fleet: &ObjectName, memory: &FleetMemory) -> Vec<GivenApproval> {
        let signers = self.signers();
        let plan = memory.waiting.as_ref().and_then(|waiting| {
            let target = Target {
                kind: TargetKind::Fleet,
                name: &fleet.name,
                uid: &self.wanted.fleet.uid,
                digest: waiting.digest.to_string(),
                revision: &waiting.revision,
            };
            self.yes_to(&target, fleet, &signers, memory)
        });
        let of_assignments = memory.awaited().filter_map(|(name, digest, _)| {
            let name: ObjectName = name.parse().ok()?;
            let target = Target {
                kind: TargetKind::WorkloadAssignment,
                name: &name.name,
                uid: self.wanted.fleet.existing.uids.get(&name)?,
                digest: digest.to_string(),
                revision: "",
            };
            self.yes_to(&target, fleet, &signers, memory)
        });
        plan.into_iter().chain(of_assignments).collect()
    }

    /// The last yes to one thing that waits.
    fn yes_to(
        &self,
        wanted: &Target<'_>,
        fleet: &ObjectName,
        signers: &BTreeSet<String>,
        memory: &FleetMemory,
    ) -> Option<GivenApproval> {
        let now = self.clock.now();
        let approved = self.approved(signers);
        let counts = |approval: &Approval, expires: Timestamp| {
            let target = &approval.spec.target_ref;
            approved.may_be_approved_by(&approval.spec.approver)
                && target.kind == wanted.kind
                && target.name.as_str() == wanted.name
                && target.uid == wanted.uid
                && approval.spec.digest == wanted.digest
                && now < expires
                && approval.meta().deletion_timestamp.is_none()
        };
        self.objects
            .approvals
            .all()
            .into_iter()
            .filter(|approval| approval.namespace().as_deref() == Some(&fleet.namespace))
            .filter_map(|approval| {
                let decoded = approval.0.as_ref().ok()?;
                let at = made(decoded).unwrap_or(now);
                let says = decoded.spec.expires.as_str().parse().ok()?;
                let expires = counts_until(at, Some(says));
                let id = decoded.uid()?;
                let is_fresh = !memory.spent.contains_key(&id);
                (is_fresh && counts(decoded, expires)).then(|| GivenApproval {
                    digest: wanted.digest.clone(),
                    revision: wanted.revision.to_owned(),
                    approver: decoded.spec.approver.clone(),
                    at,
                    expires: Some(expires),
                    id: Some(id),
                })
            })
            .max_by_key(|given| given.at)
    }

    /// Who has signed what waits, and what will when it has settled, where sources verify signatures.
    fn signers(&self) -> BTreeSet<String> {
        let fleet = &self.wanted.fleet;
        let objects = Tenant::of_fleet(&fleet.loaded.desired);
        let mut all = signers(&self.objects.sources.all(), objects);
        all.extend(fleet.signers.iter().cloned());
        all
    }

    fn approved<'s>(&'s self, signers: &'s BTreeSet<String>) -> Approved<'s> {
        Approved {
            uid: &self.wanted.fleet.uid,
            signers,
            step_of: None,
        }
    }

    /// Sets and takes away finalizers, as far as it is remembered what is still to be done.
    async fn finalize(&self, abandoned: Option<Abandoned>) -> Result<(), OperatorError> {
        let fleet = &self.wanted.fleet.loaded.desired.fleet;
        let objects = self.objects.assignments.all();
        let records = self.records.lock().await;
        let Some(memory) = records.known() else {
            return Ok(());
        };
        let acts: Vec<_> = objects
            .iter()
            .filter(|object| finalizers::belongs_to(object, fleet, memory))
            .map(|object| (object, finalizers::after_pass(object, memory, abandoned)))
            .filter(|(_, act)| *act != Act::Keep)
            .collect();
        drop(records);
        for (object, act) in acts {
            finalizers::carry_out(self.reporter, object, act).await?;
        }
        Ok(())
    }

    /// Lets go of what is being deleted although its devices have not gone back, and forgets that they
    /// were to: of everything for the reason `why`, or without one of what a person has abandoned.
    /// Gives their uids.
    pub async fn abandon(&self, why: Option<Abandoned>) -> Result<BTreeSet<String>, OperatorError> {
        let fleet = &self.wanted.fleet.loaded.desired.fleet;
        let mut going = self.objects.assignments.all();
        going.retain(|one| {
            finalizers::is_going(one) && (why.is_some() || finalizers::is_abandoned(one))
        });
        if going.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut records = self.records.lock().await;
        let mut memory = records.load().await?;
        let going: BTreeSet<String> = going
            .iter()
            .filter(|one| finalizers::belongs_to(one, fleet, &memory))
            .filter_map(|one| one.uid())
            .collect();
        if going.is_empty() {
            return Ok(going);
        }
        self.may_send()?;
        memory.let_go(&going);
        records.save(&memory).await?;
        drop(records);
        self.finalize(why).await?;
        Ok(going)
    }

    /// Says of every approval for the fleet what became of it.
    async fn report_approvals(&self) -> Result<(), OperatorError> {
        let fleet = &self.wanted.fleet;
        let name = &fleet.loaded.desired.fleet;
        let now = self.clock.now();
        let records = self.records.lock().await;
        let Some(memory) = records.known() else {
            return Ok(());
        };
        let signers = self.signers();
        let approved = self.approved(&signers);
        let mut found = Vec::new();
        for object in self.objects.approvals.all() {
            let Ok(decoded) = &object.0 else { continue };
            if decoded.namespace().as_deref() != Some(&name.namespace) {
                continue;
            }
            let target = &decoded.spec.target_ref;
            let assignment = ObjectName::new(&name.namespace, target.name.as_str());
            let of_assignment = assignment.to_string();
            let approved = match target.kind {
                TargetKind::Fleet if target.name.as_str() == name.name => approved,
                TargetKind::WorkloadAssignment => match fleet.existing.uids.get(&assignment) {
                    Some(uid) => Approved {
                        uid,
                        step_of: Some(&of_assignment),
                        ..approved
                    },
                    None => continue,
                },
                TargetKind::Fleet | TargetKind::RemoteAction => continue,
            };
            let old = decoded.status.as_ref().map(|old| json!(old));
            let written = WrittenApproval {
                id: &decoded.uid().unwrap_or_default(),
                target: &target.uid,
                digest: &decoded.spec.digest,
                approver: &decoded.spec.approver,
                made: made(decoded),
                expires: decoded.spec.expires.as_str().parse().ok(),
            };
            let status = status::approval(written, approved, memory, old.as_ref(), now);
            found.push(Found {
                key: key(Kind::Approval, &*object),
                version: Version::of(&*object),
                old,
                status,
            });
        }
        drop(records);
        self.reporter.report_found(found).await
    }

    fn statuses(&self, fleet: &ObjectName) -> Statuses {
        known_statuses::of_namespace(self.objects, &fleet.namespace)
    }
}

/// When an approval was made.
fn made(approval: &Approval) -> Option<Timestamp> {
    approval.creation_timestamp().map(|time| time.0)
}
