//! The finalizer of assignments that take their devices back when they go (`onDelete: Revert`).
//!
//! It keeps the object for people to see while devices go back, and decides nothing: what goes back is
//! remembered with the fleet. It is let go of at once where nobody could bring devices back.

use diarchy_core::desired::OnDelete;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::WorkloadAssignment;
use diarchy_crds::manifest::ABANDON;
use diarchy_operator::error::OperatorError;
use diarchy_operator::memory::FleetMemory;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use crate::in_words;
use crate::objects::Guarded;
use crate::statuses::{self, Reporter};
use crate::tenant::Version;

/// The finalizer.
pub const FINALIZER: &str = "diarchy.dev/revert";

/// Why devices stay although they were to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// A person said so.
    ByPerson,
    /// The fleet is not there, or is being deleted.
    NoFleet,
    /// A credential that the fleet names is not there, or is being deleted.
    NoCredentials,
    /// Everything in the namespace goes.
    NamespaceEnds,
}

impl Abandoned {
    const fn because(self) -> &'static str {
        match self {
            Self::ByPerson => "annotation diarchy.dev/abandon says so",
            Self::NoFleet => "its fleet is not there any more",
            Self::NoCredentials => {
                "a Secret or ServiceAccount that its fleet names is not there any more"
            }
            Self::NamespaceEnds => "the namespace is being deleted",
        }
    }
}

/// What decides about the finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Whether its devices go back when it goes; nothing if that cannot be read.
    pub reverts: Option<bool>,
    /// Whether the finalizer is there.
    pub has: bool,
    /// Whether the object is being deleted.
    pub is_deleted: bool,
    /// Why devices stay.
    pub abandoned: Option<Abandoned>,
    /// Whether devices are still to go back, as it is remembered.
    pub is_remembered: bool,
}

/// What becomes of the finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Keep,
    /// It is set.
    Add,
    /// It is taken away: nothing is left to do.
    Remove,
    /// It is taken away, and devices stay where they are.
    Abandon(Abandoned),
}

/// What becomes of the finalizer.
#[must_use]
pub const fn act(view: View) -> Act {
    match (view.is_deleted, view.has) {
        // Only what is remembered goes back: what was written just now does not count yet.
        (false, false) if matches!(view.reverts, Some(true)) && view.is_remembered => Act::Add,
        (false, true) if matches!(view.reverts, Some(false)) => Act::Remove,
        (true, true) => match view.abandoned {
            Some(why) => Act::Abandon(why),
            None if view.is_remembered => Act::Keep,
            None => Act::Remove,
        },
        _ => Act::Keep,
    }
}

/// Whether an assignment is being deleted and waits for its finalizer.
pub fn is_going(object: &Guarded<WorkloadAssignment>) -> bool {
    object.meta().deletion_timestamp.is_some() && has(object)
}

/// Whether a person says that devices stay.
pub fn is_abandoned(object: &Guarded<WorkloadAssignment>) -> bool {
    let word = object.annotations().get(ABANDON);
    word.is_some_and(|word| word == "true")
}

/// Whether an assignment is of this fleet. One that cannot be read is of the fleet that remembers it.
pub fn belongs_to(
    object: &Guarded<WorkloadAssignment>,
    fleet: &ObjectName,
    memory: &FleetMemory,
) -> bool {
    if object.namespace().as_deref() != Some(&fleet.namespace) {
        return false;
    }
    match &object.0 {
        Ok(decoded) => decoded.spec.fleet_ref.name.as_str() == fleet.name,
        Err(_) => memory.brings_back(&object.uid().unwrap_or_default()),
    }
}

fn has(object: &Guarded<WorkloadAssignment>) -> bool {
    object.finalizers().iter().any(|one| one == FINALIZER)
}

