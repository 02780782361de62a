//! `diarchy promote`, `diarchy abort` and `diarchy retry`

use diarchy_core::resource::Kind;
use diarchy_core::rollout::Act;
use diarchy_crds::manifest::annotation_of;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::asked::Asked;
use super::named;
use crate::arguments::OfRollout;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Has a rollout do something.
pub async fn run(arguments: &OfRollout, act: Act) -> Result<Outcome, Failure> {
    let name = assignment(&arguments.what)?;
    let kind = Kind::WorkloadAssignment;
    let asked = Asked::find(&arguments.place, kind, name).await?;
    let rollout = asked.status(kind, name).await?["rollout"].take();
    may(act, name, &rollout)?;
    // Another text each time.
    let said = Timestamp::now().to_string();
    match &asked {
        Asked::OfState(store, (_, assignment)) => store.act(assignment, act, &said)?,
        Asked::OfCluster(connection) => {
            let annotation = annotation_of(act);
            connection
                .annotate(kind, name, annotation, &json!(said))
                .await?;
        }
    }
    show::line(&told(act, name, &rollout))?;
    Ok(Outcome::Same)
}

/// The name of an assignment, with or without its kind.
fn assignment(what: &str) -> Result<&str, Failure> {
    let remedy = "write assignment/NAME, or NAME alone";
    if !what.contains('/') {
        return Ok(what);
    }
    match named::parse(what)? {
        (Kind::WorkloadAssignment, name) => Ok(name),
        (kind, _) => Err(Failure::argument(
            format!("a {kind} has no rollout"),
            remedy,
        )),
    }
}

/// Whether the rollout is where that can be done.
fn may(act: Act, name: &str, rollout: &Value) -> Result<(), Failure> {
    let Some(phase) = rollout["phase"].as_str() else {
        return Err(Failure::argument(
            format!("{name} has no rollout, or none has been reported yet"),
            "see `diarchy get assignments`",
        ));
    };
    let has_stopped = matches!(phase, "Halted" | "RolledBack");
    match act {
        Act::Promote if phase == "AwaitingApproval" => Err(Failure::argument(
            format!("the next step of {name} waits for an approval, which nothing else stands for"),
            format!(
                "approve it: diarchy approve {}",
                rollout["digest"].as_str().unwrap_or_default()
            ),
        )),
        Act::Promote | Act::Abort if has_stopped => Err(Failure::argument(
            format!("the rollout of {name} has stopped: {phase}"),
            "commit another spec, or have it go on as it is: diarchy retry",
        )),
        Act::Promote | Act::Abort if phase == "Complete" => Err(Failure::argument(
            format!("the rollout of {name} is complete"),
            "commit another spec to move devices again",
        )),
        Act::Retry if !has_stopped => Err(Failure::argument(
            format!("the rollout of {name} has not stopped: {phase}"),
            "there is nothing to try again",
        )),
        Act::Promote | Act::Abort | Act::Retry => Ok(()),
    }
}

/// What will be done, at the next pass.
fn told(act: Act, name: &str, rollout: &Value) -> String {
    let (step, of) = (&rollout["step"], &rollout["of"]);
    match act {
        Act::Promote => format!(
            "Step {step} of {of} of {name} will end at the next pass, whatever its soak and its reports."
        ),
        Act::Abort => format!(
            "The rollout of {name} will stop at the next pass, and do what its `onFailure` says."
        ),
        Act::Retry => format!(
            "The rollout of {name} will go on at the next pass; devices that failed get another chance."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_sense_is_said() {
        use Act::{Abort, Promote, Retry};
        for (act, phase, is_fine) in [
            (Promote, "Progressing", true),
            (Promote, "Soaking", true),
            (Promote, "AwaitingApproval", false),
            (Promote, "Halted", false),
            (Promote, "Complete", false),
            (Abort, "AwaitingApproval", true),
            (Abort, "RolledBack", false),
            (Retry, "Halted", true),
            (Retry, "RolledBack", true),
            (Retry, "Soaking", false),
        ] {
            let rollout = json!({ "phase": phase, "step": 1, "of": 3 });
            assert_eq!(
                may(act, "updates", &rollout).is_ok(),
                is_fine,
                "{act:?} {phase}"
            );
        }
        assert!(may(Promote, "updates", &Value::Null).is_err());
    }

    #[test]
    fn an_assignment_is_named_with_or_without_its_kind() {
        assert_eq!(assignment("updates").unwrap(), "updates");
        assert_eq!(assignment("wa/updates").unwrap(), "updates");
        assert!(assignment("fleet/contoso").is_err());
    }
}
