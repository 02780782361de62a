//! What git asks for, as decisions need it: valid by itself, and with its references resolved.
//!
//! Whoever reads documents builds [`Resources`] out of them; [`assemble`] judges them together and
//! resolves their references into one [`Desired`] for each fleet.

mod assemble;
mod guardrails;
mod order;
mod rollout;
mod rules;
mod stand_ins;

pub use assemble::{Assembly, assemble};
pub use guardrails::{Freeze, Guardrails};
pub use rollout::{OnFailure, Rollout, Step, Window};
pub use stand_ins::{StandIn, Unreadable};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::Span;
use crate::finding::{Finding, Origin};
use crate::inventory::JoinType;
use crate::requirement::{Requires, Unmet};
use crate::resource::{Kind, ObjectName};
use crate::selector::Selector;
use crate::version::Version;
use crate::workload::{Authority, Slider, Workload};

/// The oldest Windows that can be co-managed: Windows 10 1709 (memdocs: comanage/overview.md).
pub const OLDEST_WINDOWS: &str = "10.0.16299";

/// What a document says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The caller's number for it.
    pub origin: Origin,
    /// Its namespace; `None` takes its fleet's.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Whether a resource acts or only watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// It acts.
    #[default]
    Enforce,
    /// It neither asks nor takes back; what it would do is reported.
    Observe,
}

/// What happens to devices when a resource goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnDelete {
    /// They stay where they are.
    #[default]
    Retain,
    /// They go back to Configuration Manager.
    Revert,
}

/// A fleet, as far as decisions care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSpec {
    /// The document.
    pub header: Header,
    /// Nothing is written to this estate.
    pub suspend: bool,
    /// Whether anything is written at all.
    pub mode: Mode,
    /// Limits on what may change unasked.
    pub guardrails: Guardrails,
    /// How old a report may be before a device counts as stale.
    pub stale_after: Span,
    /// How lately a device must have been heard of to count as online.
    pub online_within: Span,
    /// Whether beta endpoints of Graph may be used, which two workloads are reported by alone.
    pub beta: bool,
}

/// A group's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// The document.
    pub header: Header,
    /// Its fleet's name.
    pub fleet: String,
    /// Clauses that must all hold.
    pub selector: Option<Selector>,
    /// Devices by name, serial number or id.
    pub devices: Vec<String>,
    /// Groups whose members it has.
    pub include: Vec<String>,
    /// Groups whose members it does not have.
    pub exclude: Vec<String>,
}

/// How devices come to be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AutomaticEnrollment {
    /// No device enrols by itself.
    #[default]
    None,
    /// The members of the pilot collection do.
    Pilot,
    /// All do.
    All,
}

/// What a policy says of enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Enrollment {
    /// As set in the console; `None` where the policy says nothing of enrolment.
    pub automatic: Option<AutomaticEnrollment>,
    /// Who joins the pilot collection.
    pub pilot_group: Option<String>,
    /// The pilot collection for automatic enrolment.
    pub pilot_collection: Option<String>,
}

/// Where a policy wants a workload's slider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSlider {
    /// Its position.
    pub slider: Slider,
    /// The collection on the Staging tab; there exactly when the slider is a pilot.
    pub pilot_collection: Option<String>,
}

/// A co-management policy's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySpec {
    /// The document.
    pub header: Header,
    /// Its fleet's name.
    pub fleet: String,
    /// How devices come to be enrolled.
    pub enrollment: Enrollment,
    /// What a device must have to be moved.
    pub prerequisites: Prerequisites,
    /// By [`Workload::index`]; absent means that Diarchy leaves the workload alone.
    pub workloads: [Option<WorkloadSlider>; 7],
}

/// What a device must have to be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prerequisites {
    /// The oldest operating system.
    pub minimum_os: Version,
    /// The ways of being joined that count.
    pub join_types: Vec<JoinType>,
}

impl Default for Prerequisites {
    fn default() -> Self {
        Self {
            minimum_os: OLDEST_WINDOWS
                .parse()
                .expect("the constant is a version, as a test shows"),
            join_types: vec![JoinType::HybridJoined, JoinType::EntraJoined],
        }
    }
}

