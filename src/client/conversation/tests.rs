use super::state::State;
use super::testing::Session;
use super::*;
use crate::contract::Code;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// What a client was shown of each of its messages.
#[derive(Debug, Default)]
struct Shown {
    accepted: usize,
    ended: usize,
    text: String,
    has_gap: bool,
    was_refused: bool,
    was_cancelled: bool,
}

#[derive(Default)]
struct Client {
    names: BTreeMap<String, String>,
    shown: BTreeMap<String, Shown>,
    restarts: usize,
}

impl Client {
    fn send(&mut self, state: &mut State, text: &str) {
        let name = state.send(json!({ "text": text })).unwrap();
        self.shown.insert(name.clone(), Shown::default());
        self.names.insert(name, text.to_owned());
    }

    fn see(&mut self, update: Update) {
        match update {
            Update::Accepted { client_id, .. } => self.shown.get_mut(&client_id).unwrap().accepted += 1,
            Update::Text { client_id: Some(client_id), content, .. } => self.shown.get_mut(&client_id).unwrap().text += &content,
            Update::Done(done) => {
                let shown = self.shown.get_mut(&done.client_id.expect("nobody else is here")).unwrap();
                shown.ended += 1;
                (shown.has_gap, shown.was_cancelled) = (done.has_gap, done.cancelled);
            }
            Update::Refused(refused) => {
                assert_eq!(refused.code, Some(Code::QueueFull));
                let shown = self.shown.get_mut(&refused.client_id).unwrap();
                shown.ended += 1;
                shown.was_refused = true;
            }
            Update::Attached { resumed: Resumed::Restarted, .. } => {
                self.restarts += 1;
                // Whatever was shown of a turn that is lost, it starts over.
                self.shown.values_mut().filter(|shown| shown.ended == 0).for_each(|shown| *shown = Shown::default());
            }
            Update::Attached { .. }
            | Update::Text { client_id: None, .. }
            | Update::Disconnected
            | Update::Controls(_)
            | Update::Cleared => {}
        }
    }

    fn has_ended(&self) -> bool {
        self.shown.values().all(|shown| shown.ended > 0)
    }

    fn check(&self, what: &str) {
        for (name, shown) in &self.shown {
            let whole = Session::answer(&self.names[name]).concat();
            assert_eq!(shown.ended, 1, "{what}: {name}: {shown:?}");
            assert!(shown.accepted <= 1, "{what}: {name}: {shown:?}");
            assert!(shown.has_gap || shown.was_refused || shown.was_cancelled || shown.text == whole, "{what}: {name}: {shown:?}");
        }
    }
}

/// A connection that may break anywhere: what is under way arrives in part.
struct Wire {
    to_server: VecDeque<String>,
    to_client: VecDeque<String>,
}

fn simulate(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut state, mut client) = (State::new(format!("seed{seed}")), Client::default());
    let mut session = Session::new([3, 6, 1_000][random.usize(..3)]);
    let (mut wire, mut left): (Option<Wire>, usize) = (None, random.usize(1..8));
    let (may_restart, may_stop) = (random.u8(..4) == 0, random.u8(..4) == 0);
    for step in 0.. {
        assert!(step < 20_000, "seed {seed} does not end: {:?}", client.shown);
        // Faults stop after a while.
        let is_faulty = step < 200;
        match &mut wire {
            None => wire = Some(Wire { to_server: VecDeque::new(), to_client: session.attach(state.since()).into() }),
            Some(open) if is_faulty && random.u8(..10) == 0 => {
                for _ in 0..random.usize(..=open.to_server.len()) {
                    let message = open.to_server.pop_front().unwrap();
                    open.to_client.extend(session.receive(&message));
                }
                for _ in 0..random.usize(..=open.to_client.len()) {
                    state.receive(&open.to_client.pop_front().unwrap()).into_iter().for_each(|update| client.see(update));
                }
                state.disconnected();
                wire = None;
                (0..random.u8(..20)).for_each(|_| drop(session.step()));
                if may_restart && random.u8(..3) == 0 {
                    session.restart();
                }
            }
            Some(open) => match random.u8(..5) {
                0 if left > 0 => {
                    left -= 1;
                    client.send(&mut state, &format!("message {left}"));
                    session.refusals = usize::from(is_faulty && random.u8(..6) == 0);
                    if may_stop && random.u8(..3) == 0 {
                        state.stop();
                    }
                }
                1 => open.to_server.extend(state.next()),
                2 => {
                    let message = open.to_server.pop_front();
                    open.to_client.extend(message.into_iter().flat_map(|message| session.receive(&message)));
                }
                3 => open.to_client.extend(session.step()),
                _ => {
                    let message = open.to_client.pop_front();
                    message.and_then(|message| state.receive(&message)).into_iter().for_each(|update| client.see(update));
                }
            },
        }
        if left == 0 && client.has_ended() {
            break;
        }
    }
    client.check(&format!("seed {seed}"));
    let refused = client.shown.values().filter(|shown| shown.was_refused).count();
    if client.restarts == 0 && !may_restart {
        assert_eq!(session.started.len() + refused, client.shown.len(), "seed {seed}: nothing starts twice, nothing is lost");
    }
}

#[test]
fn every_message_starts_and_ends_exactly_once_wherever_connections_break() {
    (0..3_000).for_each(simulate);
}
