//! Sockets that show something: how they attach, are read, see what is new, and leave; and the test status of users.

use super::answers::{DRAINING, UNKNOWN_TURN};
use super::event::{Action, Attach, Job, Mail, Show, SocketId};
use super::identity::User;
use super::live::NotTaken;
use super::operation::{Answer, Operation, Reply, What};
use super::parked::UNAUTHORIZED;
use super::projection::OneTurn;
use super::reload::ROLES_CHANGED;
use super::routes::too_large;
use super::sign_in::MayWait;
use super::socket::{Kind, Socket};
use super::stream::{Stream, TOO_FAR_BEHIND};
use super::test_status::TOO_MANY;
use super::{SessionId, Shard};
use crate::auth::Scope;
use crate::contract::{Accepted, Caller, ClientId, Code, Input, Refusal, Seq};
use crate::wire::websocket::Received;
use crate::wire::{json, said, sse, websocket};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const BINARY: Refusal = Refusal::new(Code::MessageBinary, "this message is binary: send text");

impl Shard {
    /// A socket comes over from another shard.
    pub(super) fn arrive(&mut self, id: SocketId, attach: Attach, actions: &mut Vec<Action>) {
        if self.sockets.len() >= 2 * self.settings.connections_max {
            return actions.push(Action::Close { socket: id });
        }
        let stream = Stream::new(attach.show, attach.user.clone(), attach.key.sub.clone(), attach.caller.clone(), self.clock.now());
        let mut socket = Socket::new(id, Kind::Stream(Box::new(stream)));
        socket.held = self.hold_stream(&attach);
        if self.settings.keeping.is_some() {
            // Its session may have to be loaded first.
            socket.kind = Kind::Leaving(Box::new(attach), self.id);
            self.sockets.insert(id, socket);
            return self.touch(id);
        }
        self.sockets.insert(id, socket);
        self.attach(id, attach, None, actions);
    }

    /// Makes a socket show something. From here on it misses nothing.
    pub(super) fn attach(&mut self, id: SocketId, attach: Attach, farewell: Option<(u16, &'static str)>, actions: &mut Vec<Action>) {
        let Attach { show, key, user, caller, address, admitted_by, since, head, leftover } = attach;
        // An admin who looks at another user's session does not take part in it.
        let is_own = user.sub == key.sub;
        // On its way here it may have missed the news of a revoked key, of a proxy that is no longer trusted, or of another role for
        // administrators.
        let is_revoked = !self.sign_in.still_may(&user, show.scope())
            || (show != Show::Echo && !self.sign_in.still_lets_in(&user))
            || (!is_own && !self.sign_in.still_may(&user, Scope::Admin));
        let has_new_rules = !is_own && user.key.is_none() && admitted_by.is_none_or(|rules| rules.issuer != self.sign_in.rules().issuer);
        let goodbye = match (is_revoked, has_new_rules) {
            (true, _) => Some((UNAUTHORIZED, "Invalid token")),
            (false, true) => Some(ROLES_CHANGED),
            (false, false) => farewell,
        };
        let caller = if is_own { caller } else { Caller { identity: (*key.sub).to_owned(), ..caller } };
        let mut stream = Box::new(Stream::new(show, user, key.sub.clone(), caller.clone(), self.clock.now()));
        let session = match show {
            Show::Tests | Show::Echo => None,
            Show::Chat | Show::Trace | Show::Events | Show::Turn(_) if goodbye.is_some() => None,
            Show::Chat | Show::Trace | Show::Events | Show::Turn(_) => {
                Some(self.sessions.find_or_place(&self.settings, &key, &caller, self.clock.moment(), self.journal.generation(&key)))
            }
        };
        (stream.session, stream.address) = (session, address);
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.kind = Kind::Stream(stream);
        socket.out.extend_from_slice(&head);
        match (goodbye, session) {
            (Some((code, reason)), _) => socket.say_goodbye(code, reason),
            (None, Some(session)) => self.watch(id, session, show, is_own.then_some(caller), since, actions),
            (None, None) if show == Show::Tests => self.watch_tests(id, &key.sub),
            (None, None) => {}
        }
        self.receive(id, &leftover, actions);
        self.touch(id);
    }

    fn watch(
        &mut self,
        id: SocketId,
        session: SessionId,
        show: Show,
        caller: Option<Caller>,
        since: Option<u64>,
        actions: &mut Vec<Action>,
    ) {
        let attached = self.with_live(session, actions, |live, around| {
            let attached = caller.map_or(Ok(Accepted::Plain), |from| live.take(around, Input::Attached { from }));
            live.watchers.push(id);
            live.chats += usize::from(show == Show::Chat);
            live.is_dirty = true;
            let backlog = &live.backlog;
            let gap = since.is_some_and(|since| !backlog.reaches(Seq(since)));
            let hello = match show {
                Show::Chat => Some(json::attached(&live.session.controls(), backlog.visible(), backlog.kept_from(), gap)),
                Show::Events | Show::Trace => since.map(|_| json::resumed(backlog.visible(), backlog.kept_from(), gap)),
                Show::Tests | Show::Turn(_) | Show::Echo => None,
            };
            let follows = match show {
                Show::Turn(turn) if !live.session.has_had(turn) => Some(Err(UNKNOWN_TURN)),
                Show::Turn(turn) => Some(OneTurn::follow(turn, backlog, since.map(Seq), live.session.is_due(turn))),
                Show::Chat | Show::Trace | Show::Events | Show::Tests | Show::Echo => None,
            };
            (attached, hello, follows, backlog.start(since.map(Seq)))
        });
        let (attached, hello, follows, shown) = attached.expect("the session was found or placed just now");
        if let Some(socket) = self.sockets.get_mut(&id) {
            match (show, hello) {
                (Show::Events, hello) => {
                    socket.push(sse::write_comment);
                    hello.iter().for_each(|hello| socket.push(|out| sse::write_event(out, None, hello)));
                }
                (_, Some(hello)) => socket.push(|out| websocket::write_text(out, &hello)),
                (Show::Chat | Show::Trace | Show::Tests | Show::Turn(_) | Show::Echo, None) => {}
            }
            if let Kind::Stream(stream) = &mut socket.kind {
                match follows {
                    None => stream.shown = shown,
                    Some(Ok((one_turn, from))) => (stream.one_turn, stream.shown) = (Some(one_turn), from),
                    Some(Err(refusal)) => {
                        socket.push(|out| sse::write_event(out, None, &json::refusal(&refusal, None)));
                        socket.close();
                    }
                }
            }
        }
        if matches!(attached, Err(NotTaken::Broken)) {
            self.take_out(session, actions);
        }
    }

    fn watch_tests(&mut self, id: SocketId, sub: &Arc<str>) {
        let (status, orphans) = self.tests.of(sub, self.clock.moment());
        let line = status.line(&Map::new());
        status.watchers.push(id);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.push(|out| websocket::write_text(out, &line));
        }
        self.let_go_of_orphans(orphans);
    }

