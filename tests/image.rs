//! The image: what is in it is enough to run, and it says which version it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::bench::root;
use crate::cluster::ok;

/// The files of the image, with the binary of these tests.
fn lay_out(folder: &Path) {
    let mut image = Command::new(root().join(".ci/image"));
    ok(image.arg(env!("CARGO_BIN_EXE_diarchy")).arg(folder));
}

/// Where the loader finds each library, if it looks into `folder`.
fn libraries(folder: &Path, binary: &Path) -> BTreeMap<String, String> {
    let told = ok(Command::new("ldd").arg(binary));
    let paths = || {
        let words = told.split_whitespace();
        words.filter(|word| word.starts_with('/'))
    };
    let Some(loader) = paths().find(|path| path.contains("/ld-")) else {
        // It needs none.
        return BTreeMap::new();
    };
    let places: Vec<String> = paths()
        .filter_map(|path| Path::new(path).parent())
        .map(|parent| format!("{}{}", folder.display(), parent.display()))
        .collect();
    let inside = |path: &str| format!("{}{path}", folder.display());
    let mut list = Command::new(inside(loader));
    list.args(["--inhibit-cache", "--list", "--library-path"]);
    let told = ok(list.arg(places.join(":")).arg(binary));
    told.lines()
        .filter_map(|line| line.trim().split_once(" => "))
        .map(|(name, place)| {
            let place = place.split(" (").next().unwrap_or_default();
            (name.to_owned(), place.to_owned())
        })
        .collect()
}

#[test]
fn every_library_that_the_binary_loads_is_in_the_image() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let binary = folder.path().join("usr/local/bin/diarchy");
    let inside = folder.path().to_str().unwrap();
    for (name, place) in libraries(folder.path(), &binary) {
        // The loader itself is named by the binary with its path.
        let is_loader = name.starts_with('/');
        assert!(is_loader || place.starts_with(inside), "{name} is {place}");
    }
}

#[test]
fn the_image_has_what_a_container_needs_and_no_shell() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let at = |path: &str| folder.path().join(path);
    let authorities = fs::read_to_string(at("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(authorities.contains("BEGIN CERTIFICATE"));
    let passwd = fs::read_to_string(at("etc/passwd")).unwrap();
    assert!(passwd.starts_with("diarchy:x:65532:65532:"), "{passwd}");
    assert_eq!(
        fs::read_link(at("usr/local/bin/kubectl-diarchy")).unwrap(),
        Path::new("diarchy")
    );
    let mode = fs::metadata(at("tmp")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o1777);
    assert!(at("var/cache/diarchy").is_dir());
    assert!(at("usr/share/licenses/diarchy/LICENSE").is_file());
    assert!(!at("bin").exists() && !at("usr/bin").exists());
}

/// The defaults of its arguments, which a build without any would show.
#[test]
fn the_dockerfile_is_of_this_version() {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let argument = |name: &str| {
        let begin = format!("ARG {name}=");
        let lines = text.lines();
        let mut found = lines.filter_map(|line| line.strip_prefix(&begin));
        found.next().unwrap_or_else(|| panic!("no {begin}"))
    };
    assert_eq!(argument("VERSION"), env!("CARGO_PKG_VERSION"));
    let rust = format!("rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(argument("RUST_IMAGE").starts_with(&rust));
    // The chart runs it as this user, and Kubernetes wants to see that it is not root.
    assert!(text.contains("\nUSER 65532:65532\n"));
    let chart = fs::read_to_string(root().join("charts/diarchy/templates/_helpers.tpl")).unwrap();
    assert!(chart.contains("runAsUser: 65532\n"));
}