/// What becomes of an object's finalizer after a pass over its fleet.
pub fn after_pass(
    object: &Guarded<WorkloadAssignment>,
    memory: &FleetMemory,
    abandoned: Option<Abandoned>,
) -> Act {
    let decoded = object.0.as_ref().ok();
    act(View {
        reverts: decoded.map(|one| one.spec.on_delete == OnDelete::Revert),
        has: has(object),
        is_deleted: object.meta().deletion_timestamp.is_some(),
        abandoned: abandoned.or_else(|| is_abandoned(object).then_some(Abandoned::ByPerson)),
        is_remembered: memory.brings_back(&object.uid().unwrap_or_default()),
    })
}

/// Carries an act out, if the object is still as it was looked at; otherwise the next pass does.
pub async fn carry_out(
    reporter: &Reporter,
    object: &Guarded<WorkloadAssignment>,
    act: Act,
) -> Result<(), OperatorError> {
    let mut finalizers = object.finalizers().to_vec();
    match act {
        Act::Keep => return Ok(()),
        Act::Add => finalizers.push(FINALIZER.to_owned()),
        Act::Remove | Act::Abandon(_) => finalizers.retain(|one| one != FINALIZER),
    }
    let namespace = object.namespace().unwrap_or_default();
    let name = ObjectName::new(&namespace, object.name_any());
    let version = Version::of(object);
    if let Act::Abandon(why) = act {
        let event = Event {
            type_: EventType::Warning,
            reason: "Abandoned".to_owned(),
            note: Some(format!(
                "its devices stay where they are: {}",
                why.because()
            )),
            action: "Delete".to_owned(),
            secondary: None,
        };
        let resource = statuses::resource(Kind::WorkloadAssignment);
        reporter.publish(&event, &resource, &name, &version).await;
    }
    let api: Api<WorkloadAssignment> = Api::namespaced(reporter.client().clone(), &namespace);
    let patch = json!({ "metadata": {
        "finalizers": finalizers,
        "resourceVersion": object.resource_version(),
    } });
    match api
        .patch_metadata(&name.name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_not_found() => Ok(()),
        Err(error) => Err(OperatorError::State {
            file: format!("the finalizer of WorkloadAssignment/{name}"),
            cause: in_words::of(&error),
            remedy: "see whether the API server can be reached; it is tried again in the next pass"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: View = View {
        reverts: Some(true),
        has: true,
        is_deleted: false,
        abandoned: None,
        is_remembered: true,
    };

    #[test]
    fn it_is_there_only_while_devices_would_go_back() {
        assert_eq!(act(LIVES), Act::Keep);
        let without = View {
            has: false,
            ..LIVES
        };
        assert_eq!(act(without), Act::Add);
        assert_eq!(
            act(View {
                is_remembered: false,
                ..without
            }),
            Act::Keep
        );
        let retains = View {
            reverts: Some(false),
            ..LIVES
        };
        assert_eq!(act(retains), Act::Remove);
        assert_eq!(
            act(View {
                has: false,
                ..retains
            }),
            Act::Keep
        );
        // Nobody knows what it says: nothing is changed about it.
        let unreadable = View {
            reverts: None,
            ..LIVES
        };
        assert_eq!(act(unreadable), Act::Keep);
        assert_eq!(
            act(View {
                has: false,
                ..unreadable
            }),
            Act::Keep
        );
    }

    #[test]
    fn a_deleted_one_stays_until_devices_are_back_or_it_is_abandoned() {
        let going = View {
            is_deleted: true,
            ..LIVES
        };
        assert_eq!(act(going), Act::Keep);
        assert_eq!(
            act(View {
                is_remembered: false,
                ..going
            }),
            Act::Remove
        );
        let abandoned = View {
            abandoned: Some(Abandoned::NoFleet),
            ..going
        };
        assert_eq!(act(abandoned), Act::Abandon(Abandoned::NoFleet));
        // Nothing of ours keeps it.
        assert_eq!(
            act(View {
                has: false,
                ..going
            }),
            Act::Keep
        );
    }
}
