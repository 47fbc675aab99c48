//! What is kept of a user, shown to them and deleted for them. Their sessions live on any shard, so each is asked.

use super::bounds::FORWARD_TIME;
use super::connection::Framing;
use super::event::{Action, Mail, SessionId, SocketId};
use super::identity::{Key, User};
use super::operation::{Operation, Reply, What};
use super::requests::SHARD_SILENT;
use super::timers::Timer;
use super::{ReplyTo, Shard, Ticket, Waiting};
use crate::auth::ANONYMOUS;
use crate::contract::{Caller, Moment};
use serde_json::{Map, Value, json};

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
        for (key, value) in part {
            let so_far = self.body.entry(key).or_insert(Value::Null);
            *so_far = match (so_far.take(), value) {
                (Value::Array(mut all), Value::Array(more)) => {
                    all.extend(more);
                    Value::Array(all)
                }
                (Value::Number(count), Value::Number(more)) => (count.as_u64().unwrap_or(0) + more.as_u64().unwrap_or(0)).into(),
                (Value::Bool(is), Value::Bool(also)) => (is || also).into(),
                (_, value) => value,
            };
        }
    }

    fn reply(mut self) -> Reply {
        if let Some(Value::Array(sessions)) = self.body.get_mut("sessions") {
            sessions.sort_by(|one, other| one["id"].as_str().cmp(&other["id"].as_str()));
        }
        Reply::ok(&self.body)
    }
}

impl Shard {
    /// Does an operation about a user on every shard, and answers with all of it.
    pub(super) fn everywhere(&mut self, id: SocketId, framing: Framing, operation: Operation, actions: &mut Vec<Action>) {
        let Operation { key, address, what, .. } = operation;
        let mut gathered = Gathered { left: self.settings.shards - 1, body: beginning(&what) };
        if let What::Kept { .. } = what {
            gathered.body.extend(self.budget_left(&key.sub, address).map(|budget| ("budget".to_owned(), budget)));
        }
        gathered.add(self.of_user(&key, &what, actions));
        if gathered.left == 0 {
            return self.write_reply(id, &framing, &gathered.reply(), &[]);
        }
        let ticket = self.wait(ReplyTo::Everywhere(id, Box::new(gathered)), FORWARD_TIME, &SHARD_SILENT);
        self.pend(id, ticket, framing);
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
        let is_theirs = |own: &Key| if &*key.sub == ANONYMOUS { own == key } else { own.sub == key.sub };
        let sessions: Vec<SessionId> = self.sessions.iter().filter(|live| is_theirs(&live.key)).map(|live| live.id).collect();
        if let What::Forget = what {
            let open = sessions.iter().filter(|id| self.sessions.get(**id).is_some_and(|live| live.is_open)).count();
            sessions.into_iter().for_each(|id| self.remove_session(id, 1000, "deleted", actions));
            self.sign_in.forget(&key.sub);
            let orphans = if &*key.sub == ANONYMOUS { Vec::new() } else { self.tests.forget(&key.sub) };
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

/// What an answer begins with, beside what the shards say.
fn beginning(what: &What) -> Map<String, Value> {
    let entries = match what {
        What::Kept { user } => {
            let User { sub, identity, email, scopes, expires_s, .. } = &**user;
            let expires_at = expires_s.map(|seconds| seconds.saturating_mul(1000));
            json!({ "sub": sub, "identity": identity, "email": email, "scopes": scopes.names(), "expires_at": expires_at })
        }
        _ => json!({ "status": "deleted" }),
    };
    if let Value::Object(entries) = entries { entries } else { Map::new() }
}
