//! `framewright sim`: the whole server in simulated worlds, to find what breaks it.

use super::{Failure, library};
use crate::contract::counted;
use crate::sim;
use std::sync::Arc;
use std::time::Instant;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Worlds to run, one per seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u64,
    /// First seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let library = Arc::new(library::load(None)?);
    // A panic in a world is a failure of that world, and reported as one.
    std::panic::set_hook(Box::new(|_| {}));
    let (started, mut events, mut turns) = (Instant::now(), 0, 0);
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        match sim::run(seed, &library) {
            Ok(ran) => (events, turns) = (events + ran.events, turns + ran.turns),
            Err(failed) => {
                println!("seed {seed}: {}\n\nThe shortest script that still fails:\n{}\n", failed.what, failed.script);
                println!("Repeat it with: framewright sim --seed {seed}");
                return Err(Failure { code: 1, says: String::new() });
            }
        }
    }
    let (seeds, seconds) = (options.seeds, started.elapsed().as_secs_f64());
    let (each, pace) = (events / seeds.max(1), seeds as f64 * 60.0 / seconds);
    let (worlds, turns) = (counted(seeds as usize, "world", "worlds"), counted(turns as usize, "turn", "turns"));
    println!("{worlds}, {turns}, {events} events ({each} each): nothing broke. {pace:.0} seeds per minute on one core.");
    Ok(())
}
