//! Servers that answer wrongly, endlessly or not at all, each with a clear error.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_git::{Cache, FetchError, Options, Source, load};
use git2::{FileMode, ObjectType, Repository, Signature};

use crate::client::{Client, files, noise};
use crate::https_server::{Asked, HttpsServer, Reaction, serve_as};
use crate::origin::{Origin, git};

const GREETING: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";

async fn error_of(server: &HttpsServer) -> FetchError {
    Client::of(server).fetch().await.unwrap_err()
}

async fn saying(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> FetchError {
    let origin = Origin::new();
    let headers: Vec<(&'static str, String)> = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let body = body.to_vec();
    let server = serve_as(origin.root(), move |_| {
        Reaction::Say(status, headers.clone(), body.clone())
    })
    .await;
    error_of(&server).await
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    for (status, code) in [
        (401, Code::GitRefused),
        (403, Code::GitForbidden),
        (404, Code::GitNotFound),
        (429, Code::GitThrottled),
        (500, Code::GitUnreachable),
        (502, Code::GitUnreachable),
        (503, Code::GitUnreachable),
        (418, Code::GitAnswer),
    ] {
        let error = saying(status, &[], b"").await;
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_left_alone_until_then() {
    for status in [429, 503] {
        let error = saying(status, &[("retry-after", "120")], b"").await;
        let Consequence::WaitUntil(until) = error.consequence() else {
            panic!("{error}");
        };
        let ahead = until.duration_since(jiff::Timestamp::now()).as_secs();
        assert!((100..=120).contains(&ahead), "{ahead}");
    }
}

#[tokio::test]
async fn a_page_for_people_is_no_repository() {
    let page = b"<html><body>Sign in, please</body></html>";
    let error = saying(200, &[("content-type", "text/html; charset=utf-8")], page).await;
    assert_eq!(error.code(), Code::GitAnswer);
    assert!(error.to_string().contains("text/html"), "{error}");
    // A redirect to the page is the same.
    let to = [("location", "https://login.contoso.com/?next=fleet")];
    let error = saying(302, &to, b"").await;
    assert_eq!(error.code(), Code::GitAnswer);
    assert!(error.to_string().contains("login.contoso.com"), "{error}");
}

#[tokio::test]
async fn garbage_is_said_to_be() {
    for body in [
        &b""[..],
        b"<html>",
        b"zzzz",
        b"001e# service=git-upload-pack\n0000",
        b"000eversion 2\n",
    ] {
        let error = saying(200, &[("content-type", GREETING)], body).await;
        assert_eq!(error.code(), Code::GitAnswer, "{error}");
        assert_eq!(error.consequence(), Consequence::Retry);
    }
}

#[tokio::test]
async fn a_server_that_never_ends_is_cut_off() {
    let origin = Origin::new();
    for (content_type, piece) in [
        (GREETING, &b"0008abcd"[..]),
        (GREETING, b"\0\0\0\0\0\0\0\0"),
        ("text/html", b"<p>and so on</p>"),
    ] {
        let server = serve_as(origin.root(), move |_| {
            Reaction::Endless(content_type, piece)
        })
        .await;
        assert_eq!(error_of(&server).await.code(), Code::GitAnswer);
    }
    // Once asked for a pack, it sends one without an end.
    let server = serve_as(origin.root(), |asked| match asked.method.as_str() {
        "POST" => Reaction::Endless(RESULT, b"0008\x02abc"),
        _ => Reaction::OldGit,
    })
    .await;
    assert_eq!(error_of(&server).await.code(), Code::GitAnswer);
}

#[tokio::test]
async fn a_server_that_sends_one_round_in_circles_is_left() {
    let origin = Origin::new();
    let server = serve_as(origin.root(), |asked| {
        Reaction::Say(302, vec![("location", asked.target.clone())], Vec::new())
    })
    .await;
    let error = error_of(&server).await;
    assert_eq!(error.code(), Code::GitAnswer);
    assert!(server.asked().len() < 10);
    // And to where there is no TLS nobody goes.
    let plain = "http://git.contoso.com/fleet.git/info/refs";
    let error = saying(302, &[("location", plain)], b"").await;
    assert!(error.to_string().contains("not https"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_a_mirror_that_can_be_used() {
    let origin = Origin::new();
    origin.commit("large.bin", noise(1 << 19));
    for bytes in [0, 10, 5_000, 400_000] {
        let server = serve_as(origin.root(), move |asked| {
            if asked.method == "POST" && asked.target.ends_with("upload-pack") {
                Reaction::CutGit(bytes)
            } else {
                Reaction::OldGit
            }
        })
        .await;
        let client = Client::of(&server);
        let error = client.fetch().await.unwrap_err();
        assert!(
            [Code::GitUnreachable, Code::GitAnswer].contains(&error.code()),
            "{error}"
        );
        assert_eq!(error.consequence(), Consequence::Retry);
        let whole = serve_as(origin.root(), |_| Reaction::Git).await;
        let mut again = Client::of(&whole);
        again.request.mirror.clone_from(&client.request.mirror);
        assert_eq!(files(&again.fetch().await.unwrap()).len(), 2);
    }
}

#[tokio::test]
async fn a_pack_that_is_too_large_is_refused() {
    let origin = Origin::new();
    origin.commit("large.bin", noise(3 << 20));
    let server = serve_as(origin.root(), |_| Reaction::Git).await;
    let mut client = Client::of(&server);
    client.request.limits.pack_bytes = 1 << 20;
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitTooLarge);
    assert_eq!(error.consequence(), Consequence::FixInput);
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");
    client.request.limits.pack_bytes = 8 << 20;
    client.request.limits.objects = 3;
    let error = client.fetch().await.unwrap_err();
    assert!(error.to_string().contains("4 objects"), "{error}");
    client.request.limits.objects = 4;
    assert_eq!(files(&client.fetch().await.unwrap()).len(), 2);
}

/// A server that answers a question for a pack with `pack`, as version 0 has it.
async fn sending(origin: &Origin, pack: Vec<u8>) -> HttpsServer {
    let mut body = b"0000".to_vec();
    body.extend(b"0008NAK\n");
    for piece in pack.chunks(60_000) {
        body.extend(format!("{:04x}\x01", piece.len() + 5).into_bytes());
        body.extend(piece);
    }
    body.extend(b"0000");
    serve_as(origin.root(), move |asked: &Asked| {
        if asked.method == "POST" {
            Reaction::Say(200, vec![("content-type", RESULT.to_owned())], body.clone())
        } else {
            Reaction::OldGit
        }
    })
    .await
}

/// A pack of these objects alone.
fn pack_of(origin: &Origin, objects: &[&str]) -> Vec<u8> {
    let mut child = git()
        .arg("-C")
        .arg(origin.tree())
        .args(["pack-objects", "--stdout", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for object in objects {
        writeln!(input, "{object}").unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap().stdout
}

#[tokio::test]
async fn a_pack_that_leaves_something_out_is_not_believed() {
    let origin = Origin::new();
    let commit = origin.head();
    let tree = origin.git(&["rev-parse", "HEAD^{tree}"]);
    let blob = origin.git(&["rev-parse", "HEAD:fleet.yaml"]);
    for objects in [&[&commit][..], &[&commit, &tree]] {
        let objects: Vec<&str> = objects.iter().map(|id| id.as_str()).collect();
        let server = sending(&origin, pack_of(&origin, &objects)).await;
        let client = Client::of(&server);
        let error = client.fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::GitAnswer, "{error}");
        assert!(error.to_string().contains("leaves out"), "{error}");
        // Nor later, when the rest could be had.
        assert!(client.fetch().await.is_err());
    }
    let server = sending(&origin, pack_of(&origin, &[&commit, &tree, &blob])).await;
    assert_eq!(
        files(&Client::of(&server).fetch().await.unwrap()),
        ["fleet.yaml"]
    );
    // Without the very commit.
    let server = sending(&origin, pack_of(&origin, &[&tree, &blob])).await;
    assert_eq!(error_of(&server).await.code(), Code::RevisionNotFound);
}

#[tokio::test]
async fn what_is_no_pack_is_said_to_be_none() {
    let origin = Origin::new();
    let good = pack_of(&origin, &[&origin.head()]);
    let mut wrong_sum = good.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    let mut wrong_data = good.clone();
    wrong_data[15] ^= 0xFF;
    for pack in [
        b"".to_vec(),
        b"PACK".to_vec(),
        b"KCAP\0\0\0\x02\0\0\0\x01".to_vec(),
        good[..good.len() - 30].to_vec(),
        wrong_sum,
        wrong_data,
    ] {
        let server = sending(&origin, pack).await;
        let error = error_of(&server).await;
        assert_eq!(error.code(), Code::GitAnswer, "{error}");
    }
}

#[tokio::test]
async fn what_a_server_says_itself_is_passed_on_within_one_line() {
    let origin = Origin::new();
    for (body, says) in [
        (
            &b"0017ERR no\n\x1b[31mway you"[..],
            "`no \u{FFFD}[31mway you`",
        ),
        (b"00000015\x03out of\nmemory  ", "cannot be used"),
    ] {
        let body = body.to_vec();
        let server = serve_as(origin.root(), move |asked| {
            if asked.method == "POST" {
                Reaction::Say(200, vec![("content-type", RESULT.to_owned())], body.clone())
            } else {
                Reaction::Git
            }
        })
        .await;
        let error = error_of(&server).await.to_string();
        assert!(error.contains(says) && !error.contains('\x1b'), "{error}");
    }
}

#[tokio::test]
async fn an_echo_of_the_credentials_is_not_repeated() {
    let origin = Origin::new();
    let server = serve_as(origin.root(), |asked| {
        let echo = asked.authorization.clone().unwrap_or_default();
        let body = format!("I got {echo}, which is {}", crate::https_server::PASSWORD);
        Reaction::Say(
            403,
            vec![("content-type", "text/plain".to_owned())],
            body.into_bytes(),
        )
    })
    .await;
    let error = error_of(&server).await;
    let said = format!("{error} {error:?}");
    assert!(said.contains("[hidden]"), "{said}");
    assert!(!said.contains(crate::https_server::PASSWORD), "{said}");
    assert!(!said.contains("ZmxlZXQt"), "{said}");
}

#[tokio::test]
async fn a_server_that_says_nothing_holds_nobody_for_ever() {
    let origin = Origin::new();
    let server = serve_as(origin.root(), |_| Reaction::Hang).await;
    let client = Client::of(&server);
    let waiting = tokio::time::timeout(Duration::from_millis(300), client.fetch()).await;
    assert!(waiting.is_err());
    // Given up, it holds no lock either.
    let whole = serve_as(origin.root(), |_| {
        Reaction::SlowGit(Duration::from_millis(1))
    })
    .await;
    let mut again = Client::of(&whole);
    again.request.mirror.clone_from(&client.request.mirror);
    assert_eq!(files(&again.fetch().await.unwrap()), ["fleet.yaml"]);
}

#[tokio::test]
async fn a_tree_that_names_itself_over_and_over_is_not_read_to_its_end() {
    let origin = Origin::new();
    let repository = Repository::open(origin.repository()).unwrap();
    // Ten folders of ten folders, ten deep: a few kilobytes, and ten thousand million files.
    let mut id = repository.blob(b"a: 1\n").unwrap();
    let mut mode = FileMode::Blob;
    for _ in 0..10 {
        let mut tree = repository.treebuilder(None).unwrap();
        for name in 0..10 {
            tree.insert(format!("{name}.yaml"), id, mode.into())
                .unwrap();
        }
        id = tree.write().unwrap();
        mode = FileMode::Tree;
    }
    let tree = repository.find_tree(id).unwrap();
    let author = Signature::now("Mallory", "m@contoso.com").unwrap();
    let parent = repository.head().unwrap().peel(ObjectType::Commit).unwrap();
    let parent = parent.as_commit().unwrap().clone();
    repository
        .commit(
            Some("refs/heads/main"),
            &author,
            &author,
            "bomb",
            &tree,
            &[&parent],
        )
        .unwrap();
    let server = serve_as(origin.root(), |_| Reaction::Git).await;
    let client = Client::of(&server);
    let fetched = client.fetch().await.unwrap();
    let source = Source::Fetched(Box::new(fetched));
    let error = load(&source, &Options::default(), &mut Cache::default()).unwrap_err();
    assert!(
        error.to_string().contains("more than 1000000 files"),
        "{error}"
    );
}
