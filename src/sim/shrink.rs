//! Makes a failing script short: removes whatever it fails without.

use super::examine;
use super::script::{Disk, SECOND, Script};
use crate::graph::Library;
use std::sync::Arc;

/// Worlds that are tried, at most.
const TRIES_MAX: usize = 600;

/// The shortest script found, and how it fails.
pub(super) fn shrink(script: Script, library: &Arc<Library>, what: String) -> (Script, String) {
    let mut shrinking = Shrinking { best: script, what, library, tries: 0 };
    while shrinking.tries < TRIES_MAX {
        let before = shrinking.best.clone();
        shrinking.drop_each(|script| script.users.len(), |script, at| drop(script.users.remove(at)));
        for user in 0..shrinking.best.users.len() {
            shrinking.drop_each(move |script| script.users[user].steps.len(), move |script, at| _ = script.users[user].steps.remove(at));
            for client in 0..shrinking.best.users[user].clients.len() {
                shrinking.attempt(|script| script.users[user].clients[client].cuts.clear());
                shrinking.attempt(|script| script.users[user].clients[client].calm());
            }
        }
        shrinking.drop_each(|script| script.clock.len(), |script, at| _ = script.clock.remove(at));
        shrinking.drop_each(|script| script.stalls.len(), |script, at| _ = script.stalls.remove(at));
        shrinking.drop_each(|script| script.crashes.len(), |script, at| _ = script.crashes.remove(at));
        for at in 0..shrinking.best.crashes.len() {
            shrinking.attempt(|script| script.crashes[at].actions = 0);
            shrinking.attempt(|script| script.crashes[at].wall = 0);
        }
        shrinking.attempt(|script| (script.disk, script.crashes) = (None, Vec::new()));
        shrinking.attempt_disk(|disk| disk.loses = false);
        shrinking.attempt_disk(|disk| disk.fails.clear());
        shrinking.attempt_disk(|disk| disk.loads_fail.clear());
        shrinking.attempt_disk(|disk| disk.keeping.rerun = false);
        shrinking.attempt_disk(|disk| disk.snapshot_turns = 1_000);
        shrinking.attempt_disk(|disk| disk.delay_us = 20);
        shrinking.attempt_disk(|disk| disk.idle_us = 20 * SECOND);
        shrinking.attempt(|script| script.calls_failing = 0);
        shrinking.attempt(|script| script.is_tight = false);
        shrinking.attempt(|script| script.is_bounded = false);
        shrinking.attempt(|script| script.drains = false);
        shrinking.attempt(|script| script.shards = 1);
        if shrinking.best == before {
            break;
        }
    }
    (shrinking.best, shrinking.what)
}

struct Shrinking<'a> {
    best: Script,
    what: String,
    library: &'a Arc<Library>,
    tries: usize,
}

impl Shrinking<'_> {
    /// Keeps a change with which the script still fails.
    fn attempt(&mut self, change: impl Fn(&mut Script)) -> bool {
        let mut script = self.best.clone();
        change(&mut script);
        if script == self.best || self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let failed = examine(&script, self.library).err();
        if let Some(what) = failed.filter(|what| kind(what) == kind(&self.what)) {
            (self.best, self.what) = (script, what);
            return true;
        }
        false
    }

    fn attempt_disk(&mut self, change: impl Fn(&mut Disk)) {
        self.attempt(|script| script.disk.iter_mut().for_each(&change));
    }

    /// Tries to do without each of some things, from the last to the first.
    fn drop_each(&mut self, count: impl Fn(&Script) -> usize, remove: impl Fn(&mut Script, usize)) {
        for at in (0..count(&self.best)).rev() {
            self.attempt(|script| remove(script, at));
        }
    }
}

/// The kind of a failure, whichever user it hits.
fn kind(what: &str) -> String {
    let text = what.split_once(" s: ").filter(|_| what.starts_with("at ")).map_or(what, |(_, text)| text);
    text.chars().filter(|c| !c.is_ascii_digit()).take(40).collect()
}
