//! How the last answer is made again and an earlier message edited: a new turn comes in the place of what was there.
//!
//! What was there leaves the history, so no model reads it, and stays as a variant of the new turn's message. Memory, controls and
//! machines stay as they are: they are not rolled back. Both are for a session that rests.

use super::Session;
use super::turn::{Begun, Waiting};
use crate::contract::{Caller, ClientId, Code, Effect, Message, Refusal, Role, Source, TurnId, Variant, What, clip};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Variants of one message; the oldest leave.
pub(super) const VARIANTS_MAX: usize = 8;
/// Text of all variants of one message. The oldest leave, and the last one is cut.
pub(super) const VARIANTS_BYTES_MAX: usize = 64 << 10;

const NOTHING: Refusal = Refusal::new(Code::NothingToRetry, "there is nothing to try again: write a message first");
const NOT_LAST: Refusal =
    Refusal::new(Code::NotLastTurn, "only the last turn can be tried again: to go on from an earlier message use `/api/turn/edit`");
const UNKNOWN: Refusal = Refusal::new(Code::UnknownTurn, "this session knows no such turn: `/api/history` shows its messages");
const NOT_KEPT: Refusal =
    Refusal::new(Code::TurnNotKept, "this message is not in the present conversation any more: `/api/history` shows what is");

/// What a turn came in the place of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replaced {
    /// Word for word.
    pub(super) messages: Vec<Message>,
    /// All variants of the turn's message, the last of them made of `messages`.
    pub(super) variants: Vec<Variant>,
}

impl Replaced {
    fn new(messages: Vec<Message>) -> Replaced {
        let before = messages.first().map(|message| message.variants.clone()).unwrap_or_default();
        let mut variants: Vec<Variant> = before.into_iter().chain(variant(&messages)).collect();
        let mut bytes: usize = variants.iter().map(Variant::bytes).sum();
        while variants.len() > VARIANTS_MAX || (bytes > VARIANTS_BYTES_MAX && variants.len() > 1) {
            bytes -= variants.remove(0).bytes();
        }
        Replaced { messages, variants }
    }

    fn turns(&self) -> Vec<TurnId> {
        let mut turns: Vec<TurnId> = self.messages.iter().map(|message| message.id).collect();
        turns.dedup();
        turns
    }
}

/// These messages as a variant: what people have read, as much of it as fits.
fn variant(messages: &[Message]) -> Option<Variant> {
    let id = messages.first()?.id;
    let (mut kept, mut left) = (Vec::new(), VARIANTS_BYTES_MAX);
    let mut cut = false;
    for message in messages {
        if message.content.len() > left {
            cut = true;
            // The mark of a cut takes room too.
            left = left.saturating_sub('…'.len_utf8());
        }
        if left == 0 {
            break;
        }
        let content = clip(&message.content, left);
        left = left.saturating_sub(content.len());
        kept.push(Message { partial: message.partial, ..Message::new(message.role, content, message.id) });
    }
    Some(Variant { id, messages: kept, cut })
}

/// Drops variants until so many bytes are free, those of the oldest message first. Returns how many it freed.
pub(super) fn make_room(history: &mut VecDeque<Message>, wanted: usize) -> usize {
    let mut freed = 0;
    for message in history {
        while freed < wanted && !message.variants.is_empty() {
            freed += message.variants.remove(0).bytes();
        }
    }
    freed
}

impl Session {
    /// What a retry begins again, and the turn that it was.
    pub(super) fn retried(&self, turn: Option<TurnId>) -> Result<(TurnId, Begun), Refusal> {
        let last = self.conversation.history.back().ok_or(NOTHING)?.id;
        match turn {
            Some(turn) if turn != last => {
                self.edited(turn)?;
                return Err(NOT_LAST);
            }
            Some(_) | None => {}
        }
        let begun = self.began(last).ok_or(NOT_KEPT)?;
        if let Begun::Action { action, source, .. } = &begun {
            // A machine's own button says nothing that could be said again.
            let button = self.conversation.ui.button(action, source.as_ref());
            let is_offered = button.is_some_and(|button| button.go.is_none() || !matches!(button.source, Source::Machine(_)));
            if !is_offered {
                return Err(super::stale_control(action));
            }
        }
        Ok((last, begun))
    }

