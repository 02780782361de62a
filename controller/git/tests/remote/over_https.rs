//! Fetching over https.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_git::{Cache, Options, Source, Wanted, load};

use crate::client::{Client, assert_sound, files, noise, packs};
use crate::https_server::{Reaction, serve, serve_as};
use crate::origin::Origin;

#[tokio::test]
async fn a_repository_is_fetched_and_then_what_is_new() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let client = Client::of(&server);

    let first = client.fetch().await.unwrap();
    assert_eq!(first.commit, origin.head());
    assert_eq!(first.revision, format!("main@sha1:{}", origin.head()));
    assert_eq!(files(&first), ["fleet.yaml"]);
    assert_sound(&first);

    // Nothing new: nothing is asked for but whether there is.
    let before = server.asked().len();
    assert_eq!(client.fetch().await.unwrap(), first);
    assert_eq!(server.asked().len() - before, 2);
    assert_eq!(packs(&client), 1);

    origin.commit("groups/laptops.yaml", "two: 2\n");
    let second = client.fetch().await.unwrap();
    assert_eq!(second.commit, origin.head());
    assert_eq!(files(&second), ["fleet.yaml", "groups/laptops.yaml"]);
    assert_sound(&second);
    // The old revision can still be read.
    assert_eq!(files(&first), ["fleet.yaml"]);
}

#[tokio::test]
async fn a_revision_is_loaded_out_of_its_mirror() {
    let origin = Origin::new();
    origin.commit("fleet.yaml", "kind: [\n");
    let server = serve(origin.root()).await;
    let fetched = Client::of(&server);
    let (fetched, _mirror) = (fetched.fetch().await.unwrap(), fetched.folder);
    let source = Source::Fetched(Box::new(fetched.clone()));
    let loaded = load(&source, &Options::default(), &mut Cache::default()).unwrap();
    assert_eq!(loaded.revision.display, fetched.revision);
    assert_eq!(loaded.revision.commit, Some(fetched.commit.clone()));
    assert_eq!(loaded.diagnostics[0].code, Code::Syntax);
    // By its id it is read again, whatever was fetched since.
    let options = Options {
        reference: Some(fetched.commit.clone()),
        path: Some("nosuch".to_owned()),
    };
    let error = load(&source, &options, &mut Cache::default()).unwrap_err();
    assert_eq!(error.code(), Code::PathNotFound);
}

#[tokio::test]
async fn every_way_to_name_a_revision_finds_it() {
    let origin = Origin::new();
    let one = origin.head();
    origin.git(&["tag", "light"]);
    origin.git(&["tag", "-am", "first", "v1.0"]);
    let two = origin.commit("two.yaml", "2\n");
    origin.git(&["branch", "feature/x"]);
    let three = origin.commit("three.yaml", "3\n");
    for old in [false, true] {
        let server = serve_as(origin.root(), move |_| {
            if old { Reaction::OldGit } else { Reaction::Git }
        })
        .await;
        let mut client = Client::of(&server);
        for (wanted, commit, shown) in [
            (Wanted::Head, &three, "main@"),
            (Wanted::Branch("feature/x".into()), &two, "feature/x@"),
            (Wanted::Any("feature/x".into()), &two, "feature/x@"),
            (Wanted::Tag("light".into()), &one, "light@"),
            (Wanted::Any("v1.0".into()), &one, "v1.0@"),
            (Wanted::Any("refs/tags/v1.0".into()), &one, "v1.0@"),
            (Wanted::Commit(three.clone()), &three, ""),
            (Wanted::Any(three.clone()), &three, ""),
        ] {
            let fetched = client.want(wanted.clone()).await.unwrap();
            assert_eq!(fetched.commit, *commit, "{wanted:?}");
            assert_eq!(
                fetched.revision,
                format!("{shown}sha1:{commit}"),
                "{wanted:?}"
            );
            assert!(files(&fetched).contains(&"fleet.yaml".to_owned()));
        }
        let tag = client
            .want(Wanted::Tag("v1.0".into()))
            .await
            .unwrap()
            .tag
            .unwrap();
        assert_eq!(tag.name, "v1.0");
        assert_eq!(tag.object, Some(origin.git(&["rev-parse", "v1.0"])));
        let light = client.want(Wanted::Tag("light".into())).await.unwrap().tag;
        assert_eq!(light.unwrap().object, None);
    }
}

#[tokio::test]
async fn a_commit_in_the_middle_of_history_is_fetched_by_its_id() {
    let origin = Origin::new();
    let old = origin.head();
    origin.commit("two.yaml", "2\n");
    // Version 2 gives out any commit, version 0 only branches unless the server is told otherwise.
    for (version_0, by_id) in [(false, false), (true, false), (true, true)] {
        let allowed = if by_id { "true" } else { "false" };
        origin.at_server(&["config", "uploadpack.allowReachableSHA1InWant", allowed]);
        let server = serve_as(origin.root(), move |_| {
            if version_0 {
                Reaction::OldGit
            } else {
                Reaction::Git
            }
        })
        .await;
        let mut client = Client::of(&server);
        let fetched = client.want(Wanted::Commit(old.clone())).await.unwrap();
        assert_eq!(fetched.commit, old);
        assert_eq!(files(&fetched), ["fleet.yaml"]);
        let nowhere = "4e7c9f861a9a77094d93887aa82b54fd5cfecbf0".to_owned();
        let error = client.want(Wanted::Commit(nowhere)).await.unwrap_err();
        assert_eq!(error.code(), Code::RevisionNotFound, "{error}");
    }
}