    /// Sockets whose test status had to make room for another user's.
    fn let_go_of_orphans(&mut self, orphans: Vec<SocketId>) {
        for orphan in orphans {
            if let Some(socket) = self.sockets.get_mut(&orphan) {
                socket.say_goodbye(1013, TOO_MANY);
            }
            self.touch(orphan);
        }
    }

    /// A stream has gone.
    pub(super) fn detach(&mut self, id: SocketId, stream: &Stream, actions: &mut Vec<Action>) {
        self.tests.leave(&stream.sub, id);
        if let Some(session) = stream.session {
            let is_chat = stream.show == Show::Chat;
            self.with_live(session, actions, |live, _| {
                let before = live.watchers.len();
                live.watchers.retain(|watcher| *watcher != id);
                live.chats -= usize::from(is_chat && live.watchers.len() < before);
            });
        }
    }

    pub(super) fn read(&mut self, id: SocketId, bytes: &[u8], actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.read_ended();
        if socket.is_closing() {
            if !socket.linger(bytes.len()) {
                return self.drop_socket(id, actions);
            }
            return self.touch(id);
        }
        match &mut socket.kind {
            Kind::Http(connection) => {
                connection.feed(bytes);
                self.serve(id, actions);
            }
            Kind::Stream(_) => self.receive(id, bytes, actions),
            Kind::Leaving(attach, _) => attach.leftover.extend_from_slice(bytes),
            Kind::Lingering { .. } => {}
        }
        self.touch(id);
    }

    pub(super) fn ended(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.ended();
        if let Kind::Stream(_) = &socket.kind {
            self.stop_showing(id, actions);
        }
        self.touch(id);
    }

    pub(super) fn written(&mut self, id: SocketId, buffer: Vec<u8>, actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.written(self.clock.moment(), buffer);
        if let Kind::Http(_) = &socket.kind {
            self.serve(id, actions);
        }
        self.touch(id);
    }

    /// A client that leaves is shown nothing more; what it has been told already still goes out.
    pub(super) fn stop_showing(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.close();
        self.ledger.close_stream(std::mem::take(&mut socket.held));
        let Kind::Stream(stream) = &mut socket.kind else { return };
        let stream = std::mem::replace(
            stream,
            Box::new(Stream::new(Show::Tests, User::anonymous(), "".into(), Caller::default(), self.clock.now())),
        );
        self.detach(id, &stream, actions);
    }

