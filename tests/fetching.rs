//! The process that fetches: bounded in time and memory, killed at any moment, and discreet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diarchy_git::{Address, Credentials, FetchError, FetchRequest, Fetcher, Limits, Wanted};

use crate::bench::{stderr, stdout};
use crate::https_server::{PASSWORD, USERNAME};
use crate::remote_site::{Site, manner};

#[test]
fn a_fetch_ends_in_time_and_the_next_one_repairs_what_it_left() {
    let site = Site::new();
    site.is(manner::SLOW);
    let began = Instant::now();
    let output = site.run("validate", &["--git-timeout", "1s"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2210"), "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(10));
    site.is(manner::GOOD);
    let output = site.run("validate", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The processes that a process has started.
pub fn children(parent: u32) -> Vec<u32> {
    let place = format!("/proc/{parent}/task");
    let tasks = fs::read_dir(place).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Waits until a process has started one that fetches.
fn fetching(parent: u32) -> u32 {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if let Some(child) = children(parent).first()
            && fs::read(format!("/proc/{child}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains("fetch-repository"))
        {
            return *child;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nothing is fetched");
}

fn kill(process: u32) {
    let status = Command::new("kill")
        .args(["-9", &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_fetch_that_is_killed_at_any_moment_is_repaired_by_the_next() {
    let site = Site::new();
    let noise: Vec<u8> = (0..400_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    site.origin.commit("noise.bin", noise);
    for wait in [0, 5, 20, 60, 150, 300] {
        let running = site
            .command("validate")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let child = fetching(running.id());
        std::thread::sleep(Duration::from_millis(wait));
        let was_alive = Path::new(&format!("/proc/{child}")).exists();
        if was_alive {
            let _ = Command::new("kill")
                .args(["-9", &child.to_string()])
                .stderr(Stdio::null())
                .status();
        }
        let output = running.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => {}
            Some(2) => assert!(stderr(&output).contains("DIA2214"), "{}", stderr(&output)),
            other => panic!("{other:?}"),
        }
        let output = site.run("validate", &[]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "after {wait} ms: {}",
            stderr(&output)
        );
        fs::remove_dir_all(site.cache()).unwrap();
    }
}

#[test]
fn a_fetch_whose_asker_was_killed_ends_by_itself() {
    let site = Site::new();
    site.is(manner::SLOW);
    let mut running = site
        .command("validate")
        .args(["--git-timeout", "1s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = fetching(running.id());
    kill(running.id());
    running.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while Path::new(&format!("/proc/{child}/exe")).read_link().is_ok() {
        assert!(Instant::now() < until, "it goes on for ever");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every file below a folder.
pub fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn nothing_secret_is_written_anywhere() {
    let site = Site::new();
    let in_base64 = "ZmxlZXQtcmVhZGVyOnA0c3N3MHJk";
    let assert_clean = |what: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        assert!(
            !text.contains(PASSWORD) && !text.contains(in_base64),
            "{what}: {text}"
        );
    };
    // What the process that fetches shows to everybody on the machine.
    site.is(manner::SLOW);
    let mut command = site.command("validate");
    command.args(["--log", "trace", "--git-timeout", "3s"]);
    let running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let child = fetching(running.id());
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{child}/{file}")).unwrap();
        assert!(!shown.is_empty());
        assert_clean(file, &shown);
    }
    let output = running.wait_with_output().unwrap();
    assert_clean("stdout", &output.stdout);
    assert_clean("stderr", &output.stderr);
    // What a loop logs and leaves, when all is well and when it is not.
    for manner in [manner::GOOD, manner::AWAY] {
        site.is(manner);
        let output = site
            .up()
            .args(["--once", "--log", "trace", "-o", "json"])
            .output()
            .unwrap();
        assert!(stdout(&output).contains("report"), "{}", stderr(&output));
        assert_clean("stdout", &output.stdout);
        assert_clean("stderr", &output.stderr);
    }
    let mut files = Vec::new();
    files_below(site.folder.path(), &mut files);
    let secrets = site.secrets();
    let written: Vec<_> = files
        .iter()
        .filter(|file| !file.starts_with(&secrets))
        .collect();
    assert!(written.len() > 10, "{written:?}");
    for file in written {
        assert_clean(&file.display().to_string(), &fs::read(file).unwrap());
    }
}

#[test]
fn a_process_that_fetches_takes_no_more_memory_than_it_may() {
    let site = Site::new();
    let fetcher = Fetcher::new(env!("CARGO_BIN_EXE_diarchy"), ["fetch-repository"]);
    let keys = [
        ("username", USERNAME),
        ("password", PASSWORD),
        ("ca.crt", &site.server.ca),
    ];
    let mut request = FetchRequest {
        address: Address::parse(&site.server.url()).unwrap(),
        wanted: Wanted::Head,
        mirror: site.folder.path().join("mirror"),
        credentials: Credentials::from_keys(keys.map(|(key, value)| (key, value))).unwrap(),
        limits: Limits {
            memory_bytes: 1 << 20,
            ..Limits::default()
        },
        afresh: false,
    };
    let error = site.runtime.block_on(fetcher.fetch(&request)).unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Stopped { .. } | FetchError::Mirror { .. }
        ),
        "{error:?}"
    );
    request.limits = Limits::default();
    let outcome = site.runtime.block_on(fetcher.fetch(&request)).unwrap();
    assert_eq!(outcome.revision, site.head());
}

#[test]
fn a_program_that_does_not_answer_is_no_fetch() {
    let site = Site::new();
    let request = FetchRequest {
        address: Address::parse(&site.server.url()).unwrap(),
        wanted: Wanted::Head,
        mirror: site.folder.path().join("mirror"),
        credentials: Credentials::default(),
        limits: Limits::default(),
        afresh: false,
    };
    for (program, arguments, says) in [
        ("false", &[][..], "exit status: 1"),
        ("echo", &["{}"], "exit status: 0"),
        ("sh", &["-c", "echo out of luck >&2; exit 3"], "out of luck"),
        ("sh", &["-c", "kill -9 $$"], "signal: 9"),
        ("/no/such/program", &[], "No such file"),
    ] {
        let fetcher = Fetcher::new(program, arguments);
        let error = site.runtime.block_on(fetcher.fetch(&request)).unwrap_err();
        assert!(
            matches!(error, FetchError::Stopped { .. }),
            "{program}: {error:?}"
        );
        assert!(error.to_string().contains(says), "{program}: {error}");
    }
}

#[test]
fn two_commands_at_once_share_a_mirror() {
    let site = Site::new();
    let running: Vec<_> = (0..4)
        .map(|_| {
            site.command("validate")
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for command in running {
        let output = command.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let mirrors = fs::read_dir(site.cache().join("diarchy/mirrors")).unwrap();
    assert_eq!(mirrors.count(), 1);
}
