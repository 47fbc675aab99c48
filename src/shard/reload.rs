//! What a shard does when files and settings were loaded again: everything counts from now on, and nothing is dropped but
//! streams whose user may no longer see them.

use super::event::{Action, SocketId};
use super::socket::{Kind, Socket};
use super::{Settings, Shard, files, routes};
use std::sync::Arc;

/// The goodbye to administrators' streams when the role changes: who still has it comes back at once.
pub(super) const ROLES_CHANGED: (u16, &str) = (1013, "the administrators' role has changed: reconnect");

impl Shard {
    pub(super) fn reload(&mut self, settings: Arc<Settings>, actions: &mut Vec<Action>) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.metrics.learn(&self.settings);
        self.ledger.reload(self.settings.quotas, self.clock.moment());
        self.healthy = routes::healthy(&self.settings.about, &self.io);
        let is_issuer_new = self.sign_in.reload(self.settings.sign_in.clone(), self.settings.api_keys.clone());
        self.auth_config = self.sign_in.config();
        self.policy = files::policy(self.settings.sign_in.issuer.as_ref().map(|issuer| &*issuer.url));
        self.let_revoked_go();
        if is_issuer_new {
            self.let_administrators_reconnect();
        }
        let is_same = before.library.hash() == self.settings.library.hash()
            && before.limits == self.settings.limits
            && before.graph == self.settings.graph;
        if !is_same {
            for id in self.sessions.ids() {
                self.change(id, actions, |live, around| live.reload(around));
            }
        }
    }

    /// Ends the streams that show another user's data to somebody who signed in by a token: the token has to count again.
    fn let_administrators_reconnect(&mut self) {
        let is_theirs = |socket: &&mut Socket| matches!(&socket.kind, Kind::Stream(stream) if stream.sub != stream.user.sub && stream.user.key.is_none());
        let mut gone: Vec<SocketId> = Vec::new();
        for socket in self.sockets.values_mut().filter(is_theirs) {
            let (code, reason) = ROLES_CHANGED;
            socket.say_goodbye(code, reason);
            gone.push(socket.id);
        }
        gone.into_iter().for_each(|id| self.touch(id));
    }
}
