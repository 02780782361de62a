//! Killed at any moment and started again, the loop ends where it would have ended anyway.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::tempdir;

use crate::bench::{diarchy, root, stderr};
use crate::running::Running;
use crate::world::{assert_clean, assert_made_once, writes};

fn up(state: &Path) -> Command {
    let mut command = diarchy();
    command
        .arg("up")
        .arg(root().join("examples/contoso"))
        .args(["--working-tree", "--simulate", "300", "--approve"])
        .args(["--until-converged", "--timeout", "2m", "--state"])
        .arg(state);
    command
}

/// Kills the loop once it has written a random number of times more, or after a random while.
fn run_and_kill(state: &Path, random: &mut StdRng) {
    let enough = writes(state).len() + random.random_range(1..12);
    let while_ = Duration::from_millis(random.random_range(50..2500));
    let began = Instant::now();
    let running = Running::start(&mut up(state));
    while writes(state).len() < enough && began.elapsed() < while_ {
        // Looking takes from the loop what it needs to get anywhere.
        std::thread::sleep(Duration::from_millis(2));
    }
    running.kill();
}

fn converges_after_kills(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    for _ in 0..random.random_range(4..9) {
        run_and_kill(&state, &mut random);
    }
    let output = up(&state).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "seed {seed}: {}",
        stderr(&output)
    );
    println!("seed {seed}");
    assert_clean(&state);
    assert_made_once(&writes(&state));
}

#[test]
fn a_killed_loop_converges_and_repeats_no_write() {
    let seeds = if std::env::var_os("DIARCHY_LONG").is_some() {
        24
    } else {
        3
    };
    for seed in 0..seeds {
        converges_after_kills(seed);
    }
}
