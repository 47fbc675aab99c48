use super::run;
use crate::graph::shipped;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const SEEDS: u64 = 2_000;

/// Of other seeds there is `framewright sim --seed S --seeds N`.
#[test]
fn thousands_of_worlds_keep_every_promise() {
    let (library, next, turns) = (shipped(), AtomicU64::new(1), AtomicU64::new(0));
    let work = || {
        for seed in std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed <= SEEDS) {
            match run(seed, &library) {
                Ok(ran) => turns.fetch_add(ran.turns, Ordering::Relaxed),
                Err(failed) => panic!("seed {seed}: {}\n{}\nrepeat it with: framewright sim --seed {seed}", failed.what, failed.script),
            };
        }
    };
    thread::scope(|scope| (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| _ = scope.spawn(work)));
    assert!(turns.into_inner() > SEEDS, "the worlds are not empty");
}
