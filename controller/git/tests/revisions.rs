//! Which revision is read, and how often.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixture;

use diarchy_core::code::Code;
use diarchy_git::{Cache, LoadError, Loaded, Options, Source, load};

use fixture::{Entry, Repo, file};

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

fn group(name: &str) -> Entry {
    file(&format!(
        "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: {name} }}\n\
         spec:\n  fleetRef: {{ name: contoso }}\n  devices: [{name}-1]\n"
    ))
}

fn options(reference: &str, path: &str) -> Options {
    Options {
        reference: (!reference.is_empty()).then(|| reference.to_owned()),
        path: (!path.is_empty()).then(|| path.to_owned()),
    }
}

fn read_with(place: &str, options: &Options, cache: &mut Cache) -> Result<Loaded, LoadError> {
    load(&Source::Repository(place.to_owned()), options, cache)
}

fn read(place: &str, reference: &str, path: &str) -> Result<Loaded, LoadError> {
    read_with(place, &options(reference, path), &mut Cache::default())
}

fn groups(loaded: &Loaded) -> Vec<&str> {
    let groups = loaded.fleets.iter().flat_map(|fleet| &fleet.desired.groups);
    groups.map(|group| group.name.name.as_str()).collect()
}

#[test]
fn branches_tags_and_commits_are_found_and_named() {
    let repo = Repo::bare();
    let first = repo.commit("main", &[("fleet.yaml", file(FLEET))]);
    let second = repo.commit(
        "main",
        &[("fleet.yaml", file(FLEET)), ("g.yaml", group("one"))],
    );
    let other = repo.commit(
        "team/emea",
        &[("fleet.yaml", file(FLEET)), ("g.yaml", group("two"))],
    );
    let target = repo.git.find_object(first, None).unwrap();
    let tagger = git2::Signature::now("T", "t@contoso.com").unwrap();
    repo.git
        .tag("v1.0", &target, &tagger, "annotated", false)
        .unwrap();
    repo.git.tag_lightweight("light", &target, false).unwrap();
    let short = &second.to_string()[..10];
    for (reference, id, display) in [
        ("", second, format!("main@sha1:{second}")),
        ("HEAD", second, format!("main@sha1:{second}")),
        ("main", second, format!("main@sha1:{second}")),
        ("team/emea", other, format!("team/emea@sha1:{other}")),
        (
            "refs/heads/team/emea",
            other,
            format!("team/emea@sha1:{other}"),
        ),
        ("v1.0", first, format!("v1.0@sha1:{first}")),
        ("light", first, format!("light@sha1:{first}")),
        (short, second, format!("sha1:{second}")),
        ("main~1", first, format!("sha1:{first}")),
    ] {
        let loaded = read(&repo.place(), reference, "").unwrap();
        assert_eq!(loaded.revision.commit, Some(id.to_string()), "{reference}");
        assert_eq!(loaded.revision.display, display);
    }
    assert_eq!(
        groups(&read(&repo.place(), "team/emea", "").unwrap()),
        ["two"]
    );
}

#[test]
fn a_branch_goes_before_a_tag_of_its_name() {
    let repo = Repo::bare();
    let first = repo.commit("main", &[("fleet.yaml", file(FLEET))]);
    let second = repo.commit(
        "main",
        &[("fleet.yaml", file(FLEET)), ("g.yaml", group("one"))],
    );
    let target = repo.git.find_object(first, None).unwrap();
    repo.git.tag_lightweight("main", &target, false).unwrap();
    let loaded = read(&repo.place(), "main", "").unwrap();
    assert_eq!(loaded.revision.commit, Some(second.to_string()));
}

#[test]
fn a_detached_head_has_no_branch() {
    let repo = Repo::bare();
    let first = repo.commit("main", &[("fleet.yaml", file(FLEET))]);
    repo.git.set_head_detached(first).unwrap();
    let loaded = read(&repo.place(), "", "").unwrap();
    assert_eq!(loaded.revision.display, format!("sha1:{first}"));
}

