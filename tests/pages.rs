//! What the documentation shows is what the binary prints.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;

use crate::bench::{diarchy, root, stderr, stdout};
use crate::devices::{self, laptop, with};
use crate::repository::{Repository, SMALL};

/// A page about a mistake in a repository.
struct Page {
    code: String,
    /// What to write to make the mistake.
    example: Vec<(String, String)>,
    /// What is printed then.
    printed: String,
    /// What to write to mend it.
    mended: Vec<(String, String)>,
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("DIA1")
        })
        .collect();
    paths.sort();
    paths.iter().map(|path| page(path)).collect()
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let code = path.file_stem().unwrap().to_string_lossy().into_owned();
    let section = |heading: &str| {
        let (_, section) = text
            .split_once(heading)
            .unwrap_or_else(|| panic!("{code}: {heading}"));
        section.split("\n## ").next().unwrap()
    };
    let example = section("\n## An example\n");
    let (_, printed) = example.split_once("```text\n").unwrap();
    Page {
        printed: printed.split("```").next().unwrap().to_owned(),
        example: files(example),
        mended: files(section("\n## How to mend it\n")),
        code,
    }
}

/// Every block of YAML that the name of a file stands before.
fn files(section: &str) -> Vec<(String, String)> {
    let mut pieces = section.split("`:\n\n```yaml\n");
    let mut before = pieces.next().unwrap();
    let mut files = Vec::new();
    for piece in pieces {
        let name = before.rsplit('`').next().unwrap();
        let (content, after) = piece.split_once("```").unwrap();
        files.push((name.to_owned(), content.to_owned()));
        before = after;
    }
    files
}

/// The repository that a page's example is added to, with what the page says in words.
fn prepared(code: &str) -> Repository {
    let repository = Repository::folder();
    if code != "DIA1309" {
        repository.write_all(&SMALL);
    }
    match code {
        "DIA1002" => drop(repository.write("dump.yaml", "#".repeat(1_048_578))),
        "DIA1007" => {
            let target = Path::new("../../shared/groups.yaml");
            symlink(target, repository.file("groups/shared.yaml")).unwrap();
        }
        "DIA1008" => drop(repository.write("many.yaml", "---\n# nothing\n".repeat(1_001))),
        "DIA1310" => {
            let second = SMALL[0].1.replace("name: contoso,", "name: fabrikam,");
            repository.write("fabrikam.yaml", second);
        }
        "DIA1404" => symlink("groups", repository.file("teams")).unwrap(),
        _ => {}
    }
    repository
}

fn written(repository: &Repository, page: &Page, files: &[(String, String)]) {
    for (name, content) in files {
        if page.code == "DIA1001" && content.contains("<- here") {
            // As an editor saves it that thinks the file to be Latin-1.
            let bytes: Vec<u8> = content
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect();
            repository.write(name, bytes);
        } else {
            repository.write(name, content);
        }
    }
}

#[test]
fn the_example_of_every_page_prints_what_the_page_shows() {
    let pages = pages();
    assert!(pages.len() > 40, "{}", pages.len());
    for page in pages {
        let repository = prepared(&page.code);
        written(&repository, &page, &page.example);
        let output = repository.run("validate", &["--working-tree"]);
        assert_eq!(stdout(&output), page.printed, "{}", page.code);
        let is_warning = page.code.starts_with("DIA14");
        let status = i32::from(!is_warning);
        assert_eq!(output.status.code(), Some(status), "{}", page.code);
    }
}

#[test]
fn what_a_page_says_mends_its_example() {
    let mended: Vec<Page> = pages()
        .into_iter()
        .filter(|page| !page.mended.is_empty())
        .collect();
    assert!(mended.len() > 20, "{}", mended.len());
    let still_wrong: String = mended
        .iter()
        .filter_map(|page| {
            let repository = prepared(&page.code);
            written(&repository, page, &page.example);
            written(&repository, page, &page.mended);
            let found = stdout(&repository.run("validate", &["--working-tree"]));
            (!found.is_empty()).then(|| format!("{}: {found}", page.code))
        })
        .collect();
    assert_eq!(still_wrong, "");
}

/// Pages of what goes wrong when a command is given the wrong things, with such a command.
const COMMANDS: [(&str, &str); 11] = [
    ("DIA2001", "validate /nowhere"),
    ("DIA2211", "validate http://git.contoso.com/fleet.git"),
    (
        "DIA2212",
        "validate git@git.contoso.com:fleet.git --git-secrets identity",
    ),
    ("DIA2002", "validate . --ref nosuch"),
    ("DIA2003", "validate . --path nosuch"),
    (
        "DIA2004",
        "plan . --working-tree --inventory devices.ndjson",
    ),
    ("DIA2005", "plan . --inventory nosuch.ndjson"),
    ("DIA2006", "plan . --inventory devices.ndjson"),
    ("DIA2007", "plan . --inventory devices.ndjson"),
    (
        "DIA2008",
        "explain . LAPTOP-0042 --inventory devices.ndjson",
    ),
    (
        "DIA2008",
        "explain . LAPTOP-0099 --inventory devices.ndjson",
    ),
];

/// What lies in the inventory file when a page's command is run.
fn inventory_of(code: &str) -> String {
    match code {
        "DIA2006" => {
            let bad = [
                "{\"name\":\"x\"}",
                "LAPTOP-0042",
                "{\"id\":\"a3\",\"server\":\"no\"}",
            ];
            format!("{}\n{}\n", laptop("a1"), bad.join("\n"))
        }
        "DIA2007" => devices::file(&["a1", "a2", "a3", "a4", "a1"].map(laptop)),
        _ => devices::file(
            &["a1", "a2"].map(|id| with(laptop(id), json!({ "name": "LAPTOP-0042" }))),
        ),
    }
}

