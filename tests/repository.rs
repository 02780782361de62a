//! Git repositories and folders made for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use git2::{IndexAddOption, Repository as Git, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

use crate::bench::diarchy;

/// The files of a fleet with one group and one assignment, valid and without a warning.
pub const SMALL: [(&str, &str); 4] = [
    (
        "fleet.yaml",
        "\
apiVersion: diarchy.dev/v1alpha1
kind: Fleet
metadata: { name: contoso, namespace: contoso }
spec:
  configurationManager:
    adminService: [ \"https://cm01.contoso.com/AdminService\" ]
    siteCode: PS1
    credentialsRef: { name: cm-admin }
  intune:
    tenantId: 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10
    credentialsRef: { name: graph-app }
",
    ),
    (
        "policy.yaml",
        "\
apiVersion: diarchy.dev/v1alpha1
kind: CoManagementPolicy
metadata: { name: contoso }
spec:
  fleetRef: { name: contoso }
  workloads:
    DeviceConfiguration: { slider: PilotIntune, pilotCollection: PS100021 }
    WindowsUpdatePolicies: { slider: PilotIntune, pilotCollection: PS100022 }
    EndpointProtection: { slider: PilotIntune, pilotCollection: PS100023 }
",
    ),
    (
        "groups/laptops.yaml",
        "\
apiVersion: diarchy.dev/v1alpha1
kind: DeviceGroup
metadata: { name: laptops }
spec:
  fleetRef: { name: contoso }
  selector:
    matchAttributes:
      - { key: chassis, operator: In, values: [Laptop] }
",
    ),
    (
        "assignments/updates.yaml",
        "\
apiVersion: diarchy.dev/v1alpha1
kind: WorkloadAssignment
metadata: { name: updates }
spec:
  fleetRef: { name: contoso }
  workload: WindowsUpdatePolicies
  groupRef: { name: laptops }
  authority: Intune
",
    ),
];

/// A folder that ends with the test, with or without a git repository in it.
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// A folder that is in no repository.
    pub fn folder() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A git repository without a commit, on branch `main`.
    pub fn empty() -> Self {
        let repository = Self::folder();
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main");
        Git::init_opts(repository.path(), &options).unwrap();
        repository
    }

    /// A git repository with the files of [`SMALL`] committed.
    pub fn small() -> Self {
        let repository = Self::empty();
        repository.write_all(&SMALL);
        repository.commit();
        repository
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file within, as an argument.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, whose folders come with it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn write_all(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            self.write(name, content);
        }
    }

    /// Replaces a piece of a file, which must be there.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(old), "{name} has no `{old}`");
        self.write(name, text.replace(old, new));
    }

    /// Commits everything that lies in the folder; the commit's id.
    pub fn commit(&self) -> String {
        let git = self.git();
        let mut index = git.index().unwrap();
        index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
        index.update_all(["*"], None).unwrap();
        index.write().unwrap();
        let tree = git.find_tree(index.write_tree().unwrap()).unwrap();
        // A fixed time, so that a commit of the same files has the same id in every run.
        let time = Time::new(1_795_334_400, 0);
        let author = Signature::new("Contoso", "endpoint@contoso.com", &time).unwrap();
        let parent = git.head().ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        git.commit(Some("HEAD"), &author, &author, "A change", &tree, &parents)
            .unwrap()
            .to_string()
    }

    /// What git knows of it.
    pub fn git(&self) -> Git {
        Git::open(self.path()).unwrap()
    }

    /// Runs a command on it, with the folder itself as the current one and the repository.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Output {
        diarchy()
            .current_dir(self.path())
            .args([command, "."])
            .args(arguments)
            .output()
            .unwrap()
    }
}
