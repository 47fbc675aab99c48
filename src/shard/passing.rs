//! What a shard does because time has passed: deadlines, pings, letting go, and the goodbyes at its end.

use super::Shard;
use super::bounds::{APPROVALS_EVERY, COMMENT_EVERY, FAREWELL_TIME};
use super::event::{Action, SocketId};
use super::journal::SHUTTING_DOWN;
use super::parked::EXPIRED;
use super::socket::Kind;
use super::stream::{TOO_FAR_BEHIND, TOO_SLOW};
use super::timers::Timer;
use crate::contract::{Input, Moment, micros};
use crate::wire::{sse, websocket};
use std::time::Duration;

impl Shard {
    pub(super) fn pass_time(&mut self, actions: &mut Vec<Action>) {
        let now = self.clock.moment();
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Socket(socket) => self.look_at(socket, actions),
                Timer::Call(session, call) => self.change(session, actions, |live, around| live.overdue(around, call)),
                Timer::Ticket(ticket) => self.give_up_waiting(ticket, actions),
                Timer::Sweep => {
                    self.sessions.sweep(&self.settings, now);
                    self.is_sweeping = false;
                }
                Timer::Approval => self.expire_approvals(actions),
                Timer::Audit => self.sum_up_audit(),
                // The end of the tick finds out that it is time.
                Timer::Farewell => {}
            }
        }
    }

    /// Has the sessions know whose approvals have expired. While the server ends, the next one does.
    fn expire_approvals(&mut self, actions: &mut Vec<Action>) {
        self.approval_timer = None;
        if !self.is_draining() {
            for id in self.sessions.due_by(self.clock.now().wall) {
                self.change(id, actions, |live, around| live.take(around, Input::Due).map(drop));
            }
        }
    }

    /// Wakes the shard when the next approval expires. That is wall time, which may jump, so it is looked at again now and then.
    pub(super) fn time_approvals(&mut self) {
        let due = self.sessions.next_due();
        if self.approval_timer.map(|(due, _)| due) == due {
            return;
        }
        if let Some((_, at)) = self.approval_timer.take() {
            self.timers.clear(at, Timer::Approval);
        }
        if let Some(due) = due.filter(|_| !self.is_draining()) {
            let wait = Duration::from_micros(due.since(self.clock.now().wall)).min(APPROVALS_EVERY);
            let at = self.clock.moment().after(wait);
            self.timers.set(at, Timer::Approval);
            self.approval_timer = Some((due, at));
        }
    }

    /// Pings, refuses or cuts a socket, whichever is due.
    fn look_at(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let (now, settings) = (self.clock.moment(), self.settings.clone());
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.came_due();
        if socket.is_stuck(now, &settings, socket.patience()) {
            return self.drop_socket(id, actions);
        }
        if socket.is_stuck(now, &settings, 1) {
            socket.say_goodbye(1013, TOO_FAR_BEHIND);
        }
        if let Kind::Stream(stream) = &socket.kind
            && stream.ends.is_some_and(|ends| ends <= now)
        {
            let (code, reason) = EXPIRED;
            socket.say_goodbye(code, reason);
        }
        if let Kind::Stream(stream) = &socket.kind
            && stream.message_due().is_some_and(|due| due <= now)
        {
            socket.say_goodbye(1008, TOO_SLOW);
        }
        let is_due = socket.due(&settings).is_some_and(|due| due <= now);
        match &mut socket.kind {
            Kind::Http(connection) if is_due => {
                if connection.has_begun() {
                    self.refuse_slow(id, actions);
                } else {
                    socket.close();
                }
            }
            Kind::Lingering { .. } if is_due => return self.drop_socket(id, actions),
            Kind::Stream(stream) if stream.is_websocket() => {
                if now.since(stream.received) >= micros(settings.silence_max) {
                    return self.drop_socket(id, actions);
                }
                if now.since(stream.spoken) >= micros(settings.silence_max / 3) {
                    stream.spoken = now;
                    socket.push(websocket::write_ping);
                }
            }
            Kind::Stream(stream) => {
                if now.since(stream.spoken) >= micros(COMMENT_EVERY) {
                    stream.spoken = now;
                    socket.push(sse::write_comment);
                }
            }
            Kind::Http(_) | Kind::Leaving(..) | Kind::Lingering { .. } => {}
        }
        self.touch(id);
    }

    /// Closes the sockets that have been shown everything; after half of the time all of them.
    pub(super) fn say_goodbyes(&mut self, until: Moment, actions: &mut Vec<Action>) {
        let to_all = self.clock.moment().after(FAREWELL_TIME / 2) >= until;
        let ids: Vec<SocketId> = self.sockets.keys().copied().collect();
        for id in ids {
            let Some(socket) = self.sockets.get(&id) else { continue };
            let (may_leave, is_idle) = match &socket.kind {
                Kind::Stream(stream) => (to_all || !self.is_behind(stream), false),
                Kind::Http(connection) => (false, connection.pending.is_none() && socket.is_quiet() && !socket.is_closing()),
                Kind::Leaving(..) | Kind::Lingering { .. } => (false, false),
            };
            if is_idle {
                self.drop_socket(id, actions);
            } else if may_leave && let Some(socket) = self.sockets.get_mut(&id) {
                let (code, reason) = SHUTTING_DOWN;
                socket.say_goodbye(code, reason);
                self.touch(id);
            }
        }
    }
}
