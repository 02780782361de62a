//! What `kubectl` answers.

use std::process::Command;

use crate::bench::{stderr, stdout};

/// What the command prints; it must succeed.
pub fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        stderr(&output),
        stdout(&output)
    );
    stdout(&output)
}

/// What the command says on standard error; it must fail.
pub fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        !output.status.success(),
        "{command:?} was not refused: {}",
        stdout(&output)
    );
    stderr(&output)
}