/// An assignment's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentSpec {
    /// The document.
    pub header: Header,
    /// Its fleet's name.
    pub fleet: String,
    /// The workload it is about.
    pub workload: Workload,
    /// The group it is for.
    pub group: String,
    /// Who shall have authority.
    pub authority: Authority,
    /// Higher wins.
    pub priority: i32,
    /// Whether it acts.
    pub mode: Mode,
    /// Frozen by git.
    pub suspend: bool,
    /// Frozen by a person, with the annotation `diarchy.dev/paused`.
    pub paused: bool,
    /// What must hold for a device to join.
    pub admit_when: Option<Selector>,
    /// What must be ready first.
    pub requires: Vec<Requires>,
    /// How it goes out; `None` is all at once.
    pub rollout: Option<Rollout>,
    /// What happens to its devices when it goes.
    pub on_delete: OnDelete,
}

/// Every document of a revision, each valid by itself.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// The fleets.
    pub fleets: Vec<FleetSpec>,
    /// The groups.
    pub groups: Vec<GroupSpec>,
    /// The co-management policies.
    pub policies: Vec<PolicySpec>,
    /// The assignments.
    pub assignments: Vec<AssignmentSpec>,
    /// Documents that exist but count for nothing else: of kinds that ask nothing of a fleet or are
    /// not carried out yet, and those that failed by themselves, so that a reference to one is not
    /// called dangling.
    pub named: Vec<Named>,
}

/// A document that is only known to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The document.
    pub header: Header,
    /// Its kind.
    pub kind: Kind,
    /// Its fleet's name, where it could be read.
    pub fleet: Option<String>,
}

/// A group with its references resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: ObjectName,
    /// Clauses that must all hold.
    pub selector: Option<Selector>,
    /// Devices by name, serial number or id.
    pub devices: Vec<String>,
    /// Groups whose members it has; `None` is a group whose members nobody knows.
    pub include: Vec<Option<GroupIndex>>,
    /// Groups whose members it does not have.
    pub exclude: Vec<Option<GroupIndex>>,
}

/// A group's place in [`Desired::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupIndex(pub usize);

/// An assignment's place in [`Desired::assignments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssignmentIndex(pub usize);

/// How far an assignment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Force {
    /// It asks and takes back.
    InForce,
    /// It keeps its devices where it put them and writes nothing.
    Frozen(FrozenBy),
    /// It neither asks nor takes back.
    Observing,
}

impl Force {
    /// Whether it asks and takes back.
    #[must_use]
    pub const fn is_in_force(self) -> bool {
        matches!(self, Self::InForce)
    }

    /// Whether it is in force, or will be once what it requires is ready: whoever stops it must stop it
    /// in both cases.
    #[must_use]
    pub const fn may_come_into_force(self) -> bool {
        matches!(self, Self::InForce | Self::Frozen(FrozenBy::Requires))
    }
}

/// Why an assignment is frozen; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FrozenBy {
    /// `suspend: true`
    Suspend,
    /// The annotation `diarchy.dev/paused`.
    Pause,
    /// What it requires is not ready, or not known to be.
    Requires,
    /// It is wrong by itself or beside others. A revision with such a mistake is refused as a whole;
    /// where resources come one by one, the one that is wrong stands still.
    Invalid,
}

/// An assignment with its references resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its name.
    pub name: ObjectName,
    /// The workload it is about.
    pub workload: Workload,
    /// The group it is for; `None` is one whose members nobody knows.
    pub group: Option<GroupIndex>,
    /// How that group is called.
    pub group_name: String,
    /// Who shall have authority.
    pub authority: Authority,
    /// Higher wins.
    pub priority: i32,
    /// How far it counts.
    pub force: Force,
    /// What must hold for a device to join.
    pub admit_when: Option<Selector>,
    /// What must be ready first. Not written down: what is decided from has been judged, and says what
    /// is unmet.
    #[serde(skip)]
    pub requires: Vec<Requires>,
    /// What of that is not ready, or not known to be.
    pub unmet: Vec<Unmet>,
    /// How it goes out.
    pub rollout: Option<Rollout>,
    /// What happens to its devices when it goes.
    pub on_delete: OnDelete,
}

/// The pilot of automatic enrolment, where a policy has devices join it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentPilot {
    /// The group whose devices join; `None` is one whose members nobody knows.
    pub group: Option<GroupIndex>,
    /// The collection that they join, by id. They never leave it: leaving does not unenrol.
    pub collection: String,
}

