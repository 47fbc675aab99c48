//! Makes a failing script short: removes whatever it fails without.

use super::examine;
use super::script::Script;
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
