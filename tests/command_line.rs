//! The command line as a whole.

use std::fs;
use std::io;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::bench::{diarchy, root, stderr, stdout};
use crate::repository::Repository;

/// Every command, as it is typed.
const COMMANDS: [&str; 16] = [
    "validate",
    "plan",
    "explain",
    "up",
    "get",
    "approve",
    "suspend",
    "resume",
    "reconcile",
    "check",
    "simulate",
    "inventory",
    "inventory export",
    "crds",
    "completions",
    "version",
];

const NOW: &str = "2026-11-23T08:00:00Z";

fn run(arguments: &str) -> Output {
    diarchy().args(arguments.split(' ')).output().unwrap()
}

/// A command about the example, whose paths are as the README gives them.
fn of_the_example(arguments: &str) -> Command {
    let mut command = diarchy();
    command.current_dir(root()).args(arguments.split(' '));
    command
}

fn plan_of_the_example() -> Command {
    of_the_example(&format!(
        "plan examples/contoso --working-tree --inventory examples/contoso/inventory.ndjson --now {NOW}"
    ))
}

#[test]
fn the_example_is_valid() {
    let output = of_the_example("validate examples/contoso --working-tree")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "", "it has no warnings either");
}

#[test]
fn help_names_every_command() {
    let help = stdout(&run("--help"));
    insta::assert_snapshot!("help", help);
    for command in COMMANDS {
        let first = command.split(' ').next().unwrap();
        let listed = format!("\n  {first} ");
        assert!(help.contains(&listed), "{first}");
    }
}

#[test]
fn help_of_every_command_has_examples() {
    for command in COMMANDS {
        let output = run(&format!("{command} --help"));
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = stdout(&output);
        let (_, examples) = help
            .split_once("\nExample")
            .unwrap_or_else(|| panic!("{command} has none"));
        assert!(examples.contains("  diarchy "), "{command}: {examples}");
        insta::assert_snapshot!(format!("help of {command}").replace(' ', "_"), help);
    }
}

#[test]
fn examples_in_help_are_accepted() {
    let words = |line: &str| -> Vec<String> {
        // What a shell would do: a comment stands behind three blanks, a pipe ends the command.
        let command = line.trim().split("   ").next().unwrap();
        let command = command.split(" | ").next().unwrap();
        let command = command.split(" > ").next().unwrap();
        command.split(' ').map(ToOwned::to_owned).collect()
    };
    let mut seen = 0;
    for command in COMMANDS {
        // In a narrow terminal too no command is broken into two lines.
        let mut narrow = diarchy();
        narrow.env("COLUMNS", "80").args(command.split(' '));
        let help = stdout(&narrow.arg("--help").output().unwrap());
        let examples = help.lines().filter(|line| line.starts_with("  diarchy "));
        for line in examples {
            // Help is asked for too, so that nothing is done once the arguments are understood.
            let output = diarchy().args(&words(line)[1..]).arg("--help").output();
            assert_eq!(output.unwrap().status.code(), Some(0), "{line}");
            seen += 1;
        }
    }
    assert!(seen >= COMMANDS.len());
}

#[test]
fn what_is_not_understood_exits_2_with_usage() {
    for arguments in [
        "",
        "destroy",
        "validate",
        "validate . --no-such-option",
        "validate . -o xml",
        "plan . --inventory a --simulate 3",
        "plan . --simulate many",
        "plan . --simulate 3 --now yesterday",
        "plan . --inventory a --seed 3",
        "explain . LAPTOP-0042 --simulate 3 --workload Printing",
        "validate . --working-tree --ref main",
        "up . --simulate 3 --speed fast",
        "up . --simulate 3 --mishap Updates=5%",
        "up . --mishap ClientApps=5%",
        "simulate . --mishap ClientApps=5%:Broken",
        "completions tcsh",
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "`{arguments}`");
        assert_eq!(stdout(&output), "", "`{arguments}`");
        assert!(stderr(&output).contains("--help"), "`{arguments}`");
    }
}

/// Without REPO a cluster is asked, and with it devices must come from somewhere.
#[test]
fn what_belongs_to_the_other_way_of_asking_is_told() {
    for (arguments, remedy) in [
        ("plan .", "--inventory FILE, --simulate N, or --live"),
        (
            "explain . LAPTOP-0042",
            "--inventory FILE, --simulate N, or --live",
        ),
        ("plan --simulate 3", "give REPO"),
        ("explain LAPTOP-0042 --inventory a", "give REPO"),
        ("explain . --simulate 3", "give REPO"),
        ("check --simulate 3", "give REPO"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "`{arguments}`");
        let told = stderr(&output);
        assert!(
            told.contains("DIA2012: ") && told.contains(remedy),
            "`{arguments}`: {told}"
        );
    }
}

#[test]
fn kubectl_finds_it_and_it_answers_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-diarchy");
    std::os::unix::fs::symlink(diarchy().get_program(), &plugin).unwrap();
    let mut command = Command::new(&plugin);
    let help = stdout(&command.args(["plan", "--help"]).output().unwrap());
    assert!(help.contains("Usage: kubectl diarchy plan "), "{help}");
}

