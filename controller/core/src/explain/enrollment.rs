//! Why a device joins the pilot of automatic enrolment or not.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::trace::{self, GroupTrace};
use crate::engine::{BlockReason, Engine, Enrolling};
use crate::explain::sentence::ineligible;

/// Everything that decides whether one device joins the pilot of automatic enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentExplanation {
    /// What would become of it, in a word: `NotAsked`, `Member`, `Joins`, `Blocked`.
    pub verdict: Cow<'static, str>,
    /// Why, in a word, where it is blocked.
    pub reason: Option<Cow<'static, str>>,
    /// The same as a sentence.
    pub summary: String,
    /// How the policy's pilot group comes to contain the device or not; null where it is missing.
    pub group: Option<GroupTrace>,
}

/// Explains the device in `row`, where the policy has devices join.
pub(super) fn explain(engine: &Engine<'_>, row: usize) -> Option<EnrollmentExplanation> {
    let pilot = engine
        .desired()
        .policy
        .as_ref()?
        .enrollment_pilot
        .as_ref()?;
    let collection = &pilot.collection;
    let (verdict, reason, summary) = match engine.enrolling(row) {
        Enrolling::NotAsked => (
            "NotAsked",
            None,
            format!("the policy does not ask it into {collection}"),
        ),
        Enrolling::Member => (
            "Member",
            None,
            format!("it is in {collection}, and stays there: leaving would not unenrol it"),
        ),
        Enrolling::Joins => ("Joins", None, format!("it would join {collection}")),
        Enrolling::Blocked(reason) => (
            "Blocked",
            Some(reason.name()),
            format!("it would join {collection}, but {}", hindrance(reason)),
        ),
    };
    Some(EnrollmentExplanation {
        verdict: verdict.into(),
        reason: reason.map(Cow::Borrowed),
        summary,
        group: pilot.group.map(|group| trace::group(engine, row, group)),
    })
}

fn hindrance(reason: BlockReason) -> &'static str {
    match reason {
        BlockReason::Ineligible(reason) => ineligible(reason),
        BlockReason::Unread => "its members could not be read",
        BlockReason::Held => "whether the pilot group has it is not known",
        // Of assignments alone.
        BlockReason::AmbiguousAssignment | BlockReason::Foreign | BlockReason::AdmitWhen => {
            "an assignment stands in the way"
        }
    }
}
