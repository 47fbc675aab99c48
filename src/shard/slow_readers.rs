//! Answers that wait for their readers: counted, and bounded for the shard as a whole.
//!
//! One slow reader is bounded by time (`socket.rs`). Many of them together could hold more than the machine has, so beyond
//! the budget the one leaves whose write has been under way longest: a reader that means to read is never that one.

use super::bounds::SMALL_BYTES;
use super::event::{Action, Entry, SocketId};
use super::{Shard, Socket};

impl Shard {
    /// Keeps count of what waits for a socket's client.
    pub(super) fn count_output(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let bytes = socket.output_bytes();
        self.output_bytes = self.output_bytes - std::mem::replace(&mut socket.counted_output, bytes) + bytes;
    }

    /// Cuts the slowest readers while too much waits.
    pub(super) fn cut_slow_readers(&mut self, actions: &mut Vec<Action>) {
        while self.output_bytes > self.settings.output_bytes_max {
            let holds_much = |socket: &&Socket| socket.counted_output > SMALL_BYTES && socket.writing_since().is_some();
            let slowest = self.sockets.values().filter(holds_much).min_by_key(|socket| (socket.writing_since(), socket.id));
            let Some(id) = slowest.map(|socket| socket.id) else { return };
            let detail = "too much waits for clients that don't read: the slowest was cut".to_owned();
            actions.push(Action::Log(Entry::Limit { code: "slow_reader_cut", detail }));
            self.drop_socket(id, actions);
        }
    }
}
