//! `/api/sessions/fork`: a new session is made out of what the journal has of another one, and gets its first message.
//!
//! The new session's shard does it, because that knows which sessions there are and has to notice that there is one more.

use super::address::Address;
use super::answers::DRAINING;
use super::event::{Action, Forked, Job};
use super::identity::Key;
use super::journal_job::{JournalJob, SESSION_EXISTS};
use super::operation::{Answer, Operation, Reply, What};
use super::{ReplyTo, Shard};
use crate::contract::{Code, Input, Refusal};
use serde_json::json;

impl Shard {
    pub(super) fn fork_session(&mut self, to: &Key, address: Option<Address>, mut job: JournalJob, actions: &mut Vec<Action>) -> Answer {
        if self.is_draining() {
            return Answer::Reply(Refusal::new(Code::Draining, DRAINING).into());
        }
        if let Some(refusal) = self.journal.broken() {
            return Answer::Reply(refusal.clone().into());
        }
        if self.sessions.find(to).is_some_and(|live| live.is_open) {
            return Answer::Reply(SESSION_EXISTS.into());
        }
        // It costs about as much as a message does.
        if let Err(over) = self.admit_message(None, &to.sub, address) {
            actions.extend(over.log.clone().map(Action::Log));
            return Answer::Reply(Reply::over(*over, None));
        }
        if let JournalJob::Fork { message: Some(message), .. } = &mut job {
            message.address = address;
        }
        Answer::Job(Job::Journal(Box::new(job)))
    }

    /// The new session is kept: what this shard knew of its name is outdated, whether somebody still waits for the answer or not.
    pub(super) fn make_way(&mut self, forked: &Forked, actions: &mut Vec<Action>) {
        let key = key_of(forked);
        if let Some(id) = self.sessions.find(&key).map(|live| live.id) {
            self.remove_session(id, 1000, "forked", actions);
        }
        self.journal.forget(|user, session| *user == *key.sub && *session == *key.id);
    }

    /// Answers for the new session, or has it get its message and answers for that.
    pub(super) fn forked(&mut self, to: ReplyTo, forked: Forked, actions: &mut Vec<Action>) {
        let key = key_of(&forked);
        let Forked { turn, message, .. } = forked;
        let Some(message) = message else {
            let body = json!({ "status": "forked", "id": key.id, "turn": turn.to_string() });
            return self.reply(to, Reply::ok(&body), actions);
        };
        let from = message.from;
        let input = Input::Message { text: message.text, dashboard: Vec::new(), client_id: None, while_busy: None, from: from.clone() };
        let operation = Operation { key, from, address: message.address, webhook: None, what: What::Send(input) };
        match self.operate(operation, actions) {
            Answer::Reply(reply) => self.reply(to, reply, actions),
            Answer::Job(job) => drop(self.start_job(to, job, actions)),
            Answer::Later(later) => drop(self.answer_later(to, later, actions)),
        }
    }
}

fn key_of(forked: &Forked) -> Key {
    Key { sub: forked.to.user.as_str().into(), id: forked.to.session.as_str().into() }
}
