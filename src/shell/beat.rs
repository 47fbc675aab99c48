//! What a shard does because time has passed: deadlines, pings, and letting go.

use super::bounds::{BEAT, COMMENT_EVERY};
use super::clock::{after, micros};
use super::shard::{Item, Shard};
use super::socket::Socket;
use crate::contract::Time;
use crate::wire::{sse, websocket};
use std::rc::Rc;

/// Has the shard look at its clock from time to time.
pub(super) async fn beat(shard: Rc<Shard>) {
    loop {
        monoio::time::sleep(BEAT).await;
        shard.push(Item::Beat);
    }
}

impl Shard {
    /// What is to be done because time has passed.
    pub(super) fn look_round(self: &Rc<Self>, now: Time) {
        self.lines.cut_overdue(now);
        let sockets: Vec<Rc<Socket>> = self.sockets.borrow().values().map(|seat| seat.socket.clone()).collect();
        let silence_max = micros(self.common.silence_max);
        for socket in sockets {
            socket.lose_patience(now, self.common.write_time);
            if socket.is_websocket() && socket.silence(now) > silence_max {
                socket.line.cut();
            } else if socket.is_websocket() && socket.quiet(now) >= silence_max / 3 {
                socket.speak(now);
                socket.push(websocket::write_ping);
            } else if !socket.is_websocket() && socket.quiet(now) >= micros(COMMENT_EVERY) {
                socket.speak(now);
                socket.push(sse::write_comment);
            }
            socket.flush(self);
        }
        while let Some((session, call)) = self.next_overdue(now) {
            self.with_session(session, |resident, shard| resident.overdue(shard, call));
        }
        if now >= self.next_sweep.get() {
            self.next_sweep.set(after(now, self.common.session_idle / 1440));
            self.sessions.borrow_mut().sweep(self, now);
        }
    }
}
