//! Carrying out a set of changes: adds, then removes, then evaluation.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::workload::Staged;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::super::SiteClient;
use super::super::collection::CollectionId;
use super::super::mark::Mark;
use super::super::pilot::PilotState;
use super::super::state::{Owned, Pilot, SiteState};
use super::fill::{Slot, fill, name};
use super::memory::LeverMemory;
use super::{
    Blocked, Claimant, Journal, LeverOptions, LeverReport, MembershipChange, Outcome, Stopped,
    Write,
};

impl SiteClient {
    /// Carries out `changes` on the site as `state` has it: makes and includes the owned
    /// collections that are missing, adds rules, then deletes rules, then asks for one evaluation
    /// of each collection that was touched, or was left unevaluated by an earlier run.
    ///
    /// Nothing that the site has already is sent. The first request that could not be sent, or whose
    /// answer was lost, ends it: what is left is found again when the site's state is next read.
    pub async fn carry_out<J: Journal>(
        &self,
        state: &SiteState,
        claimant: &Claimant,
        changes: &[MembershipChange],
        memory: &mut LeverMemory,
        journal: &J,
        options: &LeverOptions,
    ) -> LeverReport {
        let mut pull = Pull {
            client: self,
            state,
            memory,
            journal,
            options,
            names: state.names.clone(),
            filled: Touched::default(),
            emptied: Touched::default(),
            placed: BTreeSet::new(),
            report: LeverReport::default(),
        };
        let holds = state.claim_in_force().is_some_and(|claim| {
            claim.epoch == claimant.epoch && claim.installation == claimant.installation
        });
        if !holds {
            let holder = state.claim_in_force().cloned();
            pull.report.stopped = Some(Stopped::NotHolder(holder));
            return pull.report;
        }
        if let Err(stopped) = pull.all(changes).await {
            warn!(?stopped, "the lever was let go");
            pull.report.stopped = Some(stopped);
        }
        pull.report
    }
}

/// Collections to be evaluated, each once, in the order they were touched.
#[derive(Debug, Default)]
struct Touched(Vec<(CollectionId, Staged)>);

impl Touched {
    fn add(&mut self, id: &CollectionId, staged: Staged) {
        if !self.0.iter().any(|(known, _)| known == id) {
            self.0.push((id.clone(), staged));
        }
    }
}

struct Pull<'a, J> {
    client: &'a SiteClient,
    state: &'a SiteState,
    memory: &'a mut LeverMemory,
    journal: &'a J,
    options: &'a LeverOptions,
    names: BTreeSet<String>,
    filled: Touched,
    emptied: Touched,
    /// Devices of which it is certain that a rule places them anew.
    placed: BTreeSet<(Staged, u32)>,
    report: LeverReport,
}

