use super::run;
use crate::graph::shipped;

/// Of other seeds there is `framewright sim --seeds N`.
#[test]
fn nothing_that_must_hold_is_broken_in_thousands_of_worlds() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2_000);
    let first: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let library = shipped();
    let (mut events, mut turns) = (0, 0);
    for seed in first..first + seeds {
        match run(seed, &library) {
            Ok(ran) => (events, turns) = (events + ran.events, turns + ran.turns),
            Err(failed) => panic!("seed {seed}: {}\n{}\nrepeat: framewright sim --seed {seed}", failed.what, failed.script),
        }
    }
    println!("{events} events, {turns} turns");
    assert!(turns > seeds, "the worlds are not empty: {turns} turns in {seeds} worlds");
}
