//! The books of a session: everything that its clients have seen of it, and what that has to add up to.

use super::network::Line;
use super::script::{Kind, Script, User};
use super::users::Segment;
use super::world::World;
use crate::contract::{Event, What};
use crate::graph::Library;
use crate::wire::json;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Books {
    pub(super) number: u64,
    /// Somebody has watched from the beginning, so nothing is missing here.
    pub(super) is_witnessed: bool,
    /// Its journal is checked beside it, also over crashes.
    is_kept: bool,
    /// The server may die: of the calls that were out then nobody may see the end, and their numbers come again.
    pub(super) may_crash: bool,
    pub(super) chat: BTreeMap<u64, Seen>,
    pub(super) trace: BTreeMap<u64, Seen>,
    pub(super) acknowledged: BTreeMap<String, u64>,
    /// Turns whose end was repeated for a client that sent their message again.
    pub(super) told_done: BTreeSet<u64>,
    /// Each call with the event that began it, and whether it has ended.
    calls: BTreeMap<u64, (u64, bool)>,
    /// The last clear: it erases what came before it, so that nobody may see the end of a call.
    cleared: u64,
    pub(super) newest: u64,
    /// The numbers of events that crashes may have taken: those behind the first, up to the second of each pair.
    pub(super) lost: Vec<(u64, u64)>,
}

pub(super) struct Seen {
    turn: u64,
    pub(super) text: String,
}