#[test]
fn pages_about_what_a_command_is_given_show_what_it_prints() {
    let repository = Repository::small();
    let id = repository
        .git()
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    // Not committed, so that only the work tree has several fleets.
    let second = SMALL[0].1.replace("name: contoso,", "name: fabrikam,");
    repository.write("fabrikam.yaml", second);
    for (code, command) in COMMANDS {
        repository.write("devices.ndjson", inventory_of(code));
        repository.write("identity/identity", "a key");
        let output = diarchy()
            .current_dir(repository.path())
            .args(command.split(' '))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        let page = fs::read_to_string(root().join(format!("docs/errors/{code}.md"))).unwrap();
        // The one thing in them that differs from place to place.
        let page = page.replace("4e7c9f861a9a77094d93887aa82b54fd5cfecbf0", &id);
        for line in stderr(&output).lines() {
            assert!(
                page.contains(&format!("\n{line}\n")),
                "{code} does not show: {line}"
            );
        }
    }
}

/// A copy of the example, where it can be changed.
fn copy_of_the_example() -> Repository {
    let place = Repository::folder();
    let mut folders = vec![PathBuf::from("examples/contoso")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                place.write(path.to_str().unwrap(), fs::read(entry.path()).unwrap());
            }
        }
    }
    place
}

/// The third experiment of the example's README.
fn with_three_mistakes(place: &Repository) {
    place.edit("examples/contoso/groups/people.yaml", "\"NO\"", "NO");
    let hardware = place.file("examples/contoso/groups/hardware.yaml");
    let text = fs::read_to_string(&hardware).unwrap();
    fs::write(&hardware, text.replacen("key: country", "key: colour", 1)).unwrap();
    place.edit(
        "examples/contoso/assignments/windows-update.yaml",
        "groupRef: { name: executives }",
        "groupRef: { name: executivs }",
    );
}

fn run_in(place: &Path, command: &str) -> Output {
    diarchy()
        .current_dir(place)
        .args(command.split(' ').skip(1))
        .output()
        .unwrap()
}

/// Commands that a page shows with what they print: `$ diarchy …`.
fn shown_commands(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    text.split("```text\n$ ")
        .skip(1)
        .map(|block| {
            let block = block.split("```").next().unwrap();
            let (command, printed) = block.split_once('\n').unwrap();
            (command.to_owned(), printed.to_owned())
        })
        .collect()
}

#[test]
fn the_readme_shows_what_commands_print() {
    // What `up` prints depends on how fast the machine is.
    let mut commands = shown_commands("README.md");
    commands.retain(|(command, _)| !command.starts_with("diarchy up "));
    assert!(commands.len() >= 4, "{commands:?}");
    for (command, printed) in commands {
        let place = copy_of_the_example();
        if printed.contains("DIA1") {
            with_three_mistakes(&place);
        }
        let output = run_in(place.path(), &command);
        let both = stdout(&output) + &stderr(&output);
        assert_eq!(both, printed, "{command}");
    }
}

/// The commands that the example's README tells to run.
fn experiments() -> Vec<String> {
    let text = fs::read_to_string(root().join("examples/contoso/README.md")).unwrap();
    let commands = text.lines().filter(|line| line.starts_with("diarchy "));
    commands.map(ToOwned::to_owned).collect()
}

#[test]
fn the_first_experiment_of_the_example_goes_as_it_is_told() {
    let [plan, ..] = &experiments()[..] else {
        panic!("there is none")
    };
    let place = copy_of_the_example();
    let joining = |place: &Repository| {
        let output = run_in(place.path(), &format!("{plan} -o json"));
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let answer: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let changes = answer["changes"].as_array().unwrap().clone();
        let is_it = |change: &&serde_json::Value| {
            change["workload"] == "WindowsUpdatePolicies" && change["to"] == "Intune"
        };
        changes.iter().filter(is_it).count()
    };
    let before = joining(&place);
    let file = "examples/contoso/assignments/windows-update.yaml";
    let text = fs::read_to_string(place.file(file)).unwrap();
    let (head, tail) = text.split_once("windows-update-windows-10").unwrap();
    place.write(
        file,
        format!(
            "{head}windows-update-windows-10{}",
            tail.replacen("  mode: Observe\n", "", 1)
        ),
    );
    assert!(joining(&place) > before);
}

#[test]
fn the_second_experiment_of_the_example_goes_as_it_is_told() {
    let [_, explain, ..] = &experiments()[..] else {
        panic!("there are fewer")
    };
    let place = copy_of_the_example();
    let told = stdout(&run_in(place.path(), explain));
    assert!(told.contains("it is held: "), "{told}");
    let name = "\"name\":\"US-WS000003\",";
    let known = format!("{name}\"department\":\"Sales\",\"labels\":{{}},");
    place.edit("examples/contoso/inventory.ndjson", name, &known);
    let told = stdout(&run_in(place.path(), explain));
    assert!(told.contains("it would move to Intune"), "{told}");
}

#[test]
fn the_third_experiment_of_the_example_goes_as_it_is_told() {
    let [.., validate] = &experiments()[..] else {
        panic!("there is none")
    };
    let place = copy_of_the_example();
    assert_eq!(run_in(place.path(), validate).status.code(), Some(0));
    with_three_mistakes(&place);
    let output = run_in(place.path(), validate);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output).lines().count(), 3, "{}", stdout(&output));
}
