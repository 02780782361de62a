//! What a rollback undoes, in words: the same before it may happen and after it has.

use std::fmt::Display;

use crate::desired::OnFailure;

/// What going back undoes, and what it does not.
const UNDOES: &str = "authority goes back; settings, apps and versions already applied stay";

/// How many assignments are named before the rest is only counted.
const MOST_NAMED: usize = 3;

/// What is said of a rollout that was rolled back, because of `why`.
#[must_use]
pub fn rolled_back(why: impl Display) -> String {
    format!("rolled back: {why}; {UNDOES}")
}

/// What is said before rollouts move anybody, of assignments by name with what their failures do.
/// Nothing where there are none.
///
/// Those that would go back by themselves are named; where there are none of them, those that a person
/// would have to take back.
#[must_use]
pub fn foretold(rollouts: &[(&str, OnFailure)]) -> Option<String> {
    let of = |on_failure: OnFailure| -> Vec<&str> {
        let those = rollouts.iter().filter(|(_, does)| *does == on_failure);
        those.map(|(name, _)| *name).collect()
    };
    let (back, halting) = (of(OnFailure::Rollback), of(OnFailure::Halt));
    let told = match (back.as_slice(), halting.as_slice()) {
        ([], []) => return None,
        ([], halting) => format!("Taking back what {} moves is no full undo", named(halting)),
        ([name], _) => format!("If its rollout failed, {name} would be rolled back"),
        (several, _) => format!(
            "If their rollouts failed, {} would be rolled back",
            named(several)
        ),
    };
    Some(format!("{told}: {UNDOES}."))
}

/// Some names, as a sentence has them.
fn named(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(MOST_NAMED));
    match (shown, more.len()) {
        ([one], 0) => (*one).to_owned(),
        ([most @ .., last], 0) => format!("{} and {last}", most.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_before_and_after() {
        let after = rolled_back("a person aborted it");
        assert!(
            after.starts_with("rolled back: a person aborted it; "),
            "{after}"
        );
        for on_failure in [OnFailure::Halt, OnFailure::Rollback] {
            let before = foretold(&[("updates", on_failure)]).unwrap();
            assert!(before.contains(UNDOES) && after.contains(UNDOES));
        }
    }

    #[test]
    fn who_goes_back_by_itself_is_named_first() {
        use OnFailure::{Halt, Rollback};
        let told = |rollouts: &[(&str, OnFailure)]| {
            foretold(rollouts).map(|told| told.split(':').next().unwrap().to_owned())
        };
        assert_eq!(told(&[]), None);
        for (rollouts, sentence) in [
            (
                &[("a", Halt), ("b", Rollback)][..],
                "If its rollout failed, b would be rolled back",
            ),
            (
                &[("a", Rollback), ("b", Rollback), ("c", Rollback)],
                "If their rollouts failed, a, b and c would be rolled back",
            ),
            (&[("a", Halt)], "Taking back what a moves is no full undo"),
            (
                &[("a", Halt), ("b", Halt), ("c", Halt), ("d", Halt)],
                "Taking back what a, b, c and 1 more moves is no full undo",
            ),
        ] {
            assert_eq!(told(rollouts).as_deref(), Some(sentence));
        }
    }
}