impl<J: Journal> Pull<'_, J> {
    async fn all(&mut self, changes: &[MembershipChange]) -> Result<(), Stopped> {
        let mut allowed = Vec::new();
        for change in changes {
            match self.pilot(change.staged) {
                Ok(_) => allowed.push(change),
                Err(why) => self.block(change, why),
            }
        }
        for change in &allowed {
            self.place(change).await?;
        }
        let joining: BTreeSet<(Staged, u32)> = allowed
            .iter()
            .flat_map(|change| change.add.iter().map(|&device| (change.staged, device)))
            .collect();
        for change in &allowed {
            self.take_out(change, &joining).await?;
        }
        self.evaluate().await
    }

    /// The pilot collection of a workload, if it may be written to.
    fn pilot(&self, staged: Staged) -> Result<&Pilot, Blocked> {
        let Some(pilot) = self.state.pilots.get(&staged) else {
            return Err(Blocked::Pilot("there is none".to_owned()));
        };
        match &pilot.state {
            PilotState::Marked => Ok(pilot),
            PilotState::NotMarked => Err(Blocked::Pilot("it does not carry the mark".to_owned())),
            PilotState::Unreadable(error) => Err(Blocked::Pilot(error.to_string())),
            PilotState::Unsafe(hazards) => {
                let hazards: Vec<String> = hazards.iter().map(ToString::to_string).collect();
                Err(Blocked::Pilot(hazards.join("; ")))
            }
        }
    }

    fn block(&mut self, change: &MembershipChange, why: Blocked) {
        self.report
            .blocked
            .push((change.staged, change.owner.clone(), why));
    }

    /// Puts the devices of one change into collections that its assignment owns.
    async fn place(&mut self, change: &MembershipChange) -> Result<(), Stopped> {
        if let Some(unread) = self.unread(change) {
            self.block(change, Blocked::Unread(unread));
            return Ok(());
        }
        let existing = self.own(change);
        let mut missing = Vec::new();
        let wanted: BTreeSet<u32> = change.add.iter().copied().collect();
        for device in wanted {
            if existing.iter().any(|(_, rules)| rules.contains(&device)) {
                self.report.already += 1;
                self.placed.insert((change.staged, device));
            } else {
                missing.push(device);
            }
        }
        let rooms: Vec<(CollectionId, usize)> = existing
            .iter()
            .map(|(owned, rules)| (owned.id.clone(), rules.len()))
            .collect();
        for (owned, rules) in &existing {
            // An earlier run may have ended between making a collection and including it.
            let needed = !rules.is_empty() || !missing.is_empty();
            if needed && !self.memory.is_included(self.state, owned) {
                let id = owned.id.clone();
                self.include(change, &id).await?;
            }
        }
        for (slot, devices) in fill(&rooms, &missing) {
            let id = match slot {
                Slot::Existing(id) => Some(id),
                Slot::New => self.make(change).await?,
            };
            if let Some(id) = id {
                self.add_rules(change, &id, &devices).await?;
            }
        }
        Ok(())
    }

    /// The collections that the owner of `change` has and that may be written to, with the
    /// devices that their rules name.
    fn own(&self, change: &MembershipChange) -> Vec<(Owned, BTreeSet<u32>)> {
        let limiting = self.limiting(change.staged);
        self.of_owner(change)
            .filter(|owned| owned.limiting.as_ref() == limiting)
            .map(|owned| (owned.clone(), self.memory.rules_of(owned)))
            .collect()
    }

    /// A collection that the owner of `change` has, and of which it is not known what limits it, as it is of
    /// the pilot collection.
    fn unread(&self, change: &MembershipChange) -> Option<CollectionId> {
        self.limiting(change.staged)?;
        let unread = self.of_owner(change).find(|owned| owned.limiting.is_none());
        unread.map(|owned| owned.id.clone())
    }

    fn limiting(&self, staged: Staged) -> Option<&CollectionId> {
        self.state.pilots.get(&staged)?.limiting.as_ref()
    }

    fn of_owner(&self, change: &MembershipChange) -> impl Iterator<Item = &Owned> {
        self.state.owned.values().filter(|owned| {
            owned.staged == change.staged && owned.owner == change.owner && owned.uid == change.uid
        })
    }

    /// Makes a collection for the owner of `change` and has the pilot collection include it.
    async fn make(&mut self, change: &MembershipChange) -> Result<Option<CollectionId>, Stopped> {
        let Some(limiting) = self
            .pilot(change.staged)
            .ok()
            .and_then(|pilot| pilot.limiting.clone())
        else {
            let why = "its limiting collection could not be read".to_owned();
            self.block(change, Blocked::Pilot(why));
            return Ok(None);
        };
        let MembershipChange {
            staged, owner, uid, ..
        } = change;
        let name = name(&self.state.fleet, *staged, owner, uid, &self.names);
        self.names.insert(name.to_lowercase());
        let write = Write::CreateCollection {
            name,
            mark: Mark::Owned {
                fleet: self.state.fleet.clone(),
                staged: *staged,
                owner: owner.clone(),
                uid: uid.clone(),
            },
            limiting,
        };
        match self.send(write).await? {
            (Outcome::Refused { detail, .. }, _) => {
                self.block(change, Blocked::Refused(detail));
                Ok(None)
            }
            (_, Some(id)) => {
                let included = self.include(change, &id).await?;
                Ok(included.then_some(id))
            }
            (_, None) => Ok(None),
        }
    }

    async fn include(
        &mut self,
        change: &MembershipChange,
        id: &CollectionId,
    ) -> Result<bool, Stopped> {
        let pilot = match self.pilot(change.staged) {
            Ok(pilot) => pilot.id.clone(),
            Err(why) => {
                self.block(change, why);
                return Ok(false);
            }
        };
        let write = Write::Include {
            pilot,
            owned: id.clone(),
        };
        self.filled.add(id, change.staged);
        match self.send(write).await?.0 {
            Outcome::Refused { detail, .. } => {
                self.block(change, Blocked::Refused(detail));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    async fn add_rules(
        &mut self,
        change: &MembershipChange,
        id: &CollectionId,
        devices: &[u32],
    ) -> Result<(), Stopped> {
        for batch in devices.chunks(self.options.batch.max(1)) {
            let write = Write::AddRules {
                collection: id.clone(),
                resources: batch.to_vec(),
            };
            // Even a refusal may have left some rules behind.
            self.filled.add(id, change.staged);
            match self.send(write).await?.0 {
                Outcome::Refused { detail, .. } => self.block(change, Blocked::Refused(detail)),
                _ => self
                    .placed
                    .extend(batch.iter().map(|&device| (change.staged, device))),
            }
        }
        Ok(())
    }

    /// Takes the devices of one change out of owned collections. A device that is handed over stays
    /// until it is placed anew.
    async fn take_out(
        &mut self,
        change: &MembershipChange,
        joining: &BTreeSet<(Staged, u32)>,
    ) -> Result<(), Stopped> {
        for (id, devices) in &change.remove {
            let Some(owned) = self
                .state
                .owned
                .get(id)
                .filter(|owned| owned.staged == change.staged)
            else {
                self.block(change, Blocked::NotOwned(id.clone()));
                continue;
            };
            let rules = self.memory.rules_of(owned);
            let wanted: BTreeSet<u32> = devices.iter().copied().collect();
            let (mut gone, mut staying, mut leaving) = (0, 0, Vec::new());
            for device in wanted {
                let key = (change.staged, device);
                if !rules.contains(&device) {
                    gone += 1;
                } else if joining.contains(&key) && !self.placed.contains(&key) {
                    staying += 1;
                } else {
                    leaving.push(device);
                }
            }
            self.report.already += gone;
            if staying > 0 {
                self.block(change, Blocked::HandOver(staying));
            }
            for batch in leaving.chunks(self.options.batch.max(1)) {
                let write = Write::DeleteRules {
                    collection: id.clone(),
                    resources: batch.to_vec(),
                };
                self.emptied.add(id, change.staged);
                if let Outcome::Refused { detail, .. } = self.send(write).await?.0 {
                    self.block(change, Blocked::Refused(detail));
                }
            }
        }
        Ok(())
    }

    /// Asks for evaluation: collections that gained, then those that lost, then the pilots, so that
    /// a device that is handed over is never in neither.
    async fn evaluate(&mut self) -> Result<(), Stopped> {
        let mut owned = std::mem::take(&mut self.filled);
        for (id, staged) in std::mem::take(&mut self.emptied).0 {
            owned.add(&id, staged);
        }
        let again =
            SignedDuration::try_from(self.options.refresh_again).unwrap_or(SignedDuration::MAX);
        let asked_lately = self.now().checked_sub(again).unwrap_or(Timestamp::MIN);
        for left in self.unevaluated() {
            if !self.memory.refreshed_since(&left.id, asked_lately) {
                owned.add(&left.id, left.staged);
            }
        }
        let mut pilots: BTreeMap<CollectionId, Staged> = BTreeMap::new();
        for (_, staged) in &owned.0 {
            if let Ok(pilot) = self.pilot(*staged) {
                pilots.insert(pilot.id.clone(), *staged);
            }
        }
        for (&staged, pilot) in &self.state.pilots {
            if pilot.state == PilotState::Marked
                && self.is_behind(pilot, staged, again)
                && !self.memory.refreshed_since(&pilot.id, asked_lately)
            {
                pilots.insert(pilot.id.clone(), staged);
            }
        }
        let owned = owned.0.into_iter().map(|(id, _)| id);
        for collection in owned.chain(pilots.into_keys()).collect::<Vec<_>>() {
            self.send(Write::Refresh { collection }).await?;
        }
        Ok(())
    }

    /// Owned collections that were changed and not evaluated since: an earlier run ended in between.
    fn unevaluated(&self) -> Vec<Owned> {
        self.state
            .owned
            .values()
            .filter(|owned| {
                self.pilot(owned.staged).is_ok()
                    && owned
                        .members
                        .as_ref()
                        .is_some_and(|members| *members != self.memory.rules_of(owned))
                    && match (owned.last_refresh, owned.last_change) {
                        (Some(refresh), Some(change)) => refresh <= change,
                        (None, _) => true,
                        (Some(_), None) => false,
                    }
            })
            .cloned()
            .collect()
    }

    /// Whether a pilot collection lacks members of one that it includes, and was evaluated before it
    /// or so soon after it that it may have read it as it was before.
    fn is_behind(&self, pilot: &Pilot, staged: Staged, again: SignedDuration) -> bool {
        let Some(members) = &pilot.members else {
            return false;
        };
        self.state
            .owned
            .values()
            .filter(|owned| owned.staged == staged && self.memory.is_included(self.state, owned))
            .any(|owned| {
                let later = match (pilot.last_refresh, owned.last_refresh) {
                    (Some(pilot), Some(owned)) => pilot.duration_since(owned) < again,
                    (None, Some(_)) => true,
                    (_, None) => false,
                };
                let own = owned.members.as_ref();
                later && own.is_some_and(|own| !own.is_subset(members))
            })
    }

    /// Sends one write, between two entries of the journal.
    async fn send(&mut self, write: Write) -> Result<(Outcome, Option<CollectionId>), Stopped> {
        self.journal
            .about_to_send(&write)
            .await
            .map_err(Stopped::Journal)?;
        let (outcome, id) = self.client.send_write(&write).await;
        info!(%write, ?outcome, "wrote to the site");
        let includes = self.includes_before(&write);
        let now = self.now();
        self.memory.note(&write, &outcome, now, includes);
        self.report.writes.push((write.clone(), outcome.clone()));
        self.journal
            .sent(&write, &outcome)
            .await
            .map_err(Stopped::Journal)?;
        match outcome {
            Outcome::NotSent(error) => Err(Stopped::Estate(error)),
            Outcome::Unknown { detail } => Err(Stopped::Unknown(detail)),
            outcome => Ok((outcome, id)),
        }
    }

    /// How many includes a pilot collection had before `write`, which includes one more.
    fn includes_before(&self, write: &Write) -> Option<i64> {
        let Write::Include { pilot: id, .. } = write else {
            return None;
        };
        let pilot = self.state.pilots.values().find(|pilot| pilot.id == *id)?;
        let sent = self.report.writes.iter().filter(|(write, outcome)| {
            matches!(write, Write::Include { pilot, .. } if pilot == id)
                && *outcome == Outcome::Sent
        });
        pilot
            .include_count?
            .checked_add(i64::try_from(sent.count()).ok()?)
    }

    fn now(&self) -> Timestamp {
        self.client.clock().now()
    }
}
