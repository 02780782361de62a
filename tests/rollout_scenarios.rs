//! The rollouts of `examples/rollouts`, each by the one command that its README gives.

use std::fs;
use std::process::{Command, Output};

use crate::bench::{diarchy, root, stderr, stdout};

/// What is seen of a scenario.
struct Seen {
    /// Both streams of the command.
    text: String,
    code: Option<i32>,
}

/// Runs the command of a scenario's README.
fn watch(name: &str) -> Seen {
    let folder = root().join("examples/rollouts").join(name);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let (_, block) = readme.split_once("```text\n").unwrap();
    let command = block.lines().next().unwrap();
    let output: Output = match command.strip_prefix("diarchy ") {
        Some(arguments) => diarchy()
            .current_dir(root())
            .args(arguments.split_whitespace())
            // As the files are now, and not as they were committed last.
            .args(["--working-tree", "--timeout", "2m"])
            .output()
            .unwrap(),
        None => Command::new(root().join(command))
            .env("DIARCHY", env!("CARGO_BIN_EXE_diarchy"))
            .env("NO_COLOR", "1")
            .output()
            .unwrap(),
    };
    Seen {
        text: stderr(&output) + &stdout(&output),
        code: output.status.code(),
    }
}

impl Seen {
    /// Asserts that these are seen, in this order.
    fn shows(&self, wanted: &[&str]) {
        let mut rest = self.text.as_str();
        for text in wanted {
            let Some((_, after)) = rest.split_once(text) else {
                panic!(
                    "{text:?} is not seen, or not where it should be, in\n{}",
                    self.text
                );
            };
            rest = after;
        }
    }

    /// Asserts that this is never seen.
    fn never_shows(&self, text: &str) {
        assert!(
            !self.text.contains(text),
            "{text:?} is seen in\n{}",
            self.text
        );
    }
}

#[test]
fn a_healthy_rollout_goes_through_its_steps() {
    let seen = watch("healthy");
    seen.shows(&[
        "updates: step 1 of 3: its devices move",
        "updates: step 1 of 3: ",
        "and are watched",
        "updates: step 2 of 3: its devices move",
        "and are watched",
        "updates: step 3 of 3: its devices move",
        "updates: rolled out in 3 steps",
        "Converged: every online device is observed where it should be.",
    ]);
    assert_eq!(seen.code, Some(0));
}

#[test]
fn a_rollout_that_hurts_halts_at_its_first_step() {
    let seen = watch("halts");
    seen.shows(&[
        "updates: step 1 of 3: its devices move",
        "updates: step 1 of 3: halted: ",
        "more than maxFailures",
        "nothing more happens before a person or a commit changes something",
    ]);
    seen.never_shows("step 2 of 3");
    assert_eq!(seen.code, Some(1));
}

#[test]
fn an_error_that_intune_reports_after_the_move_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut up = diarchy();
    up.current_dir(root())
        .args(["up", "examples/rollouts/halts", "--working-tree"])
        .args(["--simulate", "400", "--approve", "--until-converged"])
        .args(["--mishap", "WindowsUpdatePolicies=30%:ComplianceError"])
        .args(["--timeout", "2m", "--state"])
        .arg(&state);
    let output = up.output().unwrap();
    let text = stderr(&output) + &stdout(&output);
    assert!(text.contains("updates: step 1 of 3: halted: "), "{text}");
    assert_eq!(output.status.code(), Some(1));
    let mut get = diarchy();
    get.args(["get", "assignments", "updates", "-o", "json", "--state"]);
    let told = stdout(&get.arg(&state).output().unwrap());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let one = told.as_array().map_or(&told, |all| &all[0]);
    let failures = one["status"]["failures"].as_array().unwrap();
    assert!(!failures.is_empty(), "{one:#}");
    for failure in failures {
        assert_eq!(failure["reason"], "ReportedError", "{failure}");
    }
}

#[test]
fn a_rollout_that_hurts_goes_back_and_stays_back() {
    let seen = watch("rolls-back");
    seen.shows(&[
        "updates: step 1 of 3: its devices move",
        "updates: step 1 of 3: rolled back: ",
        "authority goes back; settings, apps and versions already applied stay",
        "sent ",
        "nothing more happens before a person or a commit changes something",
    ]);
    seen.never_shows("step 2 of 3");
    // Whatever was moved has gone back: the collection has the members of others, as before.
    let row = seen
        .text
        .lines()
        .find(|line| line.starts_with("WindowsUpdatePolicies "));
    let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
    let (in_pilot, foreign) = (cells[1], cells[7]);
    assert_eq!(in_pilot, foreign, "{}", seen.text);
    assert_eq!(seen.code, Some(1));
}

#[test]
fn a_typo_in_a_selector_waits_for_a_person() {
    let seen = watch("mass-change");
    seen.shows(&[
        "==> The laptops of one country",
        "==> The same, with a typo in the selector",
    ]);
    // Two streams: what waits is on the one, what has happened on the other.
    seen.shows(&["and wait for a person [MaxChangedDevices]"]);
    seen.shows(&[
        "workloadassignment/updates",
        "of its changes wait for an approval of sha256:",
    ]);
    assert_eq!(seen.code, Some(0));
}

#[test]
fn a_freeze_lets_nothing_be_written_until_it_ends() {
    let seen = watch("freeze");
    seen.shows(&[
        "nothing is written: freeze `quarter-end` lasts until 2026-11-23T20:00:00Z",
        "2026-11-23T20:",
        "updates: step 1 of 2: its devices move",
        "updates: rolled out in 2 steps",
        "Converged",
    ]);
    assert_eq!(seen.code, Some(0));
}

#[test]
fn a_step_that_needs_an_approval_begins_with_one() {
    let seen = watch("approval");
    seen.shows(&[
        "updates: step 1 of 2: it has ended, and the next one waits for a person",
        "updates: step 2 of 2: its devices move",
        "updates: rolled out in 2 steps",
    ]);
    seen.shows(&[
        "the next one waits for an approval of sha256:",
        "Approved sha256:",
    ]);
    assert_eq!(seen.code, Some(0));
}
