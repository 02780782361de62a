//! A repository that others fetch from, made with the git command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A work tree on branch `main`, whose repository a server may serve as `<root>/fleet.git`.
pub struct Origin {
    folder: TempDir,
}

impl Origin {
    /// A repository with one commit.
    pub fn new() -> Self {
        let origin = Self::empty();
        origin.commit("fleet.yaml", "one: 1\n");
        origin
    }

    /// A repository without a commit.
    pub fn empty() -> Self {
        let origin = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let repository = origin.root().join("fleet.git");
        run(&["init", "--bare", "-b", "main", repository.to_str().unwrap()]);
        fs::create_dir(origin.tree()).unwrap();
        origin.git(&["init", "-b", "main"]);
        origin.git(&["remote", "add", "origin", repository.to_str().unwrap()]);
        origin
    }

    /// The folder that a server serves.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The work tree.
    pub fn tree(&self) -> PathBuf {
        self.root().join("tree")
    }

    /// The repository that is served.
    pub fn repository(&self) -> PathBuf {
        self.root().join("fleet.git")
    }

    /// Writes one file, commits it and pushes; the commit's id.
    pub fn commit(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.write(name, text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", name]);
        self.push();
        self.head()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let place = self.tree().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    /// Makes the served repository like this one, whatever it had before.
    pub fn push(&self) {
        self.git(&[
            "push",
            "-q",
            "--force",
            "--prune",
            "origin",
            "refs/heads/*:refs/heads/*",
        ]);
        self.git(&[
            "push",
            "-q",
            "--force",
            "--prune",
            "origin",
            "refs/tags/*:refs/tags/*",
        ]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the work tree; what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        let tree = self.tree();
        run(&[&["-C", tree.to_str().unwrap()][..], arguments].concat())
    }

    /// Runs git in the served repository.
    pub fn at_server(&self, arguments: &[&str]) -> String {
        let repository = self.repository();
        run(&[&["-C", repository.to_str().unwrap()][..], arguments].concat())
    }
}

fn run(arguments: &[&str]) -> String {
    let output = git().args(arguments).output().unwrap();
    assert_good(&output, arguments);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The git command line without the ideas of whoever runs the test.
pub fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([
            ("GIT_AUTHOR_NAME", "Lena"),
            ("GIT_AUTHOR_EMAIL", "lena@contoso.com"),
            ("GIT_COMMITTER_NAME", "Lena"),
            ("GIT_COMMITTER_EMAIL", "lena@contoso.com"),
        ]);
    command
}

pub fn assert_good(output: &Output, what: &[&str]) {
    assert!(
        output.status.success(),
        "{what:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
