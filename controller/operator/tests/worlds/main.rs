//! Whole worlds, each the work of a seed, judged by an oracle of its own.
//!
//! A seed decides everything: the estate, the repository and its commits, what people say, what fails and
//! when, where the process is killed, and how the clock goes. What runs is the production loop with its
//! state file, its git and its client of the services; the simulated estate answers without sockets. So a
//! seed that fails, fails again:
//!
//! ```text
//! DIARCHY_SEED=1234 cargo test --release -p diarchy-operator --test worlds -- --nocapture
//! ```
//!
//! `DIARCHY_SEED=1-2000` lives that many.
//!
//! With `DIARCHY_RECORD=FOLDER` what each pass decides from is written down, as by `up --record`; with
//! `DIARCHY_DEVICE=DE-LT000000`, or the site's number, it tells before each pass what is true of that
//! device.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod by_hand;
mod commits;
mod draw;
mod estate;
mod faults;
mod fleet;
mod history;
mod house;
mod life;
mod oracle;
mod post;
mod repository;
mod tally;
mod told;

use std::any::Any;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tally::Tally;

/// How many worlds are lived by default, and with `DIARCHY_LONG`.
const WORLDS: u64 = 240;
const MANY_WORLDS: u64 = 8_000;

/// The seeds to be lived: what `DIARCHY_SEED` says, one or `FIRST-LAST`, or the first so many.
fn seeds() -> RangeInclusive<u64> {
    let Ok(said) = std::env::var("DIARCHY_SEED") else {
        let is_long = std::env::var_os("DIARCHY_LONG").is_some();
        return 1..=if is_long { MANY_WORLDS } else { WORLDS };
    };
    let (first, last) = said.split_once('-').unwrap_or((&said, &said));
    let number = |text: &str| {
        text.parse::<u64>()
            .expect("DIARCHY_SEED is a number, or two with - between them")
    };
    number(first)..=number(last)
}

/// Lives the world of `seed`, counts it, and tells what is wrong with it.
fn judge(seed: u64, tally: &mut Tally) -> Vec<String> {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let history = life::live(seed);
        let found = oracle::judge(&history);
        (history, found)
    }));
    match lived {
        Ok((history, found)) => {
            tally.count(&history);
            found
        }
        Err(panic) => vec![format!("it panics: {}", words(panic.as_ref()))],
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
}

/// Lives the worlds of `seeds`, on all processors, each on one thread.
fn live_all(seeds: &RangeInclusive<u64>) -> (Tally, Vec<(u64, Vec<String>)>) {
    let next = AtomicU64::new(*seeds.start());
    let sum = Mutex::new((Tally::default(), Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (mut tally, mut bad) = (Tally::default(), Vec::new());
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        break;
                    }
                    let found = judge(seed, &mut tally);
                    if !found.is_empty() {
                        bad.push((seed, found));
                    }
                }
                let mut sum = sum.lock().unwrap();
                sum.0.add(&tally);
                sum.1.extend(bad);
            });
        }
    });
    let (tally, mut bad) = sum.into_inner().unwrap();
    bad.sort();
    (tally, bad)
}

#[test]
fn every_world_is_as_the_oracle_says() {
    let seeds = seeds();
    if seeds.start() == seeds.end() {
        let seed = *seeds.start();
        let history = life::live(seed);
        told::tell(&history);
        let found = oracle::judge(&history);
        assert!(found.is_empty(), "seed {seed}:\n  {}", found.join("\n  "));
        return;
    }
    let (tally, bad) = live_all(&seeds);
    println!("{tally}");
    for (seed, found) in &bad {
        println!("seed {seed}:\n  {}", found.join("\n  "));
    }
    let seeds: Vec<_> = bad.iter().map(|(seed, _)| seed).collect();
    assert!(
        bad.is_empty(),
        "{} worlds are not as they must be: {seeds:?}; see one by DIARCHY_SEED={} cargo test --release \
         -p diarchy-operator --test worlds -- --nocapture",
        bad.len(),
        seeds[0],
    );
}

#[test]
fn a_seed_replays_exactly() {
    for seed in seeds().take(8) {
        let (one, two) = (
            told::lines(&life::live(seed)),
            told::lines(&life::live(seed)),
        );
        let both = one.iter().zip(&two);
        if let Some((one, two)) = both.into_iter().find(|(one, two)| one != two) {
            panic!("seed {seed} has two histories:\n  {one}\n  {two}");
        }
        assert_eq!(one.len(), two.len(), "seed {seed}");
        assert!(one.len() > 100, "seed {seed} tells of almost nothing");
    }
}
