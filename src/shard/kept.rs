//! What is kept of a user, shown to them and deleted for them, and deleting one session. A user's sessions live on any shard, so
//! each is asked; what is in the journal is listed once, and deleted shard by shard (`journal_job.rs` says why).

use super::bounds::{FORWARD_TIME, JOB_TIME};
use super::connection::Framing;
use super::event::{Action, Job, JobOutcome, Mail, SessionId, SocketId};
use super::identity::{Key, User};
use super::journal_answers;
use super::journal_job::{Forget, JournalJob, Whose};
use super::operation::{Answer, Operation, Reply, What};
use super::queries;
use super::requests::SHARD_SILENT;
use super::timers::Timer;
use super::{ReplyTo, Shard, Ticket, Waiting};
use crate::auth::ANONYMOUS;
use crate::contract::journal::Deleted;
use crate::contract::{Caller, Moment};
use serde_json::{Map, Value, json};

const OUT_OF_REACH: &str = "backups of the journal, exported files, logs and exported traces are out of this server's reach: delete them where \
                            they are kept";

/// The replies of shards so far.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    /// Shards that have not replied.
    left: usize,
    /// What the answer begins with.
    body: Map<String, Value>,
}

impl Gathered {
    /// Adds what one shard has: lists grow, counts add up, and what one has is there.
    fn add(&mut self, part: Value) {
        let Value::Object(part) = part else { return };
        add(&mut self.body, part);
    }

    fn reply(mut self) -> Reply {
        if let Some(Value::Array(sessions)) = self.body.get_mut("sessions") {
            *sessions = once_each(std::mem::take(sessions));
        }
        Reply::ok(&self.body)
    }
}

fn add(all: &mut Map<String, Value>, part: Map<String, Value>) {
    for (key, value) in part {
        let so_far = all.entry(key).or_insert(Value::Null);
        *so_far = match (so_far.take(), value) {
            (Value::Array(mut all), Value::Array(more)) => {
                all.extend(more);
                Value::Array(all)
            }
            (Value::Object(mut all), Value::Object(more)) => {
                add(&mut all, more);
                Value::Object(all)
            }
            (Value::Number(count), Value::Number(more)) => (count.as_u64().unwrap_or(0) + more.as_u64().unwrap_or(0)).into(),
            (Value::Bool(is), Value::Bool(also)) => (is || also).into(),
            (_, value) => value,
        };
    }
}

/// A session that is in memory and in the journal is one. Of what both say the journal's counts: it has all turns.
fn once_each(mut sessions: Vec<Value>) -> Vec<Value> {
    let is_kept = |session: &Value| session.get("created_at").is_some();
    sessions.sort_by(|one, other| (one["id"].as_str(), is_kept(one)).cmp(&(other["id"].as_str(), is_kept(other))));
    let mut all: Vec<Value> = Vec::with_capacity(sessions.len());
    for session in sessions {
        match (all.last_mut(), session) {
            (Some(Value::Object(last)), Value::Object(kept)) if last.get("id") == kept.get("id") => last.extend(kept),
            (_, session) => all.push(session),
        }
    }
    all
}

impl Shard {
    /// Does an operation about a user on every shard, and answers with all of it.
    pub(super) fn everywhere(&mut self, id: SocketId, framing: Framing, operation: Operation, actions: &mut Vec<Action>) {
        let Operation { key, address, what, .. } = operation;
        if let (What::Forget, Some(refusal)) = (&what, self.journal.broken()) {
            let reply = refusal.clone().into();
            return self.write_reply(id, &framing, &reply, &[]);
        }
        let mut gathered = Gathered { left: self.settings.shards - 1, body: beginning(&what, self.settings.keeping.is_some()) };
        if let What::Kept { .. } = what {
            gathered.body.extend(self.budget_left(&key.sub, address).map(|budget| ("budget".to_owned(), budget)));
        }
        gathered.add(self.of_user(&key, &what, actions));
        let job = match &what {
            What::Kept { .. } => self.settings.keeping.map(|_| queries::kept_of(&key, is_nobody(&key))),
            _ => self.forget_job(&key, 0),
        };
        gathered.left += usize::from(job.is_some());
        if gathered.left == 0 {
            return self.write_reply(id, &framing, &gathered.reply(), &[]);
        }
        let time = if self.settings.keeping.is_some() { JOB_TIME } else { FORWARD_TIME };
        let ticket = self.wait(ReplyTo::Everywhere(id, Box::new(gathered)), time, &SHARD_SILENT);
        self.pend(id, ticket, framing);
        actions.extend(job.map(|job| Action::Job { ticket, job: Job::Journal(Box::new(job)) }));
        for shard in self.shards() {
            let what = match &what {
                What::Kept { user } => What::Kept { user: user.clone() },
                _ => What::Forget,
            };
            let operation = Box::new(Operation { key: key.clone(), from: Caller::default(), address: None, what });
            actions.push(Action::Mail { shard, mail: Mail::Operation { operation, from: self.id, ticket } });
        }
    }

