//! Files as they lie on disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use std::path::Path;

use diarchy_core::code::Code;
use diarchy_git::{Cache, LoadError, Loaded, Options, Source, load};

use fixture::{Entry, Repo, file, on_disk, write_below};

const FLEET: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: Fleet
metadata: { name: contoso }
spec:
  configurationManager:
    adminService: [ https://cm01.contoso.com/AdminService ]
    siteCode: PS1
    credentialsRef: { name: cm-admin }
  intune: { tenantId: 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10 }
";

fn named(name: &str, entry: Entry) -> (String, Entry) {
    (name.to_owned(), entry)
}

fn link(target: &str) -> Entry {
    Entry::Link(target.to_owned())
}

fn read(folder: &Path, path: &str) -> Result<Loaded, LoadError> {
    let options = Options {
        reference: None,
        path: (!path.is_empty()).then(|| path.to_owned()),
    };
    load(
        &Source::WorkingTree(folder.to_owned()),
        &options,
        &mut Cache::default(),
    )
}

fn brief(loaded: &Loaded) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|d| format!("{}:{}", d.file, d.code))
        .collect()
}

#[test]
fn a_folder_without_git_is_read() {
    let folder = on_disk(&[
        named("contoso/fleet.yaml", file(FLEET)),
        named("contoso/.hidden/x.yaml", file("[")),
        named("contoso/.x.yaml", file("[")),
        named("contoso/module", Entry::Submodule),
        named("contoso/module/x.yaml", file("[")),
        named("contoso/x.json", file("[")),
    ]);
    let loaded = read(folder.path(), "").unwrap();
    assert_eq!(brief(&loaded), Vec::<String>::new());
    assert_eq!(loaded.revision.display, "working tree");
    assert_eq!((loaded.revision.commit, loaded.resources_read), (None, 1));
    assert_eq!(read(folder.path(), "contoso").unwrap().resources_read, 1);
}

#[test]
fn links_are_followed_within_the_folder_only() {
    let outside = on_disk(&[named("secret.yaml", file("["))]);
    let folder = on_disk(&[
        named("fleet.yaml", file(FLEET)),
        named("again.yaml", link("fleet.yaml")),
        named(
            "out.yaml",
            link(outside.path().join("secret.yaml").to_str().unwrap()),
        ),
        named("out", link(outside.path().to_str().unwrap())),
        named("nowhere.yaml", link("missing.yaml")),
        named("loop.yaml", link("loop.yaml")),
        named("sub/empty.txt", file("")),
        named("folder", link("sub")),
        named("text.yaml", link("sub/empty.txt")),
    ]);
    let loaded = read(folder.path(), "").unwrap();
    assert_eq!(
        brief(&loaded),
        [
            "folder:DIA1404",
            "loop.yaml:DIA1007",
            "nowhere.yaml:DIA1007",
            "out.yaml:DIA1007"
        ]
    );
    assert_eq!(loaded.resources_read, 1);
}

#[test]
fn links_may_lead_through_the_whole_work_tree_but_not_to_gits_own_files() {
    let repo = Repo::with_work_tree();
    write_below(
        repo.folder.path(),
        &[
            named("shared/fleet.yaml", file(FLEET)),
            named("contoso/fleet.yaml", link("../shared/fleet.yaml")),
            named("contoso/config.yaml", link("../.git/config")),
        ],
    );
    let loaded = read(&repo.folder.path().join("contoso"), "").unwrap();
    assert_eq!(brief(&loaded), ["config.yaml:DIA1007"]);
    assert_eq!(loaded.resources_read, 1);
}

#[test]
fn a_large_file_is_refused_without_being_read_whole() {
    let folder = on_disk(&[
        named("fleet.yaml", file(FLEET)),
        named("dump.yaml", Entry::File(vec![b'#'; 3 * 1024 * 1024])),
        named("dump2.yaml", Entry::File(vec![b'#'; 2 * 1024 * 1024])),
    ]);
    let loaded = read(folder.path(), "").unwrap();
    assert_eq!(brief(&loaded), ["dump.yaml:DIA1002", "dump2.yaml:DIA1002"]);
    assert!(loaded.diagnostics[0].problem.contains("3145728"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = on_disk(&[named("fleet.yaml", file(FLEET))]);
    for (place, path, code) in [
        (
            folder.path().join("missing"),
            "",
            Code::RepositoryNotReadable,
        ),
        (folder.path().join("fleet.yaml"), "", Code::PathNotFound),
        (folder.path().to_owned(), "missing", Code::PathNotFound),
        (folder.path().to_owned(), "..", Code::PathNotFound),
    ] {
        assert_eq!(read(&place, path).unwrap_err().code(), code);
    }
    let options = Options {
        reference: Some("main".to_owned()),
        path: None,
    };
    let source = Source::WorkingTree(folder.path().to_owned());
    let error = load(&source, &options, &mut Cache::default()).unwrap_err();
    assert_eq!(error.code(), Code::RevisionNotFound);
}

#[test]
fn unchanged_files_are_not_parsed_again() {
    let folder = on_disk(&[
        named("fleet.yaml", file(FLEET)),
        named("a.yaml", file("# nothing\n")),
    ]);
    let source = Source::WorkingTree(folder.path().to_owned());
    let mut cache = Cache::default();
    load(&source, &Options::default(), &mut cache).unwrap();
    write_below(folder.path(), &[named("a.yaml", file("# something\n"))]);
    load(&source, &Options::default(), &mut cache).unwrap();
    assert_eq!(cache.parsed(), 3);
}

#[test]
fn documents_are_handed_on_as_they_are_written() {
    let exported = format!(
        "{}status: {{ observedGeneration: 3 }}\n",
        FLEET.replace(
            "{ name: contoso }",
            "{ name: contoso, uid: u1, labels: { tier: \"1\" }, generation: 3 }"
        )
    );
    let group = "---\napiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: { name: desks }\n\
                 spec: { fleetRef: { name: contoso }, devices: [ PC-1 ] }\n";
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\n";
    let folder = on_disk(&[named(
        "fleet.yaml",
        file(&format!("{exported}{other}{group}")),
    )]);
    let loaded = read(folder.path(), "").unwrap();
    assert_eq!(brief(&loaded), [""; 0]);
    assert_eq!(loaded.skipped, 1);
    let written = loaded.written();
    let places: Vec<String> = written
        .iter()
        .map(|one| format!("{} {}:{}", one.kind, one.file, one.position))
        .collect();
    assert_eq!(
        places,
        ["Fleet fleet.yaml:1:1", "DeviceGroup fleet.yaml:16:1"]
    );
    let fleet = &written[0].document;
    assert_eq!(
        fleet["metadata"],
        serde_json::json!({ "name": "contoso", "labels": { "tier": "1" } })
    );
    assert_eq!(fleet["status"], serde_json::Value::Null);
    // Nothing that git does not say.
    assert_eq!(
        written[1].document,
        serde_json::json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "DeviceGroup",
            "metadata": { "name": "desks" },
            "spec": { "fleetRef": { "name": "contoso" }, "devices": ["PC-1"] },
        })
    );
}
