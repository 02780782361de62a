//! Where the servers, `kubectl`, and the tools of the chart are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::root;

/// A folder with `etcd`, `kube-apiserver` and `kubectl`, as envtest lays it out.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// How to come by the servers, for whoever has none.
const HOW: &str = "Run `tests/tools/build kubernetes`, which needs Go and builds them once \
    (`tests/run` does it too). Or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and \
    kubectl, such as `setup-envtest` lays out. Or, for the tests that need no server of their own, \
    set DIARCHY_TEST_KUBECONFIG to the kubeconfig of a cluster that they may use.";

/// The folder with the servers: the one that the environment names, or the one built before.
pub(super) fn servers() -> PathBuf {
    find().unwrap_or_else(|cause| panic!("there is no control plane: {cause}\n{HOW}"))
}

/// A server's or tool's path in `folder`.
pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} has no {name}, which this test needs.\n{HOW}",
        folder.display()
    );
    path
}

/// `kubectl` for a cluster that was given, which says nothing of where the tools are.
pub(super) fn kubectl() -> PathBuf {
    match find() {
        Ok(folder) => path(&folder, "kubectl"),
        Err(_) => PathBuf::from("kubectl"),
    }
}

/// `helm` or `kubeconform`, as it was built before.
pub fn chart_tool(name: &str) -> PathBuf {
    let folder = built("helm").unwrap_or_else(|cause| {
        panic!(
            "there is no {name}: {cause}\nRun `tests/tools/build helm`, which needs Go and builds it \
             once (`tests/run` does it too)."
        )
    });
    folder.join(name)
}

fn find() -> Result<PathBuf, String> {
    if let Some(assets) = std::env::var_os(ASSETS).filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(assets));
    }
    built("kubernetes")
}

/// The folder with what `tests/tools/build` has made of a module.
fn built(module: &str) -> Result<PathBuf, String> {
    let found = Command::new(root().join("tests/tools/build"))
        .args(["--find", module])
        .output()
        .map_err(|error| format!("tests/tools/build: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if found.status.success() {
        Ok(PathBuf::from(said(&found.stdout)))
    } else {
        Err(said(&found.stderr))
    }
}