/// A co-management policy with its references resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: ObjectName,
    /// How devices come to be enrolled.
    pub enrollment: Enrollment,
    /// Who joins the pilot of automatic enrolment.
    pub enrollment_pilot: Option<EnrollmentPilot>,
    /// What a device must have to be moved.
    pub prerequisites: Prerequisites,
    /// By [`Workload::index`].
    pub workloads: [Option<WorkloadSlider>; 7],
}

impl Policy {
    /// Where it wants the slider of `workload`; `None` leaves the workload alone.
    #[must_use]
    pub fn slider(&self, workload: Workload) -> Option<Slider> {
        self.workloads[workload.index()]
            .as_ref()
            .map(|workload| workload.slider)
    }

    /// The pilot collection of `workload`, by id.
    #[must_use]
    pub fn pilot_collection(&self, workload: Workload) -> Option<&str> {
        self.workloads[workload.index()]
            .as_ref()
            .and_then(|workload| workload.pilot_collection.as_deref())
    }

    /// Every collection it names, by id.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.workloads
            .iter()
            .flatten()
            .filter_map(|workload| workload.pilot_collection.as_deref())
            .chain(self.enrollment.pilot_collection.as_deref())
    }
}

/// Everything that git asks of one fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The fleet's name.
    pub fleet: ObjectName,
    /// Nothing is written to this estate.
    pub suspend: bool,
    /// Whether anything is written at all.
    pub mode: Mode,
    /// Limits on what may change unasked.
    pub guardrails: Guardrails,
    /// How old a report may be before a device counts as stale.
    pub stale_after: Duration,
    /// How lately a device must have been heard of to count as online.
    pub online_within: Duration,
    /// Whether beta endpoints of Graph may be used, which two workloads are reported by alone.
    pub beta: bool,
    /// Where the sliders stand; without a policy no workload is managed.
    pub policy: Option<Policy>,
    /// The groups, each after those that it refers to.
    pub groups: Vec<Group>,
    /// The assignments, by name.
    pub assignments: Vec<Assignment>,
}

impl Desired {
    /// Where the slider of `workload` shall stand; `None` leaves the workload alone.
    #[must_use]
    pub fn slider(&self, workload: Workload) -> Option<Slider> {
        self.policy
            .as_ref()
            .and_then(|policy| policy.slider(workload))
    }

    /// The workloads that assignments decide.
    pub fn pilot_workloads(&self) -> impl Iterator<Item = Workload> + '_ {
        Workload::ASSIGNABLE
            .into_iter()
            .filter(|workload| self.slider(*workload) == Some(Slider::PilotIntune))
    }

    /// Whether devices report who has authority over `workload`. What nothing reports counts as moved
    /// once the site has it there (Graph: `configurationManagerClientEnabledFeatures` has
    /// `endpointProtection` and `officeApps` in beta only).
    #[must_use]
    pub const fn is_reported(&self, workload: Workload) -> bool {
        let in_beta = matches!(
            workload,
            Workload::EndpointProtection | Workload::OfficeClickToRun
        );
        self.beta || !in_beta
    }

    /// The assignment at `index`.
    #[must_use]
    pub fn assignment(&self, index: AssignmentIndex) -> &Assignment {
        &self.assignments[index.0]
    }

    /// The group at `index`.
    #[must_use]
    pub fn group(&self, index: GroupIndex) -> &Group {
        &self.groups[index.0]
    }

    /// The assignment called `name`, of whichever workload.
    #[must_use]
    pub fn find_assignment(&self, name: &ObjectName) -> Option<AssignmentIndex> {
        self.assignments
            .binary_search_by(|assignment| assignment.name.cmp(name))
            .ok()
            .map(AssignmentIndex)
    }

    /// Whether an owned collection for `workload` may belong to `assignment`: its own workload, and
    /// EndpointProtection for an assignment of DeviceConfiguration, which places devices there too.
    #[must_use]
    pub fn places_in(&self, assignment: AssignmentIndex, workload: Workload) -> bool {
        let own = self.assignment(assignment).workload;
        own == workload
            || (own == Workload::DeviceConfiguration && workload == Workload::EndpointProtection)
    }
}

/// Findings, and whether any of them stops the revision.
#[must_use]
pub fn is_refused(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity() == crate::finding::Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_windows_is_a_version() {
        assert_eq!(
            Prerequisites::default().minimum_os.to_string(),
            OLDEST_WINDOWS
        );
    }
}