impl Seen {
    fn is_end(&self) -> bool {
        self.text.starts_with(r#"{"type":"done""#)
    }

    fn is_clear(&self) -> bool {
        self.text.starts_with(r#"{"type":"cleared""#) || self.text.contains(r#""event":"cleared""#)
    }
}

const HISTORY: &str = "/api/history?last=200";
const STATE: &str = "/api/state";
const FRAMES: &str = "/api/frames?last=20";

impl Books {
    pub(super) fn new(user: &User, script: &Script) -> Books {
        Books {
            number: user.number,
            is_witnessed: user.is_witnessed,
            is_kept: script.disk.is_some(),
            may_crash: !script.crashes.is_empty(),
            chat: BTreeMap::new(),
            trace: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            told_done: BTreeSet::new(),
            calls: BTreeMap::new(),
            cleared: 0,
            newest: 0,
            lost: Vec::new(),
        }
    }

    /// What watchers of all that a journal tells have seen, with what of it crashes have taken from some of them.
    pub(super) fn of_journal(seen: &Books, events: &[Event]) -> Result<Books, String> {
        let mut whole = Books {
            number: seen.number,
            is_witnessed: true,
            is_kept: true,
            may_crash: false,
            chat: BTreeMap::new(),
            trace: BTreeMap::new(),
            acknowledged: seen.acknowledged.clone(),
            told_done: BTreeSet::new(),
            calls: BTreeMap::new(),
            cleared: 0,
            newest: 0,
            lost: seen.lost.clone(),
        };
        let mut accepted = BTreeMap::new();
        for event in events {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            if let Some(shown) = json::chat(event) {
                whole.chat.insert(event.seq.0, Seen { turn: event.turn.0, text: text(shown) });
            }
            if let Some(shown) = json::trace(event) {
                whole.trace.insert(event.seq.0, Seen { turn: event.turn.0, text: text(shown) });
            }
            if let What::ProcessStart { pid, .. } | What::ProcessEnd { pid, .. } = &event.what {
                whole.see_call(pid.0, event.seq.0, matches!(event.what, What::ProcessEnd { .. }))?;
            }
            if let What::Accepted { client_id } = &event.what
                && let Some(before) = accepted.insert(client_id.as_str(), event.turn)
            {
                return Err(format!("the message {} has two turns, {} and {}", client_id.as_str(), before.0, event.turn.0));
            }
        }
        let ghosts = |all: &BTreeMap<u64, Seen>| -> Vec<(u64, Seen)> {
            let ghosts = all.iter().filter(|(seq, _)| seen.is_lost(**seq));
            ghosts.map(|(seq, it)| (*seq, Seen { turn: it.turn, text: it.text.clone() })).collect()
        };
        ghosts(&seen.chat).into_iter().for_each(|(seq, it)| _ = whole.chat.entry(seq).or_insert(it));
        ghosts(&seen.trace).into_iter().for_each(|(seq, it)| _ = whole.trace.entry(seq).or_insert(it));
        Ok(whole)
    }

    /// Whether a crash has taken the event of this number.
    pub(super) fn is_lost(&self, seq: u64) -> bool {
        self.lost.iter().any(|(from, to)| (from + 1..=*to).contains(&seq))
    }

    /// Whether all that clients see must agree: where a session may be evicted and forgotten, it need not.
    fn is_strict(&self) -> bool {
        self.is_witnessed || self.is_kept
    }

    pub(super) fn acknowledge(&mut self, id: &str, turn: u64) -> Result<(), String> {
        let before = *self.acknowledged.entry(id.to_owned()).or_insert(turn);
        let shared = self.acknowledged.iter().find(|(other, at)| **at == turn && *other != id);
        match shared {
            _ if !self.is_strict() => Ok(()),
            _ if before != turn => Err(format!("the message {id} of user {} has two turns, {before} and {turn}", self.number)),
            Some((other, _)) => Err(format!("the messages {id} and {other} of user {} share turn {turn}", self.number)),
            None => Ok(()),
        }
    }

    /// Takes an event of the chat, as one of the clients saw it.
    pub(super) fn see_chat(&mut self, seq: u64, turn: Option<u64>, json: &Value, text: String) -> Result<(), String> {
        self.newest = self.newest.max(turn.unwrap_or(0));
        if let (Some(id), Some(turn)) = (json["client_id"].as_str(), turn) {
            self.acknowledge(id, turn)?;
        }
        same(&mut self.chat, seq, turn.unwrap_or(0), text, self.is_witnessed || self.is_kept)
    }

    pub(super) fn see_trace(&mut self, seq: u64, json: &Value, text: String, library: &Library) -> Result<(), String> {
        let turn = json["turn"].as_str().and_then(|turn| turn.strip_prefix("msg_")?.parse().ok()).unwrap_or(0);
        self.newest = self.newest.max(turn);
        let is_new = !self.trace.contains_key(&seq);
        if let ("frame_trace", true) = (json["event"].as_str().unwrap_or_default(), is_new) {
            check_frames(&json["trace"], library)?;
        }
        if let (Some(pid), true, true) = (json["pid"].as_u64(), is_new, self.is_witnessed && !self.may_crash) {
            self.see_call(pid, seq, json["event"] == "process_end")?;
        }
        if json["event"] == "cleared" {
            self.cleared = self.cleared.max(seq);
        }
        same(&mut self.trace, seq, turn, text, self.is_witnessed || self.is_kept)
    }

    fn see_call(&mut self, pid: u64, seq: u64, has_ended: bool) -> Result<(), String> {
        let before = self.calls.insert(pid, (seq, has_ended)).map(|(_, has_ended)| has_ended);
        if before == has_ended.then_some(false) {
            return Ok(());
        }
        Err(format!("call {pid} of user {} begins or ends twice, with event {seq}", self.number))
    }

    /// The turns that ended, in order.
    fn ended(&self) -> Vec<u64> {
        self.chat.values().filter(|seen| seen.is_end()).map(|seen| seen.turn).collect()
    }

    pub(super) fn turns(&self) -> u64 {
        self.ended().len() as u64
    }

    /// The turns whose messages left the history, as the trace shows it.
    fn away(&self) -> BTreeSet<u64> {
        let mut away = BTreeSet::new();
        let shown = self.trace.iter().filter(|(seq, seen)| !self.is_lost(**seq) && seen.turn > 0);
        for (_, seen) in
            shown.filter(|(_, seen)| seen.text.contains(r#""event":"replaced""#) || seen.text.contains(r#""event":"withdrawn""#))
        {
            let json: Value = serde_json::from_str(&seen.text).unwrap_or_default();
            let turns = |field: &str| -> Vec<u64> {
                let turns = json[field].as_array().into_iter().flatten().filter_map(Value::as_str);
                turns.filter_map(|turn| turn.strip_prefix("msg_")?.parse().ok()).collect()
            };
            match json["event"].as_str() {
                Some("replaced") => away.extend(turns("turns")),
                Some("withdrawn") => {
                    away.insert(seen.turn);
                    turns("restored").iter().for_each(|turn| _ = away.remove(turn));
                }
                _ => {}
            }
        }
        away
    }

    /// What has begun and not ended.
    pub(super) fn is_busy_with(&self) -> Option<String> {
        let ended = self.ended();
        let begun = self.chat.values().map(|seen| seen.turn).chain(self.acknowledged.values().copied());
        let turn = begun.filter(|turn| *turn > 0).find(|turn| !ended.contains(turn)).map(|turn| format!("turn {turn}"));
        let runs = |(_, (begun, has_ended)): &(&u64, &(u64, bool))| !has_ended && *begun > self.cleared;
        let call = || self.calls.iter().find(runs).map(|(call, _)| format!("call {call}"));
        turn.or_else(call).filter(|_| self.is_witnessed)
    }

    /// What has begun and not ended, where messages that only wait are left to the next server.
    pub(super) fn runs(&self) -> Option<String> {
        let ended = self.ended();
        let begun = self.trace.values().filter(|seen| seen.text.contains(r#""event":"turn_started""#)).map(|seen| seen.turn);
        begun.filter(|turn| !ended.contains(turn)).map(|turn| format!("turn {turn}")).next().filter(|_| self.is_witnessed)
    }

    /// `is_away`: its session has left memory, and goes on when it is loaded.
    pub(super) fn check(&self, is_away: bool) -> Result<(), String> {
        let ended = self.ended();
        if !ended.is_sorted_by(|one, next| one < next) {
            return Err(format!("turns end twice or out of order: {ended:?}"));
        }
        // The trace shows no end of a turn, so a number that both show is two events.
        if let Some((seq, seen)) = self.chat.iter().find(|(seq, seen)| seen.is_end() && self.trace.contains_key(seq)) {
            return Err(format!("event {seq} is {} and also {}", seen.text, self.trace[seq].text));
        }
        if let Some(busy) = self.is_busy_with().filter(|_| !is_away) {
            return Err(format!("{busy} never ended"));
        }
        Ok(())
    }

    /// Whether a client that was shown this much of it saw all that it had to.
    pub(super) fn check_segment(&self, segment: &Segment) -> Result<(), String> {
        let all = if segment.is_chat { &self.chat } else { &self.trace };
        let (Some(&first), Some(&last)) = (segment.seqs.first(), segment.seqs.last()) else { return Ok(()) };
        let shown: Vec<u64> = all.range(segment.after.map_or(first, |after| after + 1)..=last).map(|(seq, _)| *seq).collect();
        if shown == segment.seqs {
            return Ok(());
        }
        // What a clear has erased before it was shown to this client is nothing that it misses.
        let cleared = segment.seqs.iter().rev().find(|seq| all.get(seq).is_some_and(Seen::is_clear)).copied().unwrap_or(0);
        // What a crash took from the store is shown to nobody after it.
        let is_gone = |seq: &u64| self.lost.iter().any(|(from, to)| (from + 1..=*to).contains(seq) && last > *to);
        let is_due = |seq: &u64| (*seq > cleared || all[seq].is_end()) && !is_gone(seq);
        let missing: Vec<u64> = shown.iter().copied().filter(|seq| !segment.seqs.contains(seq) && is_due(seq)).collect();
        match missing.first() {
            Some(seq) => {
                Err(format!("a client misses event {seq}, {}; it saw {:?} after {:?}", all[seq].text, segment.seqs, segment.after))
            }
            None => Ok(()),
        }
    }

    fn last(&self, is_chat: bool) -> u64 {
        let all = if is_chat { &self.chat } else { &self.trace };
        all.last_key_value().map_or(0, |(seq, _)| *seq)
    }
}

/// An event is the same for everybody.
fn same(all: &mut BTreeMap<u64, Seen>, seq: u64, turn: u64, text: String, is_witnessed: bool) -> Result<(), String> {
    match all.get(&seq) {
        Some(seen) if seen.text != text && is_witnessed => {
            Err(format!("event {seq} is {} for one client and {text} for another", seen.text))
        }
        Some(_) => Ok(()),
        None => {
            all.insert(seq, Seen { turn, text });
            Ok(())
        }
    }
}

/// A turn that was answered took a path of its graph, in as many frames as the path has.
fn check_frames(trace: &Value, library: &Library) -> Result<(), String> {
    let frames = trace["frames"].as_array().map_or(0, Vec::len);
    if trace["total_frames"] != frames {
        return Err(format!("`total_frames` is wrong: {trace}"));
    }
    let graph = library.graph(trace["graph"].as_str().unwrap_or_default()).ok_or(format!("an unknown graph: {trace}"))?;
    let path = graph.paths.iter().find(|path| trace["path"] == *path.name);
    match path {
        _ if trace["status"] != "done" => Ok(()),
        Some(path) if path.frames == frames => Ok(()),
        _ => Err(format!("a turn took {frames} frames on the path {}", trace["path"])),
    }
}

impl World<'_> {
    pub(super) fn refused(&mut self, user: usize, id: &str, code: &str) {
        let books = &self.books[user];
        if let (Some(turn), true) = (books.acknowledged.get(id), books.is_strict()) {
            self.fail(format!("the message {id} of user {} has turn {turn}, and is refused with {code}", self.books[user].number));
        }
    }

    /// What left the server's memory must be older than the running turn and the one before.
    pub(super) fn check_gap(&mut self, user: usize, since: u64, kept_from: u64) {
        let books = &self.books[user];
        let mut lost = books.chat.range(since + 1..kept_from.max(since + 1)).filter(|(seq, _)| !books.is_lost(**seq));
        if let Some((seq, seen)) = lost.find(|(_, seen)| seen.turn > 0 && seen.turn + 1 >= books.newest) {
            self.fail(format!("event {seq} of turn {} is no longer kept, and turn {} is the newest", seen.turn, self.books[user].newest));
        }
    }

    /// What still keeps the world from being at rest.
    pub(super) fn is_waiting_for(&self) -> Option<String> {
        for (user, clients) in self.users.iter().enumerate() {
            let number = self.script.users[user].number;
            for (client, it) in clients.iter().enumerate() {
                if let Some(what) = it.is_waiting_for() {
                    return Some(format!("user {number}, client {client} waits for {what}"));
                }
                let behind = it.segments.last().filter(|segment| segment.is_live && self.books[user].is_witnessed).filter(|segment| {
                    let has = segment.seqs.last().copied().or(segment.after);
                    has.is_some_and(|has| has < self.books[user].last(segment.is_chat))
                });
                if behind.is_some() {
                    return Some(format!("user {number}, client {client} has not been shown everything"));
                }
            }
            if let Some(busy) = self.books[user].is_busy_with() {
                return Some(format!("user {number}: {busy} has not ended"));
            }
        }
        let is_rude = |line: &Line| self.script.users[line.user].clients[line.client].kind == Kind::Rude;
        let left = self.lines.iter().position(|line| line.is_at_server() && (line.is_given_up() || is_rude(line)));
        let call = || self.calls.keys().next().map(|(shard, session, call)| format!("{call:?} of {session:?} on shard {shard} runs"));
        let journal = || (!self.store.is_idle()).then(|| "the journal is behind".to_owned());
        left.map(|line| format!("connection {line} is still open, and its client has gone or is rude")).or_else(call).or_else(journal)
    }

    /// Asks about every session, so that what a crash has cut off goes on.
    pub(super) fn wake_sessions(&mut self) {
        for user in 0..self.users.len() {
            let client = self.users[user].len() - 1;
            self.ask(user, client, STATE);
        }
    }

    pub(super) fn ask_for_the_end(&mut self) {
        for user in 0..self.users.len() {
            if self.books[user].is_witnessed || self.script.disk.is_some() {
                let client = self.users[user].len() - 1;
                [HISTORY, STATE, FRAMES].into_iter().for_each(|path| self.ask(user, client, path));
            }
        }
    }

    /// What the server holds is what it has shown.
    pub(super) fn check_at_rest(&self) -> Result<(), String> {
        for (books, clients) in self.books.iter().zip(&self.users).filter(|(books, _)| books.is_witnessed) {
            let answers = &clients.last().expect("everyone has a client for this").answers;
            if self.script.is_tight && answers.len() < 3 {
                continue;
            }
            let answer = |path| answers.get(path).ok_or(format!("user {} got no answer to {path}", books.number));
            let parsed =
                |(seq, seen): (&u64, &Seen)| (seen.turn, serde_json::from_str(&seen.text).unwrap_or_default(), books.is_lost(*seq));
            let all: Vec<(u64, Value, bool)> = books.chat.iter().map(parsed).collect();
            let chat: Vec<(u64, &Value)> = all.iter().filter(|(.., is_lost)| !is_lost).map(|(turn, json, _)| (*turn, json)).collect();
            let away = books.away();
            let is_cut_off = |turn: u64| chat.iter().any(|(of, json)| *of == turn && json["code"] == "cut_off");
            let mut asked = Vec::new();
            for message in answer(HISTORY)?["messages"].as_array().into_iter().flatten() {
                let turn = message["id"].as_str().and_then(|id| id.strip_prefix("msg_")?.parse::<u64>().ok()).unwrap_or(0);
                if away.contains(&turn) {
                    return Err(format!("turn {turn} of user {} was withdrawn or replaced, and is kept as {message}", books.number));
                }
                if message["role"] == "user" {
                    asked.push(turn);
                    continue;
                }
                let mut shown = String::new();
                // Of an answer that was cut off, the last pieces may be kept nowhere.
                let is_whole = !is_cut_off(turn);
                for (_, json, _) in all.iter().filter(|(of, json, lost)| *of == turn && json["type"] == "delta" && (is_whole || !lost)) {
                    let content = json["content"].as_str().unwrap_or_default();
                    match json["kind"].as_str() {
                        None => shown.push_str(content),
                        Some("retold") => content.clone_into(&mut shown),
                        Some(_) => {}
                    }
                }
                if message["content"] != shown {
                    return Err(format!(
                        "turn {turn} of user {} is kept as {} and was shown as {shown:?}",
                        books.number, message["content"]
                    ));
                }
            }
            if !asked.is_sorted_by(|one, next| one < next) {
                return Err(format!("the history of user {} holds a message twice: {asked:?}", books.number));
            }
            let state = answer(STATE)?;
            let shown = chat.iter().rev().find(|(_, json)| json["type"] == "controls").map(|(_, json)| json["controls"].clone());
            if state["controls"] != shown.unwrap_or(Value::Array(Vec::new())) {
                return Err(format!("user {} has other controls than it was shown: {}", books.number, state["controls"]));
            }
            if state["processes"] != Value::Array(Vec::new()) || state["memorizing"] != false {
                return Err(format!("something of user {} still runs: {state}", books.number));
            }
            let cleared = chat.iter().rev().find(|(_, json)| json["type"] == "cleared").and_then(|(_, json)| json["seq"].as_u64());
            for trace in answer(FRAMES)?["traces"].as_array().into_iter().flatten() {
                let turn = trace["id"].as_str().unwrap_or_default();
                let Some((_, done)) = chat.iter().find(|(_, json)| json["type"] == "done" && json["id"] == turn) else {
                    return Err(format!("user {} was not shown the end of {turn}", books.number));
                };
                if done["seq"].as_u64() < cleared {
                    return Err(format!("{turn} of user {} is still kept, though the session was cleared", books.number));
                }
                let status = if done["cancelled"] == true {
                    "cancelled"
                } else if done["error"].is_string() {
                    "error"
                } else {
                    "done"
                };
                if trace["status"] != status {
                    return Err(format!("{turn} of user {} is {} and was shown as {status}", books.number, trace["status"]));
                }
            }
        }
        Ok(())
    }

    pub(super) fn check_books(&self) -> Result<(), String> {
        let books = self.books.iter().zip(&self.users).enumerate();
        for (books, clients) in books.filter(|(user, (books, _))| books.is_witnessed && !self.is_unloaded(*user)).map(|(_, both)| both) {
            let mut segments = clients.iter().flat_map(|client| &client.segments);
            // What its clients did not come back for after a crash, only its journal tells. So it is with what a server that drains leaves to
            // the next one.
            let may_lack = !self.script.crashes.is_empty() || self.script.drains && self.script.disk.is_some();
            let checked = books.check(may_lack).and_then(|()| segments.try_for_each(|segment| books.check_segment(segment)));
            checked.map_err(|what| format!("user {}: {what}", books.number))?;
        }
        Ok(())
    }
}
