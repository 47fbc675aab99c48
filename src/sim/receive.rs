//! What clients make of what they receive: every message is checked and entered in the books of its session.

use super::client::{Received, frame};
use super::network::Expected;
use super::script::{Kind, SECOND};
use super::users::Segment;
use super::world::World;
use crate::shard::event::Show;
use serde_json::{Value, json};

/// The code of what is refused because of the journal.
const JOURNAL: &str = "journal_unavailable";
/// What was taken, and may be lost only with the server.
const UNCONFIRMED: &str = "unconfirmed";

impl World<'_> {
    /// Whether clients may notice the journal: it is slow or fails.
    pub(super) fn journal_may_fail(&self) -> bool {
        self.script.disk.is_some() && self.now < self.quiet_since.saturating_add(SECOND)
    }

    pub(super) fn receive(&mut self, line: usize, received: Received) {
        let (user, client) = (self.lines[line].user, self.lines[line].client);
        self.expect(line, &received);
        if let Received::Text(text) | Received::Answer { body: text, .. } | Received::Event { data: text, .. } = &received
            && let Some(tag) = foreign_tag(text, self.script.users[user].number)
        {
            return self.fail(format!("user {} receives what belongs to {tag}: {text}", self.script.users[user].number));
        }
        // What comes after the client has left is read by nobody.
        if self.users[user][client].line != Some(line) {
            return;
        }
        match (received, self.users[user][client].kind) {
            (Received::Opened, kind) => {
                let it = self.client(user, client);
                it.is_open = true;
                let after = it.since;
                if let Kind::Stream(show @ (Show::Chat | Show::Trace | Show::Events)) = kind {
                    let is_chat = show == Show::Chat;
                    it.segments.push(Segment { after, seqs: Vec::new(), is_chat, has_gap: false, is_live: true });
                }
                for named in it.unacknowledged.clone() {
                    self.send(line, &frame(0x81, named.json.as_bytes()));
                }
            }
            (Received::Text(text), Kind::Stream(Show::Chat)) => self.chat(user, client, text),
            (Received::Text(text), Kind::Stream(Show::Trace)) => self.trace(user, client, None, text),
            (Received::Event { id: None, data }, _) => {
                if data.contains(r#""attached""#) {
                    self.trace(user, client, None, data);
                } else if !data.contains(r#""test_status""#) {
                    self.fail(format!("an event without an id: {data}"));
                }
            }
            (Received::Event { id, data }, _) => self.trace(user, client, id, data),
            (Received::Answer { status, body, is_last }, _) => self.answer(line, user, client, status, &body, is_last),
            (Received::Goodbye(code, reason), _) => {
                let has_no_room = self.script.is_tight && self.script.disk.is_some() && reason.contains("limit");
                let is_journal = code == 1013 && (reason.contains("journal") || has_no_room);
                let is_bounded = self.script.is_bounded && code == 1013 && !is_journal;
                let is_unloaded = is_journal && (has_no_room || self.journal_may_fail());
                self.lines[line].misbehaved |= code == 1001 || is_bounded || is_unloaded;
                // One that is told to come back later does not, but where the journal is to be read again soon.
                if is_bounded || has_no_room {
                    self.turn_away(user, client);
                }
                if code != 1001 && self.lines[line].is_healthy() {
                    self.fail(format!("a healthy socket is closed with {code}: {reason}"));
                }
            }
            (Received::Text(_), _) => {}
        }
    }

    /// A client gives up. After a crash even one that watched from the beginning may have to.
    fn turn_away(&mut self, user: usize, client: usize) {
        self.client(user, client).wants = false;
        if client < 2 && !self.script.crashes.is_empty() {
            self.books[user].is_witnessed = false;
        }
    }

    fn note(&mut self, user: usize, client: usize, text: &str) {
        if self.script.seed % 8 == 1 {
            self.client(user, client).seen.push(format!("{client}: {text}"));
        }
    }

    /// A stream says where it begins: behind what the client has seen, if all that came after is still there.
    fn attached(&mut self, user: usize, client: usize, seq: u64, kept_from: u64, has_gap: bool) {
        let it = &mut self.users[user][client];
        let Some(segment) = it.segments.last_mut() else { return };
        let since = segment.after;
        segment.has_gap = has_gap;
        segment.after = Some(match (has_gap, since) {
            (true, _) => kept_from.saturating_sub(1),
            (false, Some(since)) => since,
            (false, None) => seq,
        });
        let is_late = !segment.seqs.is_empty();
        it.since = segment.after;
        if is_late {
            self.fail("a stream says late where it begins".to_owned());
        }
        if let (Some(since), true, true) = (since, has_gap, self.books[user].is_witnessed) {
            self.check_gap(user, since, kept_from);
        }
    }

    /// A message on the chat socket.
    fn chat(&mut self, user: usize, client: usize, text: String) {
        self.note(user, client, &text);
        let Ok(json) = serde_json::from_str::<Value>(&text) else { return self.fail(format!("chat is no JSON: {text}")) };
        let it = &mut self.users[user][client];
        let seq = json["seq"].as_u64();
        if let Some(controls) = json["controls"].as_array() {
            it.button = controls.iter().rfind(|control| control["type"] == "button").cloned();
        }
        let client_id = json["client_id"].as_str();
        let turn = json["id"].as_str().and_then(|id| id.strip_prefix("msg_")?.parse::<u64>().ok());
        if let (Some(kept_from), Some(seq)) = (json["kept_from"].as_u64(), seq) {
            return self.attached(user, client, seq, kept_from, json["gap"] == true);
        }
        if json["refused"] == true {
            if json["code"].as_str().is_none() || seq.is_some() {
                return self.fail(format!("a refusal without a code, or with a number: {text}"));
            }
            let code = json["code"].as_str().unwrap_or_default();
            if code == JOURNAL && self.script.disk.is_none() {
                return self.fail(format!("a refusal for a journal where there is none: {text}"));
            }
            if let Some(id) = client_id {
                self.refused(user, id, code);
                match code {
                    JOURNAL => self.try_later(user, client),
                    _ => self.client(user, client).unacknowledged.retain(|named| named.id != id),
                }
            }
            return;
        }
        if let Some(id) = client_id {
            it.unacknowledged.retain(|named| named.id != id);
            let Some(turn) = turn else { return self.fail(format!("`client_id` without a turn: {text}")) };
            if let Err(what) = self.books[user].acknowledge(id, turn) {
                return self.fail(what);
            }
        }
        let Some(seq) = seq else {
            // To this client alone: what it already has.
            if let (Some(turn), "done") = (turn, json["type"].as_str().unwrap_or_default()) {
                self.books[user].told_done.insert(turn);
            }
            if client_id.is_none() {
                self.fail(format!("neither `seq` nor `client_id`: {text}"));
            }
            return;
        };
        let it = &mut self.users[user][client];
        let Some(segment) = it.segments.last_mut() else { return };
        if segment.after.is_none_or(|after| seq <= after) || segment.seqs.last().is_some_and(|last| seq <= *last) {
            return self.fail(format!("event {seq} comes twice or out of order: {text}"));
        }
        segment.seqs.push(seq);
        it.since = Some(seq);
        if let Err(what) = self.books[user].see_chat(seq, turn, &json, text) {
            self.fail(what);
        }
    }

    /// An event of the trace.
    fn trace(&mut self, user: usize, client: usize, id: Option<u64>, text: String) {
        self.note(user, client, &text);
        let Ok(json) = serde_json::from_str::<Value>(&text) else { return self.fail(format!("the trace is no JSON: {text}")) };
        if let (Some(seq), Some(kept_from)) = (json["seq"].as_u64(), json["kept_from"].as_u64()) {
            return self.attached(user, client, seq, kept_from, json["gap"] == true);
        }
        let Some(seq) = json["seq"].as_u64().filter(|seq| id.is_none_or(|id| id == *seq)) else {
            return self.fail(format!("an event without its number, or with another id than {id:?}: {text}"));
        };
        let it = &mut self.users[user][client];
        if let Some(pid) = json["pid"].as_u64() {
            it.pid = pid;
        }
        let Some(segment) = it.segments.last_mut() else { return };
        if segment.after.is_some_and(|after| seq <= after) || segment.seqs.last().is_some_and(|last| seq <= *last) {
            return self.fail(format!("event {seq} comes twice or out of order: {text}"));
        }
        segment.seqs.push(seq);
        it.since = Some(seq);
        let library = self.library.clone();
        if let Err(what) = self.books[user].see_trace(seq, &json, text, &library) {
            self.fail(what);
        }
    }

    fn answer(&mut self, line: usize, user: usize, client: usize, status: u16, body: &str, is_last: bool) {
        let kind = self.users[user][client].kind;
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let code = json["code"].as_str().unwrap_or_default().to_owned();
        if status >= 400 && code.is_empty() && !(status == 503 && json["status"] == "draining") && !body.is_empty() {
            return self.fail(format!("an answer {status} without a code: {body}"));
        }
        let may_be_full = self.script.is_tight || ([JOURNAL, UNCONFIRMED].contains(&code.as_str()) && self.journal_may_fail());
        if status >= 500 && status != 501 && status != 505 && !self.is_draining && !(may_be_full && status == 503) {
            return self.fail(format!("an answer {status}: {body}"));
        }
        if status == 429 && !self.script.is_bounded {
            return self.fail(format!("an answer 429 where nothing is bounded: {body}"));
        }
        if status == 429 && matches!(kind, Kind::Stream(_)) {
            self.turn_away(user, client);
            return self.hang_up(line, false);
        }
        if kind == Kind::Rude {
            if !is_last {
                self.hang_up(line, false);
            }
            return;
        }
        let it = self.client(user, client);
        let asked = it.asked.pop_front();
        if let Some(asked) = &asked {
            let is_shared = asked.what.starts_with("/api/test") || asked.what == "/health";
            if !is_shared {
                self.note(user, client, &format!("{} {status} {body}", asked.what));
            }
            let it = self.client(user, client);
            if status == 200 {
                it.answers.insert(asked.what, json.clone());
            } else if matches!(status, 400 | 408 | 413 | 415)
                && !code.starts_with("message_")
                && asked.what != "/api/graph/prompt?node=output"
            {
                return self.fail(format!("`{}` is answered {status}: {body}", asked.what));
            }
            if let Some(id) = &asked.id {
                let may_be_lost = !self.script.crashes.is_empty();
                match (status, json["id"].as_str().and_then(|turn| turn.strip_prefix("msg_")?.parse().ok())) {
                    (503, Some(_)) if code == UNCONFIRMED && may_be_lost => {}
                    (200, Some(turn)) | (503, Some(turn)) if status == 200 || code == UNCONFIRMED => {
                        if let Err(what) = self.books[user].acknowledge(id, turn) {
                            return self.fail(what);
                        }
                        if json["client_id"] != json!(id) {
                            return self.fail(format!("`{}` of {id} is answered {body}", asked.what));
                        }
                    }
                    (200, None) => return self.fail(format!("`{}` is answered {body}", asked.what)),
                    // The request, which was not looked into: the message may be known.
                    (429, _) => {}
                    // Whether it was taken is not known: it is sent again.
                    (503, _) if code == JOURNAL => {}
                    _ => self.refused(user, id, &code),
                }
            }
        }
        if let Some(again) = asked.filter(|asked| asked.id.is_some() && status == 503 && [JOURNAL, UNCONFIRMED].contains(&code.as_str())) {
            self.client(user, client).waiting.push_back(again);
            self.try_later(user, client);
        }
        if is_last {
            let it = self.client(user, client);
            it.line = None;
            self.lines[line].misbehaved = true;
            if self.lines[line].is_open {
                self.hang_up(line, true);
            }
            self.forget_line(user, client);
        }
    }

    /// Whether this is what a client that breaks the rules was to see.
    fn expect(&mut self, line: usize, received: &Received) {
        let Some(expected) = self.lines[line].expects else { return };
        let code = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default()["code"].as_str().unwrap_or_default().to_owned();
        let is_met = match (expected, received) {
            (Expected::Status(wanted), Received::Answer { status, .. }) => wanted == *status,
            (Expected::Code(wanted), Received::Answer { body: text, .. } | Received::Text(text)) => code(text) == wanted,
            (Expected::Goodbye(wanted), Received::Goodbye(code, _)) => wanted == *code,
            _ => false,
        };
        // Whose session can't be loaded learns that instead.
        let is_unloaded = self.journal_may_fail()
            && match received {
                Received::Goodbye(1013, reason) => reason.contains("journal"),
                Received::Answer { body, .. } => code(body) == "journal_unavailable",
                _ => false,
            };
        let is_lenient = self.is_draining || self.script.is_tight || self.script.is_bounded || is_unloaded;
        let is_done = matches!(received, Received::Answer { .. } | Received::Goodbye(..)) && !is_lenient;
        if is_met || is_lenient {
            self.lines[line].expects = None;
            if let Expected::Code(_) = expected {
                self.hang_up(line, false);
            }
        } else if is_done {
            self.fail(format!("connection {line} was to see {expected:?}, not {received:?}"));
        }
    }
}

/// A tag of another user's session.
fn foreign_tag(text: &str, own: u64) -> Option<&str> {
    let own = format!("u{own}");
    let mut parts = text.split('~');
    parts.next();
    parts.find(|part| part.len() > 1 && part.starts_with('u') && part[1..].bytes().all(|byte| byte.is_ascii_digit()) && *part != own)
}
