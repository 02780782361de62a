//! `diarchy validate`: what is found, how it is shown, and what it can be given.

use std::process::Output;

use git2::Repository as Git;
use git2::build::RepoBuilder;
use serde_json::{Value, json};

use crate::bench::{diarchy, stderr, stdout};
use crate::repository::Repository;

/// An assignment to a workload that no policy manages: valid, with a warning.
const IDLE: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: WorkloadAssignment
metadata: { name: idle }
spec:
  fleetRef: { name: contoso }
  workload: ClientApps
  groupRef: { name: laptops }
  authority: Intune
";

fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

fn validate(place: &str, arguments: &[&str]) -> Output {
    diarchy()
        .args(["validate", place])
        .args(arguments)
        .output()
        .unwrap()
}

/// Asserts that nothing could be read: exit 2, nothing on standard output, and this code.
fn assert_refused(output: &Output, code: &str) {
    let told = stderr(output);
    assert_eq!(status(output), Some(2), "{told}");
    assert_eq!(stdout(output), "");
    assert!(told.starts_with(&format!("error: {code}: ")), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// A small repository in which each of these names is misspelt in the last commit.
fn with_mistakes() -> Repository {
    let repository = Repository::small();
    repository.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    repository.edit("groups/laptops.yaml", "operator: In", "operator: Near");
    repository.edit(
        "assignments/updates.yaml",
        "{ name: laptops }",
        "{ name: laptop }",
    );
    repository.edit(
        "policy.yaml",
        "pilotCollection: PS100022",
        "pilotCollection: PS100021",
    );
    repository.commit();
    repository
}

#[test]
fn a_valid_revision_says_so_on_standard_error_only() {
    let repository = Repository::small();
    let id = repository.git().head().unwrap().target().unwrap();
    let output = repository.run("validate", &[]);
    assert_eq!(status(&output), Some(0));
    assert_eq!(stdout(&output), "");
    assert_eq!(
        stderr(&output),
        format!("main@sha1:{id}: valid (4 resources, 0 of other groups skipped)\n")
    );
}

#[test]
fn mistakes_are_told_one_a_line_by_file_and_line() {
    let output = with_mistakes().run("validate", &[]);
    assert_eq!(status(&output), Some(1));
    insta::assert_snapshot!(stdout(&output));
    assert!(stderr(&output).contains(" errors ("), "{}", stderr(&output));
}

#[test]
fn mistakes_are_told_as_json() {
    let repository = with_mistakes();
    let id = repository.git().head().unwrap().target().unwrap();
    let output = repository.run("validate", &["-o", "json"]);
    assert_eq!(status(&output), Some(1));
    assert_eq!(stderr(&output), "");
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["revision"], format!("main@sha1:{id}"));
    assert_eq!(answer["resources"], 4);
    assert_eq!(answer["skipped"], 0);
    let findings = answer["findings"].as_array().unwrap();
    let text = stdout(&repository.run("validate", &[]));
    let shown: Vec<String> = findings
        .iter()
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            let (line, column) = (&finding["line"], &finding["column"]);
            assert_eq!(finding["severity"], "error");
            format!(
                "{}:{line}:{column}: {}: {}: {}",
                word("file"),
                word("code"),
                word("problem"),
                word("remedy")
            )
        })
        .collect();
    assert_eq!(shown, text.lines().collect::<Vec<_>>());
}

#[test]
fn a_valid_revision_as_json_has_no_findings() {
    let output = Repository::small().run("validate", &["-o", "json"]);
    assert_eq!(status(&output), Some(0));
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["valid"], true);
    assert_eq!(answer["findings"], json!([]));
}

