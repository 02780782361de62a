//! Mirrors: shared, damaged, old, and in the wrong place.

use std::fs;
use std::path::Path;

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_git::{Cache, Options, Source, Wanted, load};

use crate::client::{Client, assert_sound, files, packs};
use crate::https_server::{Reaction, serve, serve_as};
use crate::origin::Origin;

fn in_folder(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_fetches_of_one_mirror_take_turns() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let client = Client::of(&server);
    let fetches = (0..6).map(|_| {
        let request = client.request.clone();
        tokio::task::spawn_blocking(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime
                .enable_all()
                .build()
                .unwrap()
                .block_on(diarchy_git::fetch(&request))
        })
    });
    for fetch in fetches.collect::<Vec<_>>() {
        assert_eq!(fetch.await.unwrap().unwrap().commit, origin.head());
    }
    // The first one brought it, and the others found it.
    assert_eq!(packs(&client), 1);
}

#[tokio::test]
async fn a_damaged_mirror_is_fetched_anew() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let client = Client::of(&server);
    let mirror = client.request.mirror.clone();
    let damages: [&dyn Fn(); 6] = [
        // A fetch killed at one moment or another.
        &|| fs::write(mirror.join("shallow.lock"), "x").unwrap(),
        &|| fs::write(mirror.join("objects/pack/pack_git2_1"), "x").unwrap(),
        &|| fs::remove_file(mirror.join("HEAD")).unwrap(),
        &|| fs::write(mirror.join("config"), "").unwrap(),
        // A disk that lost something.
        &|| {
            for file in in_folder(&mirror.join("objects/pack")) {
                if file.extension().is_some_and(|it| it == "idx") {
                    fs::remove_file(file).unwrap();
                }
            }
        },
        &|| fs::remove_dir_all(mirror.join("objects")).unwrap(),
    ];
    for (at, damage) in damages.iter().enumerate() {
        client.fetch().await.unwrap();
        damage();
        let fetched = client
            .fetch()
            .await
            .unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(files(&fetched), ["fleet.yaml"], "{at}");
        assert_sound(&fetched);
    }
}

#[tokio::test]
async fn a_mirror_whose_content_is_damaged_is_thrown_away_on_demand() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let mut client = Client::of(&server);
    let fetched = client.fetch().await.unwrap();
    for file in in_folder(&client.request.mirror.join("objects/pack")) {
        if file.extension().is_some_and(|it| it == "pack") {
            let mut bytes = fs::read(&file).unwrap();
            for byte in &mut bytes[12..] {
                *byte ^= 0x55;
            }
            fs::remove_file(&file).unwrap();
            fs::write(&file, bytes).unwrap();
        }
    }
    let source = Source::Fetched(Box::new(fetched));
    let options = Options::default();
    let error = load(&source, &options, &mut Cache::default()).unwrap_err();
    assert_eq!(error.code(), Code::RepositoryNotReadable, "{error}");
    client.request.afresh = true;
    let fetched = client.fetch().await.unwrap();
    assert_eq!(files(&fetched), ["fleet.yaml"]);
}

#[tokio::test]
async fn a_folder_that_holds_something_else_is_left_alone() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let mut client = Client::of(&server);
    client.request.mirror = client.folder.path().to_owned();
    let mine = client.folder.path().join("mine.txt");
    fs::write(&mine, "precious").unwrap();
    for afresh in [false, true] {
        client.request.afresh = afresh;
        let error = client.fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::MirrorNotUsable, "{error}");
    }
    assert_eq!(fs::read_to_string(mine).unwrap(), "precious");
    client.request.mirror = Path::new("/proc/no/such/place").to_owned();
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::MirrorNotUsable, "{error}");
    assert_eq!(error.consequence(), Consequence::Retry);
}

#[tokio::test]
async fn a_mirror_that_is_fetched_into_for_long_stays_small() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let mut client = Client::of(&server);
    let first = client.fetch().await.unwrap();
    for at in 0..22 {
        origin.commit("now.yaml", format!("{at}\n"));
        let branch = format!("b{at}");
        origin.git(&["branch", &branch]);
        origin.push();
        client.want(Wanted::Branch(branch)).await.unwrap();
    }
    let last = client.fetch().await.unwrap();
    assert!(packs(&client) <= 17, "{} packs", packs(&client));
    let references = in_folder(&client.request.mirror.join("refs/diarchy"));
    assert_eq!(references.len(), 16);
    assert_eq!(files(&last), ["fleet.yaml", "now.yaml"]);
    // What was in force once can still be read, wherever its objects have gone.
    assert_eq!(files(&first), ["fleet.yaml"]);
    assert_sound(&last);
}

#[tokio::test]
async fn packs_are_not_taken_away_while_somebody_reads() {
    let origin = Origin::new();
    let server = serve_as(origin.root(), |_| Reaction::Git).await;
    let client = Client::of(&server);
    client.fetch().await.unwrap();
    let lock = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(client.request.mirror.join("read.lock"))
        .unwrap();
    lock.lock_shared().unwrap();
    for at in 0..18 {
        origin.commit("now.yaml", format!("{at}\n"));
        client.fetch().await.unwrap();
    }
    assert_eq!(packs(&client), 19);
    drop(lock);
    origin.commit("now.yaml", "last\n");
    let fetched = client.fetch().await.unwrap();
    assert_eq!(packs(&client), 1);
    assert_sound(&fetched);
}