    /// Takes what has arrived on a stream.
    fn receive(&mut self, id: SocketId, bytes: &[u8], actions: &mut Vec<Action>) {
        let (now, message_bytes_max) = (self.clock.moment(), self.settings.message_bytes_max);
        let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&id) else { return };
        stream.feed(bytes, now);
        loop {
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            if socket.is_closing() {
                break;
            }
            let Kind::Stream(stream) = &mut socket.kind else { return };
            let (is_chat, is_echo) = (stream.show == Show::Chat, stream.show == Show::Echo);
            let Some(received) = stream.next(&mut socket.out) else { break };
            match received {
                Received::Over => {
                    self.stop_showing(id, actions);
                    break;
                }
                Received::Text(text) if !is_echo && text.len() <= message_bytes_max && said::is_auth(&text) => {
                    self.receive_token(id, &text, actions);
                }
                Received::Text(text) if is_chat => self.receive_text(id, &text, actions),
                Received::Binary(_) if is_chat => self.refuse_on_socket(id, &BINARY, None),
                Received::Text(text) if is_echo => socket.push(|out| websocket::write_text(out, text.as_bytes())),
                Received::Binary(bytes) if is_echo => socket.push(|out| websocket::write_binary(out, &bytes)),
                // What a client sends on the other sockets is ignored.
                Received::Text(_) | Received::Binary(_) | Received::Control => {}
            }
        }
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.push(|_| ());
        if let Kind::Stream(stream) = &socket.kind {
            let wanted = stream.read_bytes();
            socket.want(wanted);
        }
        self.count_input(id, actions);
    }

    /// A newer token, on any socket. One that is not there is refused like any message.
    fn receive_token(&mut self, id: SocketId, text: &str, actions: &mut Vec<Action>) {
        match said::token(text) {
            Ok(token) => self.renew(id, token, MayWait::ALL, actions),
            Err(refusal) => self.refuse_on_socket(id, &refusal, None),
        }
    }

    fn receive_text(&mut self, id: SocketId, text: &str, actions: &mut Vec<Action>) {
        let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get(&id) else { return };
        let Some(session) = stream.session else { return };
        if text.len() > self.settings.message_bytes_max {
            return self.refuse_on_socket(id, &too_large(&self.settings), said::client_id_of(text).as_ref());
        }
        let input = match said::said(text, stream.caller.clone()) {
            Ok(input) => input,
            Err(refusal) => return self.refuse_on_socket(id, &refusal, said::client_id_of(text).as_ref()),
        };
        let (client_id, sub, address) = (input.client_id().cloned(), stream.sub.clone(), stream.address);
        let is_known = self.sessions.get(session).is_some_and(|live| live.knows(&input));
        if input.starts_work() && !is_known {
            if let Some(refusal) = self.journal.broken().cloned() {
                return self.refuse_on_socket(id, &refusal, client_id.as_ref());
            }
            if self.is_draining() {
                return self.refuse_on_socket(id, &Refusal::new(Code::Draining, DRAINING), client_id.as_ref());
            }
            if let Err(over) = self.admit_message(Some(session), &sub, address) {
                return self.refuse_for_now_on_socket(id, *over, client_id.as_ref(), actions);
            }
            if let Err(refusal) = self.make_room(session, actions) {
                return self.refuse_on_socket(id, &refusal, client_id.as_ref());
            }
        }
        let payer = self.payer(&sub, address);
        let taken = self.with_live(session, actions, |live, around| {
            let taken = live.take(around, input);
            if let Ok(Accepted::Begins(_) | Accepted::Resumes(_)) = taken {
                live.payer = payer;
            }
            taken
        });
        match taken {
            Some(Ok(Accepted::Known { turn, done })) => {
                if let Some(client_id) = client_id {
                    let mut frames = Vec::new();
                    websocket::write_text(&mut frames, &json::acknowledged(turn, &client_id));
                    if let Some(outcome) = done {
                        websocket::write_text(&mut frames, &json::done(turn, &outcome, &client_id));
                    }
                    self.repeat(id, session, frames);
                }
            }
            Some(Ok(Accepted::Begins(_))) => self.count_begun(session),
            Some(Ok(Accepted::Resumes(_) | Accepted::Plain)) | None => {}
            Some(Err(NotTaken::Refused(refusal))) => self.refuse_on_socket(id, &refusal, client_id.as_ref()),
            Some(Err(NotTaken::Broken)) => self.take_out(session, actions),
        }
    }

    /// Repeats an acknowledgement or end, behind the events that the client has yet to see: an end must not overtake its answer.
    fn repeat(&mut self, id: SocketId, session: SessionId, frames: Vec<u8>) {
        let Some(last) = self.sessions.get(session).map(|live| live.backlog.last()) else { return };
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if let Kind::Stream(stream) = &mut socket.kind
            && !stream.keep_for_later(last, frames)
        {
            socket.say_goodbye(1013, TOO_FAR_BEHIND);
        }
    }

    fn refuse_on_socket(&mut self, id: SocketId, refusal: &Refusal, client_id: Option<&ClientId>) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.push(|out| websocket::write_text(out, &json::refusal(refusal, client_id)));
        }
    }

    /// Gives a socket what comes next of its session's events, if it can take it now.
    pub(super) fn show(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if !socket.takes_output() {
            return;
        }
        let Kind::Stream(stream) = &mut socket.kind else { return };
        let Some((session, live)) = stream.session.and_then(|id| Some((id, self.sessions.get(id)?))) else { return };
        let backlog = &live.backlog;
        if stream.shown < backlog.visible() {
            if !backlog.reaches(stream.shown) {
                return socket.say_goodbye(1013, TOO_FAR_BEHIND);
            }
            match &mut stream.one_turn {
                Some(one_turn) => {
                    stream.shown = one_turn.write(&mut socket.out, backlog, stream.shown);
                }
                None => {
                    self.written.update(session, backlog, stream.show, stream.shown);
                    stream.shown = self.written.to;
                    socket.out.extend_from_slice(&self.written.bytes);
                }
            }
        }
        while let Some(frames) = stream.take_later() {
            socket.out.extend_from_slice(&frames);
        }
        if stream.one_turn.as_ref().is_some_and(OneTurn::has_ended) {
            socket.close();
        }
    }

    /// Whether a socket is yet to be shown something.
    pub(super) fn is_behind(&self, stream: &Stream) -> bool {
        stream.session.and_then(|session| self.sessions.get(session)).is_some_and(|live| stream.shown < live.backlog.last())
    }

    /// What is answered to an operation on a user's test status.
    pub(super) fn operate_tests(&mut self, operation: Operation, actions: &mut Vec<Action>) -> Answer {
        let sub = operation.key.sub;
        if let What::Report(report) = &operation.what {
            let taken = self.report(&sub, report, actions);
            return Answer::Reply(taken.map_or_else(Reply::from, |()| Reply::ok(&json!({ "ok": true }))));
        }
        let (status, orphans) = self.tests.of(&sub, self.clock.moment());
        let answer = match &operation.what {
            What::LastRun { may_read_file } => match status.last_run() {
                Some(run) => Answer::Reply(Reply::ok(run)),
                None if *may_read_file => Answer::Job(Job::LastRun),
                None => Answer::Reply(Reply::ok(&json!({}))),
            },
            _ => Answer::Reply(Reply::of(status.status())),
        };
        self.let_go_of_orphans(orphans);
        answer
    }

    /// Takes a report into a user's test status, and shows it to everyone who watches, on every shard.
    pub(super) fn report(&mut self, sub: &Arc<str>, report: &Map<String, Value>, actions: &mut Vec<Action>) -> Result<(), Refusal> {
        let (status, orphans) = self.tests.of(sub, self.clock.moment());
        let taken = status.report(report).map(|line| (line, status.watchers.clone()));
        let taken = taken.map(|(line, watchers)| {
            for watcher in watchers {
                if let Some(socket) = self.sockets.get_mut(&watcher) {
                    socket.push(|out| websocket::write_text(out, &line));
                }
                self.touch(watcher);
            }
            let json: Arc<[u8]> = line.into();
            for shard in self.shards() {
                actions.push(Action::Mail { shard, mail: Mail::TestReport { sub: sub.clone(), json: json.clone() } });
            }
            self.show_test_report(sub, &json);
        });
        self.let_go_of_orphans(orphans);
        taken
    }

    /// Shows a test report on a user's event streams.
    pub(super) fn show_test_report(&mut self, sub: &str, json: &[u8]) {
        let is_for = |socket: &Socket| matches!(&socket.kind, Kind::Stream(stream) if stream.show == Show::Events && &*stream.sub == sub);
        let streams: Vec<SocketId> = self.sockets.values().filter(|socket| is_for(socket)).map(|socket| socket.id).collect();
        for id in streams {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.push(|out| sse::write_event(out, None, json));
            }
            self.touch(id);
        }
    }
}
