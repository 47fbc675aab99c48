//! The journal, played again: what it says that has happened, beside what clients saw and what the shards hold.
//!
//! Where the pieces of an answer are shown at once, a crash may lose the last of them: those are ghosts, which some client saw and
//! the journal doesn't have. Nothing that begins or ends a turn may be one, and where every event waits for the disk there are none.

use super::check::Books;
use super::store::Kept;
use super::world::World;
use crate::auth::ANONYMOUS;
use crate::contract::journal::{Durability, Item, Name, Turn};
use crate::contract::{Event, Trace, What};
use crate::shard::identity::Key;
use crate::shard::restore::{self, Found, Player};
use crate::wire::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the journal of a session says, as far as it was played.
#[derive(Default)]
pub(super) struct Played {
    items: usize,
    number: u64,
    /// The session there, saved.
    saved: Option<Vec<u8>>,
    pub(super) events: Vec<Event>,
    /// Turns as lists and histories show them, and those that have ended.
    turns: BTreeMap<u64, Turn>,
    ended: Vec<Arc<Trace>>,
    /// Turns behind which something runs.
    remembering: Vec<u64>,
}

impl Played {
    /// Plays what has been kept since.
    fn go_on(&mut self, kept: &Kept, world: &World<'_>) -> Result<(), String> {
        if self.items == kept.items.len() {
            return Ok(());
        }
        let libraries = &mut |hash: &str| world.store.library(hash);
        let mut player = Player::new(libraries);
        if let Some(saved) = &self.saved {
            player.load(saved).map_err(|error| error.to_string())?;
        }
        for item in &kept.items[self.items..] {
            match item {
                Item::Record { number, bytes } => {
                    let (record, effects) = player.play(*number, bytes).map_err(|error| error.to_string())?;
                    let (count, digest) = restore::digest(restore::events(&effects));
                    if (count, &digest) != (record.events, &record.digest) {
                        return Err(format!("record {number}, {:?}, leads to other events when it is played again", record.input));
                    }
                    // Of a turn that a clear has ended nothing is to be shown.
                    let is_cleared = restore::events(&effects).any(|event| matches!(event.what, What::Cleared));
                    for event in restore::events(&effects) {
                        if let (What::FrameTrace { trace }, false) = (&event.what, is_cleared) {
                            self.ended.push(trace.clone());
                        }
                        if self.events.last().is_some_and(|last| last.seq >= event.seq) {
                            return Err(format!("record {number} uses the number {} again: {event:?}", event.seq.0));
                        }
                        self.events.push(event.clone());
                    }
                    self.number = *number;
                }
                Item::Snapshot { number, bytes } => {
                    if save(&player)?.as_ref() != Some(bytes) {
                        return Err(format!("the snapshot of record {number} is not what its records lead to"));
                    }
                }
                Item::Turn(turn) => drop(self.turns.insert(turn.turn, (**turn).clone())),
                // What is hidden is never completed.
                Item::Cleared => self.ended.clear(),
                Item::Replaced { .. } | Item::Library { .. } | Item::Webhook(_) | Item::Delivery { .. } | Item::Spent(_) => {}
            }
        }
        self.remembering = player.session().iter().flat_map(|session| session.remembering()).map(|turn| turn.0).collect();
        (self.items, self.saved) = (kept.items.len(), save(&player)?);
        Ok(())
    }

