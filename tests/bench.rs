//! What the tests stand on: the binary, repositories, simulated estates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary as users run it, without the environment's own ideas of colour, width or logging.
pub fn diarchy() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diarchy"));
    command
        .env_remove("DIARCHY_LOG")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100");
    command
}

/// The root of the repository that these tests are part of.
pub fn root() -> PathBuf {
    let controller = Path::new(env!("CARGO_MANIFEST_DIR"));
    controller.parent().unwrap_or(controller).to_path_buf()
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the binary writes UTF-8")
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the binary writes UTF-8")
}

/// Copies the example's repository into a folder.
pub fn copy_example(to: &Path) {
    copy(&root().join("examples/contoso"), to);
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}