#[test]
fn mistakes_annotate_the_lines_of_a_pull_request() {
    let repository = Repository::small();
    repository.write("assignments/idle.yaml", IDLE);
    repository.edit(
        "assignments/updates.yaml",
        "{ name: laptops }",
        "{ name: laptop }",
    );
    let output = repository.run("validate", &["--working-tree", "-o", "github"]);
    assert_eq!(status(&output), Some(1));
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn warnings_do_not_change_the_exit_status() {
    let repository = Repository::small();
    repository.write("assignments/idle.yaml", IDLE);
    repository.commit();
    for (format, place) in [
        ("text", "assignments/idle.yaml:6:13: DIA1402: "),
        (
            "github",
            "::warning file=assignments/idle.yaml,line=6,col=13,title=DIA1402::",
        ),
        ("json", "\"severity\": \"warning\""),
    ] {
        let output = repository.run("validate", &["-o", format]);
        assert_eq!(status(&output), Some(0), "{format}");
        assert!(
            stdout(&output).contains(place),
            "{format}: {}",
            stdout(&output)
        );
    }
    let told = stderr(&repository.run("validate", &[]));
    assert!(told.contains("valid with 1 warning ("), "{told}");
}

#[test]
fn a_policy_that_fails_makes_no_assignment_seem_idle() {
    let spoilt = [
        (
            "a value of the wrong type",
            "slider: PilotIntune",
            "slider: [PilotIntune]",
        ),
        ("no YAML", "spec:", "spec: ["),
        (
            "a version that does not exist",
            "diarchy.dev/v1alpha1",
            "diarchy.dev/v1",
        ),
        (
            "a kind that does not exist",
            "CoManagementPolicy",
            "CoManagementPolice",
        ),
        ("no kind", "kind: CoManagementPolicy\n", ""),
        ("two collections of one id", "PS100022", "PS100021"),
    ];
    for (what, good, bad) in spoilt {
        let repository = Repository::small();
        repository.write("assignments/idle.yaml", IDLE);
        repository.edit("policy.yaml", good, bad);
        let output = repository.run("validate", &["--working-tree"]);
        assert_eq!(status(&output), Some(1), "{what}");
        let found = stdout(&output);
        assert!(!found.contains("DIA1402"), "{what}: {found}");
        assert!(found.starts_with("policy.yaml:"), "{what}: {found}");
    }
}

#[test]
fn findings_are_sorted_by_file_and_line_as_numbers() {
    let repository = Repository::small();
    for (at, name) in ["b.yaml", "a/z.yaml", "a.yaml", "A.yaml"]
        .iter()
        .enumerate()
    {
        let idle = |number: usize| IDLE.replace("idle", &format!("idle-{at}-{number}"));
        let many: Vec<String> = (0..12).map(idle).collect();
        repository.write(name, many.join("---\n"));
    }
    let output = repository.run("validate", &["--working-tree", "-o", "json"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let places: Vec<(String, u64, u64)> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            (
                finding["file"].as_str().unwrap().to_owned(),
                finding["line"].as_u64().unwrap(),
                finding["column"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(places.len() >= 48, "{answer}");
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn columns_count_characters() {
    let repository = Repository::small();
    repository.edit("groups/laptops.yaml", "[Laptop] }", "[é, 日, 🦀], kee: x }");
    let told = stdout(&repository.run("validate", &["--working-tree"]));
    assert!(
        told.starts_with("groups/laptops.yaml:8:58: DIA1106: "),
        "{told}"
    );
}

#[test]
fn files_are_named_from_the_root_of_the_repository() {
    let repository = Repository::empty();
    for (name, content) in crate::repository::SMALL {
        repository.write(&format!("fleets/contoso/{name}"), content);
    }
    repository.write("fleets/contoso/assignments/idle.yaml", IDLE);
    repository.commit();
    let place = "fleets/contoso/assignments/idle.yaml:6:13: ";
    let within = repository.file("fleets/contoso");
    for output in [
        repository.run("validate", &[]),
        repository.run("validate", &["--path", "fleets/contoso"]),
        repository.run("validate", &["--working-tree"]),
        repository.run("validate", &["--working-tree", "--path", "fleets"]),
        validate(within.to_str().unwrap(), &[]),
    ] {
        assert_eq!(status(&output), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).starts_with(place), "{}", stdout(&output));
    }
}

#[test]
fn a_branch_a_tag_and_a_commit_can_be_asked_for() {
    let repository = Repository::small();
    let good = repository
        .git()
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    let git = repository.git();
    let commit = git.find_commit(good.parse().unwrap()).unwrap();
    git.branch("release", &commit, false).unwrap();
    git.tag_lightweight("v1.0", commit.as_object(), false)
        .unwrap();
    repository.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    let bad = repository.commit();
    for (reference, is_valid, shown) in [
        ("main", false, format!("main@sha1:{bad}")),
        ("HEAD", false, format!("main@sha1:{bad}")),
        ("release", true, format!("release@sha1:{good}")),
        ("refs/heads/release", true, format!("release@sha1:{good}")),
        ("v1.0", true, format!("v1.0@sha1:{good}")),
        (&good, true, format!("sha1:{good}")),
        (&good[..10], true, format!("sha1:{good}")),
        ("HEAD~1", true, format!("sha1:{good}")),
    ] {
        let output = repository.run("validate", &["--ref", reference]);
        assert_eq!(status(&output), Some(i32::from(!is_valid)), "{reference}");
        let told = stderr(&output);
        assert!(
            told.starts_with(&format!("{shown}: ")),
            "{reference}: {told}"
        );
    }
}

#[test]
fn a_detached_head_has_no_branch() {
    let repository = Repository::small();
    let git = repository.git();
    let id = git.head().unwrap().target().unwrap();
    git.set_head_detached(id).unwrap();
    let told = stderr(&repository.run("validate", &[]));
    assert!(told.starts_with(&format!("sha1:{id}: valid")), "{told}");
}

#[test]
fn what_is_not_committed_counts_only_with_working_tree() {
    let repository = Repository::small();
    repository.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    let committed = repository.run("validate", &[]);
    assert_eq!(status(&committed), Some(0), "{}", stdout(&committed));
    let on_disk = repository.run("validate", &["--working-tree"]);
    assert_eq!(status(&on_disk), Some(1));
    assert!(
        stderr(&on_disk).starts_with("working tree: 1 error"),
        "{}",
        stderr(&on_disk)
    );
}

#[test]
fn a_folder_in_no_repository_is_read_as_it_lies_on_disk() {
    let place = Repository::folder();
    place.write_all(&crate::repository::SMALL);
    let output = place.run("validate", &[]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).starts_with("working tree: valid"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_bare_repository_and_a_url_are_read_too() {
    let repository = Repository::small();
    let place = Repository::folder();
    let bare = place.file("fleet.git");
    RepoBuilder::new()
        .bare(true)
        .clone(repository.path().to_str().unwrap(), &bare)
        .unwrap();
    assert!(Git::open(&bare).unwrap().is_bare());
    let path = bare.to_str().unwrap();
    for address in [path.to_owned(), format!("file://{path}")] {
        let output = validate(&address, &["--ref", "main"]);
        assert_eq!(status(&output), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).starts_with("main@sha1:"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_url_with_escaped_characters_leads_to_its_folder() {
    let outer = Repository::folder();
    let folder = outer.file("a fleet");
    RepoBuilder::new()
        .clone(Repository::small().path().to_str().unwrap(), &folder)
        .unwrap();
    let url = format!("file://{}/a%20fleet", outer.path().display());
    let output = validate(&url, &[]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
}

#[test]
fn a_repository_without_a_commit_has_no_revision() {
    let repository = Repository::empty();
    assert_refused(&repository.run("validate", &[]), "DIA2002");
    repository.write_all(&crate::repository::SMALL);
    let output = repository.run("validate", &["--working-tree"]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
}

#[test]
fn a_commit_without_files_has_no_fleet() {
    let repository = Repository::empty();
    repository.commit();
    let output = repository.run("validate", &[]);
    assert_eq!(status(&output), Some(1), "{}", stderr(&output));
    assert!(
        stdout(&output).starts_with(".:1:1: DIA1309: "),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_missing_revision_is_refused() {
    let repository = Repository::small();
    for reference in [
        "nosuch",
        "refs/heads/nosuch",
        "deadbeef",
        "main..main",
        "",
        "-",
    ] {
        let reference = format!("--ref={reference}");
        assert_refused(&repository.run("validate", &[&reference]), "DIA2002");
    }
}

#[test]
fn a_missing_path_is_refused() {
    let repository = Repository::small();
    for path in ["nosuch", "fleet.yaml", "..", "groups/../..", "/etc"] {
        assert_refused(&repository.run("validate", &["--path", path]), "DIA2003");
        let arguments = ["--working-tree", "--path", path];
        assert_refused(&repository.run("validate", &arguments), "DIA2003");
    }
}

#[test]
fn a_missing_or_foreign_repository_is_refused() {
    let place = Repository::folder();
    let nowhere = place.file("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for address in [nowhere, &format!("file://{nowhere}"), ""] {
        assert_refused(&validate(address, &[]), "DIA2001");
    }
    // One on another machine, before anybody is asked.
    assert_refused(&validate("git://git.contoso.com/fleet.git", &[]), "DIA2211");
    assert_refused(&validate("git@git.contoso.com:fleet.git", &[]), "DIA2212");
    assert_refused(&validate(nowhere, &["--working-tree"]), "DIA2001");
}

#[test]
fn a_folder_in_no_repository_has_no_revisions() {
    let place = Repository::folder();
    place.write_all(&crate::repository::SMALL);
    assert_refused(&place.run("validate", &["--ref", "main"]), "DIA2001");
}

#[test]
fn a_damaged_repository_is_refused() {
    let repository = Repository::small();
    let git = repository.git();
    let head = git.head().unwrap().peel_to_commit().unwrap();
    let entry = head.tree().unwrap();
    let blob = entry.get_name("fleet.yaml").unwrap().id().to_string();
    let object = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
    std::fs::remove_file(repository.file(&object)).unwrap();
    assert_refused(&repository.run("validate", &[]), "DIA2001");
}

/// What lies in the work tree is not what was committed, so it must not stand in for that.
#[test]
fn a_repository_that_cannot_be_opened_is_refused() {
    let repository = Repository::small();
    let format = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n";
    repository.write(".git/config", format);
    assert_refused(&repository.run("validate", &[]), "DIA2001");
    let output = repository.run("validate", &["--working-tree"]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
}

#[test]
fn a_linked_work_tree_is_a_repository() {
    let repository = Repository::small();
    let place = Repository::folder();
    let linked = place.file("linked");
    repository.git().worktree("linked", &linked, None).unwrap();
    let told = stderr(&validate(linked.to_str().unwrap(), &[]));
    assert!(told.starts_with("linked@sha1:"), "{told}");
    assert!(told.contains(": valid (4 resources"), "{told}");
}

#[test]
fn a_finding_is_one_line_without_control_characters() {
    let repository = Repository::small();
    repository.edit(
        "assignments/updates.yaml",
        "authority: Intune",
        "authority: \"In\\e[2J\\ntune\"",
    );
    for format in ["text", "github"] {
        let told = stdout(&repository.run("validate", &["--working-tree", "-o", format]));
        assert!(told.contains("DIA1111"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(!told.contains('\u{1B}'), "{told:?}");
    }
}