    /// What began the last turn of the history, as far as that is still known.
    fn began(&self, turn: TurnId) -> Option<Begun> {
        if let Some(about) = self.kept.last.as_ref().filter(|about| about.id() == turn) {
            return Some(match &about.packet.action {
                None => Begun::Message { text: about.message.clone(), dashboard: about.dashboard.clone() },
                Some(pressed) => Begun::Action { action: pressed.action.clone(), data: pressed.data.clone(), source: about.source.clone() },
            });
        }
        // A switch that kept the conversation has dropped the rest.
        let is_message = self.kept_turn(turn).is_some_and(|kept| kept.action.is_none());
        let mut messages = self.conversation.history.iter().rev();
        let question = messages.find(|message| message.id == turn && message.role == Role::User).filter(|_| is_message)?;
        Some(Begun::Message { text: question.content.as_str().into(), dashboard: Vec::new() })
    }

    /// Whether the message of this turn can be edited.
    pub(super) fn edited(&self, turn: TurnId) -> Result<(), Refusal> {
        let is_there = self.conversation.history.iter().any(|message| message.id == turn && message.role == Role::User);
        match is_there {
            true => Ok(()),
            false if self.has_had(turn) => Err(NOT_KEPT),
            false => Err(UNKNOWN),
        }
    }

    pub(super) fn retry(&mut self, turn: Option<TurnId>, client_id: Option<ClientId>, from: Caller, effects: &mut Vec<Effect>) {
        let (turn, begun) = self.retried(turn).expect("`accepts` has found the turn");
        self.replace_from(turn, begun, client_id, from, effects);
    }

    /// Begins a turn in the place of this one and of all after it.
    pub(super) fn replace_from(
        &mut self,
        turn: TurnId,
        begun: Begun,
        client_id: Option<ClientId>,
        from: Caller,
        effects: &mut Vec<Effect>,
    ) {
        let history = &mut self.conversation.history;
        let first = history.iter().position(|message| message.id == turn).expect("`accepts` has found its message");
        let replaced = Replaced::new(history.split_off(first).into());
        self.enqueue(begun, client_id, from, effects);
        let waiting: &mut Waiting = self.work.waiting.back_mut().expect("it has just been put there");
        waiting.replaces = Some(replaced);
    }

    /// Shows what the running turn has replaced.
    pub(super) fn show_replaced(&mut self, effects: &mut Vec<Effect>) {
        let turn = self.work.turn();
        let Some(replaces) = &turn.replaces else { return };
        let what = What::Replaced { turns: replaces.turns(), variants: replaces.variants.as_slice().into() };
        self.emit(turn.about.id(), 0, self.engine.clone(), what, effects);
        self.conversation.history_seq = self.counters.seq_last;
    }

    /// Takes the running turn's messages out of the history, and puts back what it had replaced. Returns the turns that are back.
    pub(super) fn withdraw(&mut self) -> Vec<TurnId> {
        let turn = self.work.turn_mut();
        let (id, replaces) = (turn.about.id(), turn.replaces.take());
        let history = &mut self.conversation.history;
        history.retain(|message| message.id != id);
        let restored = replaces.as_ref().map(Replaced::turns).unwrap_or_default();
        history.extend(replaces.into_iter().flat_map(|replaces| replaces.messages));
        restored
    }

    /// The messages of a turn, the latest first, also where another has replaced them.
    pub fn messages_of(&self, turn: TurnId) -> impl Iterator<Item = &Message> {
        let replaced = self.work.turn.iter().flat_map(|running| &running.replaces).flat_map(|replaces| &replaces.messages);
        let history = self.conversation.history.iter().rev();
        let variants = history.clone().flat_map(|message| &message.variants).flat_map(|variant| &variant.messages);
        history.chain(replaced.rev()).chain(variants.rev()).filter(move |message| message.id == turn)
    }
}
