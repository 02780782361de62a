//! What no loop looks after: approvals for fleets that are not there, and deleted assignments that wait
//! for devices to go back and have nobody to bring them back, since their fleet is gone, or has no loop
//! and a person says that devices stay.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::WorkloadAssignment;
use diarchy_crds::approval::TargetKind;
use diarchy_operator::error::OperatorError;
use diarchy_operator::status;
use kube::ResourceExt as _;
use serde_json::json;

use crate::finalizers::{self, Abandoned, Act};
use crate::fleet_task::Shared;
use crate::holds::Thing;
use crate::loops::LoopKey;
use crate::objects::Guarded;
use crate::records::Records;
use crate::statuses::Found;
use crate::tenant::{Version, key};
use crate::wanted::{Said, Wanted};

/// Says of approvals that their fleet is not there. One replica does, for all. Gives whether nothing is
/// left to do.
pub async fn report_approvals(shared: &Shared, said: &BTreeMap<String, Said>) -> bool {
    if !shared.holds.may_send(&Thing::leadership()) {
        return true;
    }
    let mut found = Vec::new();
    for object in shared.objects.approvals.all() {
        let (Ok(approval), Some(namespace)) = (&object.0, object.namespace()) else {
            continue;
        };
        let target = &approval.spec.target_ref;
        let fleet = ObjectName::new(&namespace, target.name.as_str());
        let has_fleet = said
            .get(&namespace)
            .is_some_and(|said| said.fleets().contains_key(&fleet));
        if target.kind != TargetKind::Fleet || has_fleet {
            continue;
        }
        let old = approval.status.as_ref().map(|old| json!(old));
        let now = shared.clock.now();
        found.push(Found {
            key: key(Kind::Approval, &*object),
            version: Version::of(&*object),
            status: status::approval_without_fleet(old.as_ref(), now),
            old,
        });
    }
    match shared.reporter.report_found(found).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "what became of an approval was not reported");
            false
        }
    }
}

/// Lets go of deleted assignments. One replica does, for all. Gives whether nothing is left to do.
pub async fn release(
    shared: &Shared,
    said: &BTreeMap<String, Said>,
    wanted: &BTreeMap<LoopKey, Wanted>,
) -> bool {
    if !shared.holds.may_send(&Thing::leadership()) {
        return true;
    }
    let nothing = BTreeMap::new();
    let mut all = true;
    for object in shared.objects.assignments.all() {
        if !finalizers::is_going(&object) {
            continue;
        }
        let namespace = object.namespace().unwrap_or_default();
        let fleets = said.get(&namespace).map_or(&nothing, Said::fleets);
        if let Err(error) = consider(shared, &object, fleets, wanted).await {
            tracing::warn!(%error, "a finalizer was not taken away");
            all = false;
        }
    }
    all
}

/// Lets go of one that is being deleted, unless a loop brings its devices back.
async fn consider(
    shared: &Shared,
    object: &Guarded<WorkloadAssignment>,
    fleets: &BTreeMap<ObjectName, String>,
    wanted: &BTreeMap<LoopKey, Wanted>,
) -> Result<(), OperatorError> {
    let mut perhaps_its_own: Vec<(&ObjectName, &String)> = fleets.iter().collect();
    // Whose it is cannot always be read: then it may be of any fleet that remembers it.
    if let Ok(decoded) = &object.0 {
        perhaps_its_own.retain(|(name, _)| name.name == decoded.spec.fleet_ref.name.as_str());
        if perhaps_its_own.is_empty() {
            let act = Act::Abandon(Abandoned::NoFleet);
            return finalizers::carry_out(&shared.reporter, object, act).await;
        }
    }
    if !finalizers::is_abandoned(object) {
        return Ok(());
    }
    for (name, uid) in perhaps_its_own {
        let has_loop = wanted.contains_key(&(name.clone(), uid.clone()));
        // Its own loop hears the person too, and is the one that writes what it remembers.
        if has_loop && object.0.is_ok() {
            return Ok(());
        }
        let mut records = Records::new(shared.client.clone(), name.clone(), uid);
        let mut memory = records.load().await?;
        let of_object = object.uid().unwrap_or_default();
        if !memory.brings_back(&of_object) {
            continue;
        }
        if has_loop {
            return Ok(());
        }
        memory.let_go(&BTreeSet::from([of_object]));
        records.save(&memory).await?;
    }
    let act = Act::Abandon(Abandoned::ByPerson);
    finalizers::carry_out(&shared.reporter, object, act).await
}