#[test]
fn the_version_is_told_as_text_and_as_json() {
    let version = env!("CARGO_PKG_VERSION");
    let text = stdout(&run("version"));
    assert!(text.starts_with(&format!("diarchy {version}")), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(stdout(&run("--version")), format!("diarchy {version}\n"));
    let json: Value = serde_json::from_str(&stdout(&run("version -o json"))).unwrap();
    assert_eq!(json["version"], version);
    assert!(json.as_object().unwrap().contains_key("revision"));
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = run(&format!("completions {shell}"));
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = stdout(&output);
        for command in COMMANDS {
            let first = command.split(' ').next().unwrap();
            assert!(script.contains(first), "{shell} does not know {first}");
        }
    }
}

#[test]
fn the_definitions_are_those_of_the_repository() {
    let printed = stdout(&run("crds"));
    let mut documents: Vec<&str> = printed.split("---\n").filter(|d| !d.is_empty()).collect();
    documents.sort_unstable();
    let mut files: Vec<String> = fs::read_dir(root().join("crds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    files.sort_unstable();
    assert!(!files.is_empty());
    assert_eq!(documents, files);
}

#[test]
fn the_definitions_are_documents_of_another_group_in_one_stream() {
    let printed = stdout(&run("crds"));
    let definitions = printed
        .matches("\nkind: CustomResourceDefinition\n")
        .count();
    let repository = Repository::small();
    repository.write("definitions.yaml", &printed);
    let output = repository.run("validate", &["--working-tree", "-o", "json"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["valid"], true, "{answer}");
    assert_eq!(answer["skipped"], definitions);
    assert!(definitions >= 5);
}

#[test]
fn the_definitions_can_be_written_to_a_folder() {
    let place = Repository::folder();
    let folder = place.file("new/crds");
    let output = diarchy()
        .args(["crds", "-o"])
        .arg(&folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    for entry in fs::read_dir(root().join("crds")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let written = fs::read(folder.join(path.file_name().unwrap())).unwrap();
            assert_eq!(written, fs::read(&path).unwrap(), "{}", path.display());
        }
    }
}

fn has_escape_codes(output: &Output) -> bool {
    output.stdout.contains(&0x1B) || output.stderr.contains(&0x1B)
}

/// Commands that style what they print.
fn styled_commands() -> [Command; 4] {
    let explain = format!(
        "explain examples/contoso FR-LT000017 --working-tree --inventory examples/contoso/inventory.ndjson --now {NOW}"
    );
    [
        of_the_example("validate examples/contoso --working-tree"),
        of_the_example("validate examples/nowhere"),
        plan_of_the_example(),
        of_the_example(&explain),
    ]
}

#[test]
fn a_pipe_gets_no_escape_codes() {
    for mut command in styled_commands() {
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        assert!(!has_escape_codes(&command.output().unwrap()), "{command:?}");
    }
}

#[test]
fn no_color_is_obeyed() {
    for mut command in styled_commands() {
        command.env("NO_COLOR", "1").env("TERM", "xterm-256color");
        assert!(!has_escape_codes(&command.output().unwrap()), "{command:?}");
    }
}

#[test]
fn colour_can_be_forced_into_a_pipe() {
    for mut command in styled_commands() {
        command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
        assert!(has_escape_codes(&command.output().unwrap()), "{command:?}");
    }
}

#[test]
fn json_is_never_coloured() {
    let mut command = plan_of_the_example();
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    let output = command.args(["-o", "json"]).output().unwrap();
    assert!(!output.stdout.contains(&0x1B));
}

/// As behind `| head -1`, when `head` has gone.
#[test]
fn a_reader_that_has_gone_away_is_no_error_to_tell_of() {
    let mut commands = vec![
        of_the_example("crds"),
        of_the_example("version"),
        of_the_example("version -o json"),
        of_the_example("completions bash"),
        of_the_example("completions zsh"),
        of_the_example("--help"),
        of_the_example("plan --help"),
        of_the_example("inventory export examples/contoso --working-tree --simulate 5"),
    ];
    for format in ["text", "json", "markdown"] {
        let mut plan = plan_of_the_example();
        plan.args(["-o", format]);
        commands.push(plan);
    }
    commands.extend(styled_commands().into_iter().skip(3));
    for mut command in commands {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        command.stdout(writer).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(stderr(&output), "", "{command:?}");
        assert!(output.status.code().is_some(), "{command:?}");
    }
}

#[test]
fn what_cannot_be_approved_is_told_with_its_code() {
    let place = Repository::folder();
    let file = place.write("other.state", "this is no state");
    let file = file.to_str().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    for (digest, state, code) in [
        (digest.as_str(), "/nowhere/fleet.state", "DIA2009"),
        (digest.as_str(), file, "DIA2009"),
        ("sha256:00", file, "DIA2012"),
        ("yes", file, "DIA2012"),
    ] {
        let output = run(&format!("approve {digest} --state {state}"));
        assert_eq!(output.status.code(), Some(2));
        let told = stderr(&output);
        assert!(told.starts_with(&format!("error: {code}: ")), "{told}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "this is no state");
}