#[tokio::test]
async fn only_what_is_needed_is_fetched() {
    let origin = Origin::new();
    origin.commit("large.bin", noise(1 << 20));
    origin.git(&["rm", "-q", "large.bin"]);
    origin.commit("now.yaml", "1\n");
    origin.git(&["checkout", "-qb", "other"]);
    origin.commit("other.bin", noise(1 << 20));
    origin.git(&["checkout", "-q", "main"]);
    for old in [false, true] {
        let server = serve_as(origin.root(), move |_| {
            if old { Reaction::OldGit } else { Reaction::Git }
        })
        .await;
        let mut client = Client::of(&server);
        client.request.limits.pack_bytes = 1 << 16;
        client.fetch().await.unwrap();
        origin.commit("now.yaml", if old { "2\n" } else { "3\n" });
        // What is new is a few hundred bytes: the server knows what is here.
        client.request.limits.pack_bytes = 1 << 10;
        let fetched = client.fetch().await.unwrap();
        assert_eq!(files(&fetched), ["fleet.yaml", "now.yaml"]);
        assert_sound(&fetched);
    }
}

#[tokio::test]
async fn a_file_that_comes_back_from_history_is_not_missed() {
    let origin = Origin::new();
    origin.commit("gone.yaml", "the same as ever\n");
    origin.git(&["rm", "-q", "gone.yaml"]);
    origin.commit("two.yaml", "2\n");
    for old in [false, true] {
        let server = serve_as(origin.root(), move |_| {
            if old { Reaction::OldGit } else { Reaction::Git }
        })
        .await;
        let client = Client::of(&server);
        client.fetch().await.unwrap();
        // In the history that the mirror leaves out, and not in the commit that it has.
        origin.commit("gone.yaml", "the same as ever\n");
        assert!(files(&client.fetch().await.unwrap()).contains(&"gone.yaml".to_owned()));
        origin.git(&["rm", "-q", "gone.yaml"]);
        origin.commit("three.yaml", "3\n");
    }
}

#[tokio::test]
async fn a_branch_that_was_forced_back_is_followed() {
    let origin = Origin::new();
    let one = origin.head();
    origin.commit("two.yaml", "2\n");
    let server = serve(origin.root()).await;
    let client = Client::of(&server);
    client.fetch().await.unwrap();
    origin.git(&["reset", "-q", "--hard", &one]);
    origin.push();
    origin.at_server(&["reflog", "expire", "--expire=all", "--all"]);
    origin.at_server(&["gc", "-q", "--prune=now"]);
    assert_eq!(client.fetch().await.unwrap().commit, one);
    let other = origin.commit("other.yaml", "3\n");
    let fetched = client.fetch().await.unwrap();
    assert_eq!(fetched.commit, other);
    assert_eq!(files(&fetched), ["fleet.yaml", "other.yaml"]);
    assert_sound(&fetched);
}

#[tokio::test]
async fn a_branch_that_is_gone_is_said_to_be() {
    let origin = Origin::new();
    origin.git(&["branch", "feature"]);
    origin.push();
    let server = serve(origin.root()).await;
    let mut client = Client::of(&server);
    let feature = Wanted::Branch("feature".to_owned());
    let fetched = client.want(feature.clone()).await.unwrap();
    origin.git(&["branch", "-D", "feature"]);
    // A branch below the name of the old one, which no file system has beside it.
    origin.git(&["branch", "feature/new"]);
    origin.push();
    let error = client.want(feature).await.unwrap_err();
    assert_eq!(error.code(), Code::RevisionNotFound);
    assert_eq!(error.consequence(), Consequence::FixInput);
    assert_eq!(files(&fetched), ["fleet.yaml"]);
    client
        .want(Wanted::Branch("feature/new".to_owned()))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_empty_repository_has_no_revision() {
    let origin = Origin::empty();
    for old in [false, true] {
        let server = serve_as(origin.root(), move |_| {
            if old { Reaction::OldGit } else { Reaction::Git }
        })
        .await;
        let mut client = Client::of(&server);
        for wanted in [Wanted::Head, Wanted::Any("main".into())] {
            let error = client.want(wanted).await.unwrap_err();
            assert_eq!(error.code(), Code::RevisionNotFound, "{error}");
        }
        let some = "4e7c9f861a9a77094d93887aa82b54fd5cfecbf0".to_owned();
        let error = client.want(Wanted::Commit(some)).await.unwrap_err();
        assert_eq!(error.code(), Code::RevisionNotFound, "{error}");
    }
}

#[tokio::test]
async fn old_and_new_servers_are_asked_in_their_own_way() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let client = Client::of(&server);
    client.fetch().await.unwrap();
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|it| it.protocol.as_deref() == Some("version=2"))
    );
    let questions = asked.iter().filter(|it| it.method == "POST").count();
    assert_eq!(questions, 2);
    // Version 0 lists everything at once: one question less.
    let server = serve_as(origin.root(), |_| Reaction::OldGit).await;
    Client::of(&server).fetch().await.unwrap();
    let questions = server
        .asked()
        .iter()
        .filter(|it| it.method == "POST")
        .count();
    assert_eq!(questions, 1);
}
