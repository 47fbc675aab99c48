//! Webhooks: which addresses the server may call when a turn ends, and what it sends.
//!
//! The address is kept in the same batch as the message that names it, and what is to be delivered in the batch of the turn's end
//! ([`Item::Webhook`], [`Item::Delivery`]): so neither is lost, and nothing is delivered before it is durable. The journal's thread
//! hands it to those who deliver (`work/courier`). Where there is no journal the shard does ([`Action::Deliver`]).

use super::bounds::{WAKING_MAX, WEBHOOKS_AWAITED_MAX};
use super::event::Action;
use super::identity::Key;
use super::live::{Live, Surroundings};
use super::queries;
use super::{Settings, Shard};
use crate::contract::journal::{Delivery, DeliveryState, DeliveryStatus, Item, Name, Webhook};
use crate::contract::{ClientId, Code, Outcome, Refusal, Role, TurnId, WebhookPrefix, WebhookUrl};
use crate::wire::webhook::{Ended, turn_ended};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// What shards know of the deliveries of their server.
pub struct Outbox {
    /// What the addresses of webhooks may begin with.
    pub allowed: Vec<WebhookPrefix>,
    /// Whether as many deliveries wait as may.
    pub is_full: Box<dyn Fn() -> bool + Send + Sync>,
    /// What became of a turn's delivery, if that is remembered.
    pub status: Box<Deliveries>,
}

pub type Deliveries = dyn Fn(&Name, u64) -> Option<DeliveryStatus> + Send + Sync;

const DISABLED: Refusal = Refusal::new(
    Code::WebhooksDisabled,
    "this server calls no webhooks (operators: list the addresses that it may call with `--webhook-allow`)",
);
const NOT_ALLOWED: Refusal = Refusal::new(
    Code::WebhookNotAllowed,
    "this server may not call the address of this webhook (operators: `--webhook-allow` lists those that it may call)",
);
pub(super) const OUTBOX_FULL: Refusal =
    Refusal::new(Code::WebhooksFull, "too many deliveries to webhooks wait on this server: try again later, or send without `webhook`");

/// Takes the address out of a body that names one, and checks it.
pub(super) fn webhook(settings: &Settings, body: &mut Map<String, Value>) -> Result<Option<Box<str>>, Refusal> {
    let invalid = |why: &str| Err(Refusal::with(Code::InvalidWebhook, format!("`webhook` is no address that can be called: {why}")));
    let text = match body.remove("webhook") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return invalid("it must be a string"),
    };
    let Some(outbox) = &settings.outbox else { return Err(DISABLED) };
    match text.parse::<WebhookUrl>() {
        Err(why) => invalid(why),
        Ok(url) if outbox.allowed.iter().any(|prefix| prefix.allows(&url)) => Ok(Some(text.into())),
        Ok(_) => Err(NOT_ALLOWED),
    }
}

impl Live {
    /// Notes whom the end of a turn is to be told that has begun, or waits to.
    pub(super) fn await_end(&mut self, around: &mut Surroundings<'_>, turn: TurnId) {
        let Some(url) = self.asks.take() else { return };
        // Unique for as long as anyone remembers: a session of the same name, or another server, has other seeds and times.
        let seed = format!("{:x} {} {} {turn} {}", self.trace_seed(), self.key.sub, self.key.id, around.now.wall.0);
        let id = format!("wh_{}", super::hex(&Sha256::digest(seed)[..16]));
        let webhook = Webhook { turn: turn.0, id, url: url.into() };
        self.webhooks.insert(turn, webhook.clone());
        self.keep(around, |recorded, keep, _, now| {
            recorded.append(keep, now, Item::Webhook(Box::new(webhook)));
        });
    }

    /// A turn has ended: prepares the delivery to its webhook, if it has one.
    pub(super) fn tell_end(&mut self, around: &mut Surroundings<'_>, turn: TurnId, outcome: &Outcome, client_id: Option<&ClientId>) {
        let Some(webhook) = self.webhooks.remove(&turn).map(Box::new) else { return };
        let said = self.session.history().iter().rev().find(|message| message.id == turn && message.role == Role::Assistant);
        let trace = self.session.kept_turn(turn).map(|detail| detail.trace.clone());
        let at = around.now.wall;
        let answer = said.map_or("", |message| &message.content);
        let body = turn_ended(&Ended { session: &self.key.id, turn, outcome, client_id, answer, trace: trace.as_deref(), at });
        if self.is_recorded() {
            self.keep(around, |recorded, keep, _, now| {
                recorded.append(keep, now, Item::Delivery { webhook, body });
            });
        } else {
            let name = queries::name(&self.key);
            around.actions.push(Action::Deliver(Box::new(Delivery { name, webhook: *webhook, body, since: at, attempts: 0, due: at })));
        }
    }

    /// What is known of the delivery of a turn that has ended.
    pub(super) fn delivery(&self, settings: &Settings, turn: TurnId) -> Option<DeliveryStatus> {
        if self.webhooks.contains_key(&turn) {
            return Some(DeliveryStatus { state: DeliveryState::Awaited, attempts: 0, status: None });
        }
        (settings.outbox.as_ref()?.status)(&queries::name(&self.key), turn.0)
    }
}

/// Sessions that are to be loaded because the end of a turn of theirs is waited for.
#[derive(Default)]
pub(super) struct Waking {
    waiting: VecDeque<Key>,
    loading: BTreeSet<Key>,
}

impl Shard {
    /// Whether no further turn may have a webhook.
    pub(super) fn is_outbox_full(&self) -> bool {
        let awaited: usize = self.sessions.iter().map(|live| live.webhooks.len()).sum();
        awaited >= WEBHOOKS_AWAITED_MAX || self.settings.outbox.as_ref().is_none_or(|outbox| (outbox.is_full)())
    }

    /// Has what a user's session, or all of theirs, had to deliver be forgotten. What the journal has of it is deleted there.
    pub(super) fn recall(&self, sub: &Arc<str>, session: Option<&Arc<str>>, actions: &mut Vec<Action>) {
        if self.settings.keeping.is_none() && self.settings.outbox.is_some() {
            actions.push(Action::Recall { user: sub.clone(), session: session.cloned() });
        }
    }

    /// The end of a turn of these sessions is waited for: they go on, also if nobody asks for them.
    pub(super) fn wake(&mut self, keys: Vec<Key>, actions: &mut Vec<Action>) {
        self.waking.waiting.extend(keys);
        self.wake_next(actions);
    }

    /// A session was loaded, or could not be.
    pub(super) fn woke(&mut self, key: &Key, actions: &mut Vec<Action>) {
        if self.waking.loading.remove(key) {
            self.wake_next(actions);
        }
    }

    fn wake_next(&mut self, actions: &mut Vec<Action>) {
        while self.waking.loading.len() < WAKING_MAX
            && !self.is_draining()
            && let Some(key) = self.waking.waiting.pop_front()
        {
            if self.sessions.find(&key).is_none() && self.begin_load(&key, actions) {
                self.waking.loading.insert(key);
            }
        }
    }
}