    /// A shard has replied. One that could not ends it.
    pub(super) fn gather(
        &mut self,
        ticket: Ticket,
        id: SocketId,
        mut gathered: Box<Gathered>,
        due: Moment,
        reply: Reply,
        actions: &mut Vec<Action>,
    ) {
        if reply.status != 200 {
            return self.answer(id, &reply, actions);
        }
        gathered.add(serde_json::from_slice(&reply.body).unwrap_or_default());
        gathered.left -= 1;
        if gathered.left == 0 {
            return self.answer(id, &gathered.reply(), actions);
        }
        self.timers.set(due, Timer::Ticket(ticket));
        self.waiting.insert(ticket, Waiting { to: ReplyTo::Everywhere(id, gathered), due, otherwise: &SHARD_SILENT });
    }

    /// What this shard keeps of a user, or what it deleted. Where nobody signs in all are one user, who can name one session.
    pub(super) fn of_user(&mut self, key: &Key, what: &What, actions: &mut Vec<Action>) -> Value {
        let is_theirs = |own: &Key| if is_nobody(key) { own == key } else { own.sub == key.sub };
        let sessions: Vec<SessionId> = self.sessions.iter().filter(|live| is_theirs(&live.key)).map(|live| live.id).collect();
        if let What::Forget = what {
            let open = sessions.iter().filter(|id| self.sessions.get(**id).is_some_and(|live| live.is_open)).count();
            sessions.into_iter().for_each(|id| self.remove_session(id, 1000, "deleted", actions));
            self.journal.forget(|user, session| *user == *key.sub && (!is_nobody(key) || *session == *key.id));
            self.sign_in.forget(&key.sub);
            let orphans = if is_nobody(key) { Vec::new() } else { self.tests.forget(&key.sub) };
            for orphan in orphans {
                if let Some(socket) = self.sockets.get_mut(&orphan) {
                    socket.say_goodbye(1000, "deleted");
                }
                self.touch(orphan);
            }
            return json!({ "sessions": open });
        }
        let open = sessions.into_iter().filter_map(|id| self.sessions.get(id)).filter(|live| live.is_open);
        let sessions: Vec<Value> = open
            .map(|live| {
                let (messages, turns) = (live.session.history().len(), live.session.traces().count());
                json!({
                    "id": live.key.id, "messages": messages, "turns": turns,
                    "busy": live.session.busy(), "watchers": live.watchers.len(),
                })
            })
            .collect();
        json!({ "sessions": sessions, "tests": self.tests.has(&key.sub) })
    }
}

/// Where nobody signs in all are one user.
fn is_nobody(key: &Key) -> bool {
    &*key.sub == ANONYMOUS
}

impl Shard {
    /// Does what a user wants of all of their sessions on this shard.
    pub(super) fn operate_user(&mut self, key: &Key, what: &What, actions: &mut Vec<Action>) -> Answer {
        let value = self.of_user(key, what, actions);
        let open = value["sessions"].as_u64().and_then(|open| usize::try_from(open).ok());
        let job = if let What::Forget = what { self.forget_job(key, open.unwrap_or(0)) } else { None };
        job.map_or_else(|| Answer::Reply(Reply::ok(&value)), |job| Answer::Job(Job::Journal(Box::new(job))))
    }

    /// Deletes what the journal has of a user's sessions on this shard, which has let go of `open` of them.
    fn forget_job(&self, key: &Key, open: usize) -> Option<JournalJob> {
        self.settings.keeping?;
        let whose = match is_nobody(key) {
            true if key.shard(self.settings.shards) != self.id => return None,
            true => Whose::Session(key.id.clone()),
            false => Whose::Shard(self.id, self.settings.shards),
        };
        Some(JournalJob::Forget(Forget { user: key.sub.clone(), whose, open }))
    }

    /// Deletes a session: lets go of it here, with its watchers, calls and appends, and then in the journal.
    pub(super) fn delete_session(&mut self, key: &Key, actions: &mut Vec<Action>) -> Answer {
        if let Some(refusal) = self.journal.broken() {
            return Answer::Reply(refusal.clone().into());
        }
        let live = self.sessions.find(key).map(|live| (live.id, live.is_open));
        if let Some((id, _)) = live {
            self.remove_session(id, 1000, "deleted", actions);
        }
        let was_open = live.is_some_and(|(_, is_open)| is_open);
        self.journal.forget(|user, session| *user == *key.sub && *session == *key.id);
        if self.settings.keeping.is_some() {
            return Answer::Job(Job::Journal(Box::new(JournalJob::Delete { name: queries::name(key), was_open })));
        }
        match journal_answers::deleted(&key.id, &Deleted::default(), was_open) {
            JobOutcome::Reply(reply) => Answer::Reply(reply),
            JobOutcome::File(_) | JobOutcome::Document { .. } | JobOutcome::Forked(_) => unreachable!("what is deleted is no file"),
        }
    }
}

/// What an answer begins with, beside what the shards say.
fn beginning(what: &What, is_kept: bool) -> Map<String, Value> {
    let entries = match what {
        What::Kept { user } => {
            let User { sub, identity, email, scopes, expires_s, .. } = &**user;
            let expires_at = expires_s.map(|seconds| seconds.saturating_mul(1000));
            json!({ "sub": sub, "identity": identity, "email": email, "scopes": scopes.names(), "expires_at": expires_at })
        }
        _ if is_kept => json!({ "status": "deleted", "note": OUT_OF_REACH }),
        _ => json!({ "status": "deleted" }),
    };
    if let Value::Object(entries) = entries { entries } else { Map::new() }
}
