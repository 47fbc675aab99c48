//! The whole server, simulated: the real shards, engine and wire code in a world that is drawn from a seed.
//!
//! A [`script::Script`] says who connects, over which network, and what they do. [`world::World`] plays it in virtual time: it
//! is the driver, the network, the worker pool, the model, the databases and the clients at once, and checks after every step
//! what must always hold. Then faults stop, everything has to come to an end, and the books are checked.
//!
//! In two worlds of three sessions are kept in a journal ([`store`]), and the whole server may die at any action and start again;
//! [`replay`] plays the journal and compares.
//!
//! No clock, thread or shared state: the same seed gives the same bytes.

mod check;
mod client;
mod driver;
mod network;
mod pool;
mod receive;
mod replay;
mod script;
mod shrink;
mod store;
#[cfg(test)]
mod tests;
mod users;
mod world;

use crate::graph::Library;
use fastrand::Rng;
use script::Script;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What one world came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ran {
    /// Of everything that the shards wanted done, in order.
    pub hash: u64,
    /// Events that the shards handled.
    pub events: u64,
    /// Turns that ended.
    pub turns: u64,
    /// What each user saw.
    seen: Vec<Vec<String>>,
}

/// A world in which something that must hold did not.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    pub seed: u64,
    pub what: String,
    /// The shortest script found that still fails, and how.
    pub script: String,
}

/// Runs the world of a seed. One world in eight runs twice and must do the same; in another eighth, a user alone must see
/// the same as among the others.
pub fn run(seed: u64, library: &Arc<Library>) -> Result<Ran, Failed> {
    let script = Script::draw(seed);
    examine(&script, library).map_err(|what| {
        let (script, last) = shrink::shrink(script, library, what.clone());
        Failed { seed, what, script: format!("{script}\n           => {last}") }
    })
}

fn examine(script: &Script, library: &Arc<Library>) -> Result<Ran, String> {
    let ran = play(script, library)?;
    match script.seed % 8 {
        0 if play(script, library)? != ran => return Err("the same seed did something else when it ran again".to_owned()),
        1 if !script.is_tight && script.users.len() > 1 => {
            let alone = script.seed as usize / 8 % script.users.len();
            let apart = Script { users: vec![script.users[alone].clone()], ..script.clone() };
            let apart = play(&apart, library)?;
            if let Some(at) =
                (0..apart.seen[0].len().max(ran.seen[alone].len())).find(|at| apart.seen[0].get(*at) != ran.seen[alone].get(*at))
            {
                return Err(format!(
                    "user {} alone sees {:?} where it sees {:?} among the others",
                    script.users[alone].number,
                    apart.seen[0].get(at),
                    ran.seen[alone].get(at)
                ));
            }
        }
        _ => {}
    }
    Ok(ran)
}

/// Plays a script once. A panic outside of a session is a failure too.
fn play(script: &Script, library: &Arc<Library>) -> Result<Ran, String> {
    catch_unwind(AssertUnwindSafe(|| world::World::new(script, library.clone()).run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        Err(format!("panic: {}", text.unwrap_or("without a message")))
    })
}

/// A seed of its own for what `salt` names.
fn mix(seed: u64, salt: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn below(rng: &mut Rng, bound: u64) -> u64 {
    rng.u64(..bound.max(1))
}

fn one_in(rng: &mut Rng, of: u64) -> bool {
    below(rng, of) == 0
}