#[test]
fn what_does_not_exist_is_said_with_its_code_and_a_remedy() {
    let repo = Repo::bare();
    let unborn = read(&repo.place(), "", "").unwrap_err();
    assert_eq!(unborn.code(), Code::RevisionNotFound);
    assert!(
        unborn.to_string().contains("nothing has been committed"),
        "{unborn}"
    );
    repo.commit(
        "main",
        &[("fleet.yaml", file(FLEET)), ("a/g.yaml", group("one"))],
    );
    let empty = tempfile::tempdir().unwrap();
    let outside = empty.path().to_str().unwrap();
    for (place, reference, path, code) in [
        (&*repo.place(), "mian", "", Code::RevisionNotFound),
        (
            &*repo.place(),
            "0000000000000000000000000000000000000001",
            "",
            Code::RevisionNotFound,
        ),
        (&*repo.place(), "main^{tree}", "", Code::RevisionNotFound),
        (&*repo.place(), "not a ref..", "", Code::RevisionNotFound),
        (&*repo.place(), "", "b", Code::PathNotFound),
        (&*repo.place(), "", "fleet.yaml", Code::PathNotFound),
        (&*repo.place(), "", "a/../..", Code::PathNotFound),
        (outside, "", "", Code::RepositoryNotReadable),
        ("/nowhere/at/all", "", "", Code::RepositoryNotReadable),
        (
            "https://git.contoso.com/fleet.git",
            "",
            "",
            Code::RepositoryNotReadable,
        ),
        (
            "git@git.contoso.com:fleet.git",
            "",
            "",
            Code::RepositoryNotReadable,
        ),
        (
            "file://server/share/fleet.git",
            "",
            "",
            Code::RepositoryNotReadable,
        ),
    ] {
        let error = read(place, reference, path).unwrap_err();
        assert_eq!(error.code(), code, "{place} {reference} {path}: {error}");
        assert!(!error.remedy().is_empty());
    }
}

#[test]
fn a_path_narrows_what_is_read() {
    let repo = Repo::bare();
    repo.commit(
        "main",
        &[
            ("contoso/fleet.yaml", file(FLEET)),
            ("contoso/emea/groups.yml", group("emea")),
            ("contoso/notes.txt", file("not: [yaml")),
            ("other/broken.yaml", file("a: [")),
        ],
    );
    assert!(!read(&repo.place(), "", "").unwrap().is_valid());
    for path in ["contoso", "./contoso/", "contoso/."] {
        let loaded = read(&repo.place(), "", path).unwrap();
        assert_eq!(groups(&loaded), ["emea"], "{path}");
        assert_eq!(loaded.resources_read, 2);
    }
    let loaded = read(&repo.place(), "", "contoso/emea").unwrap();
    let shown: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|d| format!("{}:{}", d.file, d.code))
        .collect();
    assert_eq!(shown, ["contoso/emea:DIA1309"]);
}

#[test]
fn a_folder_within_a_work_tree_is_a_path() {
    let repo = Repo::with_work_tree();
    repo.commit(
        "main",
        &[
            ("contoso/fleet.yaml", file(FLEET)),
            ("contoso/x/g.yaml", group("one")),
            ("bad.yaml", file("[")),
        ],
    );
    let folder = repo.folder.path().join("contoso/x");
    std::fs::create_dir_all(&folder).unwrap();
    // What lies in the work tree does not count.
    std::fs::write(folder.join("g.yaml"), "broken: [").unwrap();
    let contoso = repo.folder.path().join("contoso");
    let loaded = read(contoso.to_str().unwrap(), "", "").unwrap();
    assert_eq!(groups(&loaded), ["one"]);
    let url = format!("file://{}", contoso.display());
    assert_eq!(groups(&read(&url, "", "").unwrap()), ["one"]);
    let below = read(contoso.to_str().unwrap(), "", "x").unwrap();
    assert_eq!(below.diagnostics[0].file, "contoso/x");
    let git = repo.folder.path().join(".git");
    assert!(!read(git.to_str().unwrap(), "", "").unwrap().is_valid());
}

#[test]
fn other_documents_are_skipped_and_counted() {
    let repo = Repo::bare();
    let others = "apiVersion: v1\nkind: ConfigMap\ndata: {a: 1, a: 2}\n---\n# nothing\n---\napiVersion: apps/v1\nkind: Deployment\n";
    repo.commit(
        "main",
        &[("fleet.yaml", file(FLEET)), ("others.yaml", file(others))],
    );
    let loaded = read(&repo.place(), "", "").unwrap();
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    assert_eq!((loaded.resources_read, loaded.skipped), (1, 2));
}

#[test]
fn hidden_files_and_submodules_are_not_read() {
    let repo = Repo::bare();
    repo.commit(
        "main",
        &[
            ("fleet.yaml", file(FLEET)),
            (".hidden.yaml", file("[")),
            (".github/workflow.yaml", file("[")),
            ("a/.b/c.yaml", file("[")),
            ("module.yaml", Entry::Submodule),
            ("module", Entry::Submodule),
        ],
    );
    let loaded = read(&repo.place(), "", "").unwrap();
    assert_eq!((loaded.is_valid(), loaded.resources_read), (true, 1));
}

