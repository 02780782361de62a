//! What somebody else has changed: devices that stand otherwise than they were left.
//!
//! What a fleet is on its way to is no drift, nor is what git asks for since: a device drifts when the
//! site, or the device itself, says otherwise than when the loop last looked, and nothing that the loop
//! has done since explains it. Devices that ignore the sliders are a known exception, and a slider that
//! was moved is told once and not for each device.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{BlockReason, Engine, Kept, Verdict};
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// How a device stands otherwise than it was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DriftKind {
    /// Somebody took it out of the collection that it was placed in.
    TakenOut,
    /// Somebody put it into a collection that the pilot includes, or into the pilot itself.
    PutIn,
    /// It was re-imaged or joined anew: the site knows it by another number, which is in no collection.
    Rejoined,
    /// It reports Configuration Manager, though it reported Intune before and its collections are the
    /// same.
    ReportsOtherwise,
}

impl DriftKind {
    /// What happened to the device, in words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::TakenOut => "somebody took it out of its collection",
            Self::PutIn => "somebody put it into a collection",
            Self::Rejoined => "it joined the site anew",
            Self::ReportsOtherwise => "it reports otherwise than before",
        }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One device that drifts for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// How.
    pub kind: DriftKind,
    /// Who should have authority; the other one has it, or will.
    pub wanted: Authority,
    /// When it was found.
    pub since: Timestamp,
}

/// Devices that drift, by first id and workload.
pub type Drifts = BTreeMap<String, BTreeMap<Workload, Drift>>;

/// How a drift has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DriftEnd {
    /// It was written back.
    Corrected,
    /// It went back without a write of ours.
    Undone,
    /// Git asks for it as it stands by now, or asks for nothing.
    Agreed,
    /// Most devices turned out to report the same: the slider was moved, and is told instead.
    SliderMoved,
    /// The device is not in the inventory any more.
    Gone,
}

impl DriftEnd {
    /// What has ended it, in words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Corrected => "it was written back",
            Self::Undone => "it went back without a write",
            Self::Agreed => "git asks for it as it stands",
            Self::SliderMoved => "the slider of its workload was moved",
            Self::Gone => "the device is gone",
        }
    }
}

/// How a device was left for one workload, when the loop last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on each other"
)]
pub struct Left {
    /// An owned collection had a rule for it.
    pub had_rule: bool,
    /// Something that Diarchy did not make held it.
    pub was_foreign: bool,
    /// It was in the pilot, and reported Intune.
    pub reported_intune: bool,
    /// The loop was about to change it.
    pub was_touched: bool,
    /// The site knew it by another number.
    pub had_other_number: bool,
}

/// What is seen of a device now, besides what the engine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sight {
    /// An owned collection has a rule for it.
    pub has_rule: bool,
    /// Its report is newer than the last write for it.
    pub is_evidence: bool,
    /// Where the last write that is not proved yet has it go.
    pub on_its_way: Option<Authority>,
    /// Most devices contradict the slider of the workload.
    pub slider_contradicted: bool,
}

/// How the device in `row` drifts, of which nothing was known to drift before: the kind, and who should
/// have authority.
#[must_use]
pub fn drift(
    engine: &Engine<'_>,
    (row, workload): (usize, Workload),
    left: &Left,
    sight: &Sight,
) -> Option<(DriftKind, Authority)> {
    let holding = engine.holding(row, workload)?;
    let is_ours = |to| left.was_touched || sight.on_its_way == Some(to);
    let lost_rule = left.had_rule && !sight.has_rule && !is_ours(Authority::ConfigurationManager);
    if lost_rule && left.had_other_number {
        let is_asked = engine.asked(row, workload) == Some(Authority::Intune);
        return is_asked.then_some((DriftKind::Rejoined, Authority::Intune));
    }
    let wanted = wanted(engine, row, workload)?;
    let is_put_in = (sight.has_rule && !left.had_rule && !is_ours(Authority::Intune))
        || (holding.foreign && !left.was_foreign);
    match wanted {
        Authority::Intune if lost_rule => return Some((DriftKind::TakenOut, wanted)),
        Authority::ConfigurationManager if is_put_in => return Some((DriftKind::PutIn, wanted)),
        Authority::Intune | Authority::ConfigurationManager => {}
    }
    // Who cannot be moved may have ignored the sliders all along.
    let is_settled = engine.eligibility().judge(row).is_none()
        && sight.is_evidence
        && sight.on_its_way.is_none()
        && !left.was_touched;
    let stays = sight.has_rule || holding.foreign;
    let reports_otherwise =
        left.reported_intune && engine.inventory().observed(workload).get(row) == Ternary::No;
    (reports_otherwise && is_settled && stays && !sight.slider_contradicted)
        .then_some((DriftKind::ReportsOtherwise, Authority::Intune))
}

/// Whether and how `drift` of the device in `row` has ended.
#[must_use]
pub fn has_ended(
    engine: &Engine<'_>,
    (row, workload): (usize, Workload),
    drift: &Drift,
    sight: &Sight,
) -> Option<DriftEnd> {
    // What cannot be read now may be as it was.
    let holding = engine.holding(row, workload)?;
    let is_back = match drift.kind {
        DriftKind::TakenOut | DriftKind::Rejoined => sight.has_rule,
        DriftKind::PutIn => !sight.has_rule && !holding.foreign,
        DriftKind::ReportsOtherwise => {
            engine.inventory().observed(workload).get(row) == Ternary::Yes
        }
    };
    if is_back {
        let is_ours = sight.on_its_way == Some(drift.wanted);
        return Some(if is_ours {
            DriftEnd::Corrected
        } else {
            DriftEnd::Undone
        });
    }
    if drift.kind == DriftKind::ReportsOtherwise && sight.slider_contradicted {
        return Some(DriftEnd::SliderMoved);
    }
    let still_wanted = match drift.kind {
        DriftKind::ReportsOtherwise => sight.has_rule || holding.foreign,
        DriftKind::Rejoined => engine.asked(row, workload) == Some(drift.wanted),
        DriftKind::TakenOut | DriftKind::PutIn => {
            wanted(engine, row, workload).is_none_or(|wanted| wanted == drift.wanted)
        }
    };
    (!still_wanted).then_some(DriftEnd::Agreed)
}

/// Who should have authority over a device that can be moved, as far as that is known. Where nobody
/// asks, that is Configuration Manager, whatever may hold the device.
fn wanted(engine: &Engine<'_>, row: usize, workload: Workload) -> Option<Authority> {
    match engine.verdict(row, workload) {
        Verdict::Change { to, .. } => Some(to),
        Verdict::HandOver { .. } | Verdict::Kept(Kept::WithDeviceConfiguration) => {
            Some(Authority::Intune)
        }
        Verdict::Kept(Kept::AsAsked(index)) => Some(engine.desired().assignment(index).authority),
        Verdict::Kept(Kept::NobodyAsks | Kept::HeldBy(_))
        | Verdict::Blocked {
            reason: BlockReason::Foreign,
            ..
        } => Some(Authority::ConfigurationManager),
        Verdict::Kept(Kept::UnknownWithoutEffect | Kept::Ineligible(_))
        | Verdict::Blocked { .. }
        | Verdict::Unmanaged
        | Verdict::Settled(_) => None,
    }
}