    /// The last number that it has.
    fn last(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seq.0)
    }

    /// What must be in it of each turn.
    fn check(&self) -> Result<(), String> {
        for trace in &self.ended {
            match self.turns.get(&trace.id.0) {
                None => return Err(format!("the end of turn {} is kept, and the turn itself is not", trace.id.0)),
                Some(turn) if turn.detail.is_empty() && !self.remembering.contains(&turn.turn) => {
                    return Err(format!("turn {} is kept without its detail", turn.turn));
                }
                Some(turn) if turn.status != trace.status.name() || turn.path != trace.path => {
                    return Err(format!("turn {} is kept as {} on {}, and ended otherwise", turn.turn, turn.status, turn.path));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn save(player: &Player<'_>) -> Result<Option<Vec<u8>>, String> {
    let saved = player.session().map(|session| serde_json::to_vec(&session.snapshot()));
    saved.transpose().map_err(|error| error.to_string())
}

/// Whether a client may be shown this before it is durable, where the pieces of an answer are shown at once.
fn may_be_lost(text: &str) -> bool {
    let of_a_turn =
        [r#"{"type":"done""#, r#"{"type":"cleared""#, r#""client_id":"#, r#""event":"frame_trace""#, r#""event":"turn_started""#];
    of_a_turn.iter().all(|begins_or_ends| !text.contains(begins_or_ends))
}

impl World<'_> {
    pub(super) fn key(&self, user: usize) -> Key {
        Key { sub: ANONYMOUS.into(), id: format!("u{}", self.script.users[user].number).into() }
    }

    /// The session of a user, saved, as the shard has it that it lives on.
    fn live(&self, user: usize) -> Option<Vec<u8>> {
        let key = self.key(user);
        let session = self.seats[key.shard(self.seats.len()).0].shard.session(&key)?;
        serde_json::to_vec(&session.snapshot()).ok()
    }

    /// Whether a user's session is not in memory, so that what a crash cut off has not ended yet.
    pub(super) fn is_unloaded(&self, user: usize) -> bool {
        let key = self.key(user);
        self.script.disk.is_some() && self.seats[key.shard(self.seats.len()).0].shard.session(&key).is_none()
    }

    /// Plays on all journals.
    fn play_on(&mut self) -> Result<(), String> {
        for user in 0..self.books.len() {
            let name = self.name(user);
            let mut played = std::mem::take(&mut self.played[user]);
            let gone_on = self.store.kept.get(&name).map_or(Ok(()), |kept| played.go_on(kept, self));
            self.played[user] = played;
            gone_on.map_err(|what| format!("user {}: {what}", self.books[user].number))?;
        }
        Ok(())
    }

    fn name(&self, user: usize) -> Name {
        super::store::name_of(&self.key(user))
    }

    /// What the server was when it died is what the store has now: nobody may have seen more, but for pieces of answers.
    pub(super) fn check_crash(&mut self) -> Result<(), String> {
        self.play_on()?;
        for user in 0..self.books.len() {
            let generation = self.store.kept.get(&self.name(user)).map_or(0, |kept| kept.generation);
            let lost = (self.played[user].last(), u64::from(generation + 1) << 32);
            self.books[user].lost.push(lost);
            self.check_seen(user)?;
        }
        Ok(())
    }

    /// Whether the journal has what clients of a user were shown.
    fn check_seen(&self, user: usize) -> Result<(), String> {
        let (books, played) = (&self.books[user], &self.played[user]);
        let holds_all = self.script.disk.as_ref().is_some_and(|disk| disk.keeping.durability == Durability::EveryDelta);
        let fail = |what: String| Err(format!("user {}: {what}", books.number));
        for (all, project) in [(&books.chat, json::chat as fn(&Event) -> Option<Vec<u8>>), (&books.trace, json::trace)] {
            for (seq, seen) in all {
                match played.events.binary_search_by_key(seq, |event| event.seq.0) {
                    Ok(at) if project(&played.events[at]).as_deref() == Some(seen.text.as_bytes()) => {}
                    Ok(at) => return fail(format!("event {seq} was shown as {} and is kept as {:?}", seen.text, played.events[at])),
                    Err(_) if !books.is_lost(*seq) => return fail(format!("event {seq} was shown and is not kept: {}", seen.text)),
                    Err(_) if holds_all || !may_be_lost(&seen.text) => {
                        return fail(format!("event {seq} was shown before it was durable, and is lost: {}", seen.text));
                    }
                    Err(_) => {}
                }
            }
        }
        let accepted = |id: &str, turn: u64| {
            let is_it =
                |event: &Event| event.turn.0 == turn && matches!(&event.what, What::Accepted { client_id } if client_id.as_str() == id);
            played.events.iter().any(is_it)
        };
        if let Some((id, turn)) = books.acknowledged.iter().find(|(id, turn)| !accepted(id, **turn)) {
            return fail(format!("the message {id} was acknowledged as turn {turn}, and is not kept"));
        }
        let ended = |turn: u64| played.events.iter().any(|event| event.turn.0 == turn && matches!(event.what, What::Done { .. }));
        match books.told_done.iter().find(|turn| !ended(**turn)) {
            Some(turn) => fail(format!("turn {turn} was said to be over, and its end is not kept")),
            None => Ok(()),
        }
    }

    /// What the journal says is what the shards hold, what clients saw, and what a load brings back.
    pub(super) fn check_journal(&mut self) -> Result<(), String> {
        if self.script.disk.is_none() {
            return Ok(());
        }
        if !self.store.is_idle() {
            return Err("the journal never comes to rest".to_owned());
        }
        self.play_on()?;
        if self.script.is_bounded {
            self.store.check_spent()?;
        }
        (0..self.books.len()).try_for_each(|user| {
            self.check_seen(user)?;
            self.check_session(user).map_err(|what| format!("user {}: {what}", self.books[user].number))
        })
    }

    fn check_session(&self, user: usize) -> Result<(), String> {
        let (played, books, live) = (&self.played[user], &self.books[user], self.live(user));
        played.check()?;
        if live.is_some() && live != played.saved {
            return Err(differs("the session in memory is not what its journal leads to", &live, &played.saved));
        }
        let Some(kept) = self.store.kept.get(&self.name(user)) else { return Ok(()) };
        let restored = restore::restore(&kept.loaded(), &mut |hash| self.store.library(hash)).map_err(|error| error.to_string())?;
        let Found::Session(restored) = restored else { return Err("its journal has no session".to_owned()) };
        let loaded = serde_json::to_vec(&restored.session.snapshot()).ok();
        if loaded != played.saved || restored.number != played.number {
            return Err(differs("the session that a load brings back is not what its journal leads to", &loaded, &played.saved));
        }
        if !played.events.ends_with(&restored.events) {
            return Err("a load brings back other events than its journal leads to".to_owned());
        }
        let whole = Books::of_journal(books, &played.events)?;
        // What waits when a server drains is left to the next one: it is in the session that a load brings back.
        let is_left = self.script.drains && restored.session.busy();
        whole.check(live.is_none() || is_left)?;
        self.users[user].iter().flat_map(|client| &client.segments).try_for_each(|segment| whole.check_segment(segment))
    }
}

/// Where two snapshots differ.
fn differs(what: &str, one: &Option<Vec<u8>>, other: &Option<Vec<u8>>) -> String {
    let (one, other) = (one.as_deref().unwrap_or_default(), other.as_deref().unwrap_or_default());
    let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())]).into_owned();
    format!("{what}: …{}… instead of …{}…", shown(one), shown(other))
}