#[test]
fn a_linked_file_is_read_once() {
    let repo = Repo::bare();
    repo.commit(
        "main",
        &[
            ("shared/base.txt", group("shared")),
            ("shared/deep", Entry::Link("../shared".into())),
            ("contoso/fleet.yaml", file(FLEET)),
            ("contoso/own.yaml", group("own")),
            ("contoso/again.yaml", Entry::Link("own.yaml".into())),
            (
                "contoso/shared.yaml",
                Entry::Link("../shared/deep/base.txt".into()),
            ),
            ("contoso/more.yml", Entry::Link("./shared.yaml".into())),
            ("contoso/README", Entry::Link("nowhere".into())),
        ],
    );
    let loaded = read(&repo.place(), "", "contoso").unwrap();
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(groups(&loaded), ["own", "shared"]);
    assert_eq!(loaded.resources_read, 3);
}

#[test]
fn names_need_not_be_utf_8() {
    let repo = Repo::bare();
    repo.commit(
        "main",
        &[
            (&b"fl\xE9et.yaml"[..], file(FLEET)),
            (&b"d\xFF/x.yaml"[..], file("a: [")),
        ],
    );
    let loaded = read(&repo.place(), "", "").unwrap();
    assert_eq!(loaded.resources_read, 1);
    assert_eq!(loaded.diagnostics[0].file, "d\u{FFFD}/x.yaml");
}

#[test]
fn only_changed_files_are_parsed_again() {
    let repo = Repo::bare();
    let mut cache = Cache::default();
    let mut parsed = |entries: &[(&str, Entry)]| {
        repo.commit("main", entries);
        let before = cache.parsed();
        let loaded = read_with(&repo.place(), &Options::default(), &mut cache).unwrap();
        assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
        (cache.parsed() - before, groups(&loaded).join(" "))
    };
    let fleet = || ("fleet.yaml", file(FLEET));
    assert_eq!(
        parsed(&[fleet(), ("a.yaml", group("a")), ("b.yaml", group("b"))]),
        (3, "a b".into())
    );
    assert_eq!(
        parsed(&[fleet(), ("a.yaml", group("a")), ("b.yaml", group("b"))]),
        (0, "a b".into())
    );
    assert_eq!(
        parsed(&[fleet(), ("a.yaml", group("c")), ("b.yaml", group("b"))]),
        (1, "b c".into())
    );
    assert_eq!(
        parsed(&[fleet(), ("x/new.yaml", group("c")), ("b.yaml", group("b"))]),
        (0, "b c".into())
    );
    assert_eq!(
        parsed(&[fleet(), ("a.yaml", group("a")), ("b.yaml", group("b"))]),
        (0, "a b".into())
    );
}

#[test]
fn a_renamed_file_is_reported_by_its_new_name() {
    let repo = Repo::bare();
    let mut cache = Cache::default();
    let mut files = |name: &str| {
        repo.commit("main", &[("fleet.yaml", file(FLEET)), (name, file("a: ["))]);
        let loaded = read_with(&repo.place(), &Options::default(), &mut cache).unwrap();
        loaded.diagnostics[0].file.clone()
    };
    assert_eq!(files("old.yaml"), "old.yaml");
    assert_eq!(files("new.yaml"), "new.yaml");
    assert_eq!(cache.parsed(), 2);
}

#[test]
fn what_nobody_holds_any_more_is_forgotten() {
    let repo = Repo::bare();
    let mut cache = Cache::default();
    let mut load_group = |name: &str| {
        repo.commit(
            "main",
            &[("fleet.yaml", file(FLEET)), ("g.yaml", group(name))],
        );
        read_with(&repo.place(), &Options::default(), &mut cache).unwrap();
        cache.parsed()
    };
    let first = load_group("first");
    for _ in 0..8 {
        load_group("other");
    }
    assert_eq!(load_group("first"), first + 2);
}

#[test]
fn many_files_are_read_as_few_are() {
    let repo = Repo::bare();
    let names: Vec<String> = (0..300)
        .map(|number| format!("g{number:03}.yaml"))
        .collect();
    let mut entries: Vec<(&str, Entry)> = names
        .iter()
        .map(|name| (&**name, group(&name[..4])))
        .collect();
    entries.push(("fleet.yaml", file(FLEET)));
    repo.commit("main", &entries);
    let mut cache = Cache::default();
    let loaded = read_with(&repo.place(), &Options::default(), &mut cache).unwrap();
    assert_eq!(groups(&loaded).len(), 300);
    assert_eq!(cache.parsed(), 301);
}

#[test]
fn a_missing_object_is_the_repositorys_fault() {
    let repo = Repo::bare();
    repo.commit(
        "main",
        &[("fleet.yaml", file(FLEET)), ("g.yaml", group("one"))],
    );
    let blob = git2::Oid::hash_object(git2::ObjectType::Blob, FLEET.as_bytes())
        .unwrap()
        .to_string();
    std::fs::remove_file(
        repo.folder
            .path()
            .join("objects")
            .join(&blob[..2])
            .join(&blob[2..]),
    )
    .unwrap();
    let error = read(&repo.place(), "", "").unwrap_err();
    assert_eq!(error.code(), Code::RepositoryNotReadable);
}
