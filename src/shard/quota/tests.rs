//! Ledgers of several shards that tell one another, and tables that are full.

use super::super::event::Entry;
use super::*;
use crate::contract::journal::{Spending, SpentOn};
use crate::contract::{Budget, Code, Moment, Now, Time};
use fastrand::Rng;
use serde_json::json;

const SECOND: u64 = 1_000_000;

fn at(seconds: u64) -> Now {
    Now { moment: Moment(seconds * SECOND), wall: Time((1_000 * 86_400 + seconds) * SECOND) }
}

fn user(name: &str) -> Subject {
    Subject::User(name.into())
}

fn address(last: u8) -> Subject {
    Subject::Address(Address::of(std::net::IpAddr::from([10, 0, 0, last])))
}

fn message(ledger: &mut Ledger, now: Now, subject: &Subject) -> Result<(), Code> {
    ledger.admit(now, Rate::Messages, [Some(subject), None]).map_err(|over| over.refusal.code)
}

fn quotas(user: Quota) -> Quotas {
    Quotas { user, ..Quotas::default() }
}

/// To whom, from whom, and what; no counts confirm those that came before.
type Letter = (usize, usize, Option<Arc<[(Subject, Counts)]>>);

/// Shards whose mail takes a while.
struct Server {
    ledgers: Vec<Ledger>,
    mail: Vec<Letter>,
}

impl Server {
    fn new(quotas: Quotas, shards: usize) -> Server {
        Server { ledgers: (0..shards).map(|_| Ledger::new(quotas, shards)).collect(), mail: Vec::new() }
    }

    /// The end of a shard's tick.
    fn tick(&mut self, shard: usize) {
        if let Some(counts) = self.ledgers[shard].take_news() {
            let others = (0..self.ledgers.len()).filter(|other| *other != shard);
            self.mail.extend(others.map(|other| (other, shard, Some(counts.clone()))));
        }
    }

    /// Delivers the oldest mail between two shards that is under way.
    fn deliver(&mut self, now: Now, rng: &mut Rng) {
        if self.mail.is_empty() {
            return;
        }
        let (to, from, _) = self.mail[rng.usize(..self.mail.len())];
        let first = self.mail.iter().position(|(other, sender, _)| (*other, *sender) == (to, from)).unwrap();
        match self.mail.remove(first).2 {
            Some(counts) => {
                self.ledgers[to].hear(now, &counts);
                self.mail.push((from, to, None));
            }
            None => self.ledgers[to].confirmed(),
        }
        self.tick(to);
    }

    fn deliver_all(&mut self, now: Now, rng: &mut Rng) {
        (0..self.ledgers.len()).for_each(|shard| self.tick(shard));
        while !self.mail.is_empty() {
            self.deliver(now, rng);
        }
    }
}

#[test]
fn whatever_the_order_of_mails_all_shards_agree_in_the_end_and_nothing_stays_open() {
    let quota = Quota { requests: 0, messages: 50, streams: 6, turns: 4 };
    let quotas = Quotas { user: quota, budget: Budget { turns: 1_000, tokens: 0, cost: 0 }, ..Quotas::default() };
    let of = |streams, turns| Quotas { user: Quota { streams, turns, ..quota }, ..quotas };
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let shards = 1 + rng.usize(..4);
        let mut server = Server::new(quotas, shards);
        let (users, now) = ([user("ada"), user("eve")], at(5));
        let mut open: Vec<(usize, Held)> = Vec::new();
        let mut running: Vec<(usize, Subject)> = Vec::new();
        let mut turns = 0_u64;
        for _ in 0..300 {
            let (shard, who) = (rng.usize(..shards), &users[rng.usize(..2)]);
            match rng.usize(..9) {
                // Shards take what was reloaded one after the other, and maybe never the same at once.
                8 if seed % 2 == 1 => server.ledgers[shard].reload([quotas, of(0, 2), of(3, 0)][rng.usize(..3)], now.moment),
                0 | 1 => open.extend(server.ledgers[shard].open_stream(now, [Some(who), None]).ok().map(|held| (shard, held))),
                2 if !open.is_empty() => {
                    let (shard, held) = open.swap_remove(rng.usize(..open.len()));
                    server.ledgers[shard].close_stream(held);
                }
                // Handed over.
                3 if !open.is_empty() => {
                    let (from, held) = open.swap_remove(rng.usize(..open.len()));
                    let who = held.0[0].clone();
                    server.ledgers[from].close_stream(held);
                    let to = rng.usize(..shards);
                    open.push((to, server.ledgers[to].hold_stream(now, [who.as_ref(), None])));
                    server.tick(from);
                    server.tick(to);
                }
                4 if server.ledgers[shard].may_begin(now, who, false).is_ok() => {
                    running.extend(server.ledgers[shard].begin_turn(now, who).map(|payer| (shard, payer)));
                    server.ledgers[shard].spend(now, who, TURN);
                    turns += 1;
                }
                5 if !running.is_empty() => {
                    let (shard, payer) = running.swap_remove(rng.usize(..running.len()));
                    server.ledgers[shard].end_turn(&payer);
                }
                _ => server.deliver(now, rng),
            }
            server.tick(shard);
            assert!(server.mail.len() <= 2 * shards * shards, "seed {seed}: one mail of counts at most is under way between two shards");
        }
        let sums = |server: &Server| server.ledgers.iter().map(Ledger::sums).collect::<Vec<_>>();
        server.deliver_all(now, rng);
        for sums in sums(&server) {
            let counted: usize = open.iter().map(|(_, held)| held.count()).sum();
            assert_eq!(sums.streams + sums.streams_told, counted as i64, "seed {seed}");
            assert_eq!(sums.turns + sums.turns_told, running.len() as i64, "seed {seed}");
        }
        for ledger in &mut server.ledgers {
            let left: u64 = users.iter().map(|who| 1_000 - ledger.left(now, who).unwrap()["turns"]["left"].as_u64().unwrap()).sum();
            assert_eq!(left, turns, "seed {seed}: what one spent is spent everywhere");
        }
        for (shard, held) in open.drain(..) {
            server.ledgers[shard].close_stream(held);
            server.tick(shard);
        }
        for (shard, payer) in running.drain(..) {
            server.ledgers[shard].end_turn(&payer);
            server.tick(shard);
        }
        server.deliver_all(now, rng);
        assert!(sums(&server).iter().all(|sums| *sums == Sums::default()), "seed {seed}: {:?}", sums(&server));
    }
}

#[test]
fn a_rate_is_of_all_shards_together_but_for_what_is_on_its_way() {
    for (rate, shards) in [(5, 2), (64, 2), (300, 4), (1_000, 3)] {
        let (rng, now, ada) = (&mut Rng::with_seed(u64::from(rate)), at(5), user("ada"));
        let mut server = Server::new(quotas(Quota { messages: rate, ..Quota::default() }), shards);
        let mut taken = 0;
        for round in 0..4 * rate as usize {
            taken += u32::from(message(&mut server.ledgers[round % shards], now, &ada).is_ok());
            server.tick(round % shards);
            server.deliver_all(now, rng);
        }
        assert!((rate..=rate + rate / 16).contains(&taken), "{taken} of {rate} on {shards} shards");
        assert!(server.ledgers.iter_mut().all(|ledger| message(ledger, now, &ada) == Err(Code::RateLimited)));
        assert_eq!(message(&mut server.ledgers[0], at(125), &ada), Ok(()), "a minute later or two there is room");
    }
    // What nobody hears of is bounded by what each shard admits by itself.
    let mut deaf = Server::new(quotas(Quota { messages: 5, ..Quota::default() }), 3);
    let taken = (0..60).filter(|round| message(&mut deaf.ledgers[round % 3], at(5), &user("ada")).is_ok()).count();
    assert_eq!(taken, 15);
}

#[test]
fn one_shard_tells_nobody() {
    let mut ledger = Ledger::new(quotas(Quota { messages: 3, streams: 1, turns: 1, requests: 1 }), 1);
    assert!(message(&mut ledger, at(1), &user("ada")).is_ok());
    let held = ledger.open_stream(at(1), [Some(&user("ada")), None]).unwrap();
    assert!(ledger.take_news().is_none());
    ledger.close_stream(held);
    assert!(ledger.take_news().is_none());
}

#[test]
fn who_is_refused_for_one_bound_is_not_counted_for_the_other() {
    let quota = |messages| Quota { messages, ..Quota::default() };
    let mut ledger = Ledger::new(Quotas { user: quota(1), address: quota(2), ..Quotas::default() }, 1);
    let mut send = |who: &str| {
        let refused = ledger.admit(at(1), Rate::Messages, [Some(&address(1)), Some(&user(who))]).err();
        refused.map(|over| over.limited.headers()[4].1.clone())
    };
    assert_eq!(send("ada"), None);
    assert_eq!(send("ada").as_deref(), Some("\"user-messages\";q=1;w=60"));
    assert_eq!(send("eve"), None, "the refused message was not counted for the address");
    assert_eq!(send("joe").as_deref(), Some("\"address-messages\";q=2;w=60"));
}

#[test]
fn a_full_table_forgets_only_who_is_as_good_as_new() {
    let quota = Quota { messages: 2, streams: 9, ..Quota::default() };
    let budget = Budget { turns: 5, ..Budget::default() };
    let mut ledger = Ledger::with_places(Quotas { user: quota, budget, ..Quotas::default() }, 1, 3);
    let held = ledger.open_stream(at(0), [Some(&user("streams")), None]).unwrap();
    ledger.spend(at(0), &user("spends"), TURN);
    assert!(message(&mut ledger, at(0), &user("talks")).is_ok());
    // Nobody can leave yet: newcomers are counted together.
    assert!(message(&mut ledger, at(10), &user("new")).is_ok() && message(&mut ledger, at(10), &user("newer")).is_ok());
    assert_eq!(message(&mut ledger, at(10), &user("newest")), Err(Code::RateLimited));
    assert_eq!(message(&mut ledger, at(10), &user("talks")), Ok(()), "who is in the table is not locked out by newcomers");
    let full = |entry: &Entry| matches!(entry, Entry::Limit { code: "ledger_full", .. });
    assert_eq!(ledger.take_notices().iter().filter(|entry| full(entry)).count(), 1, "the log says it once");
    assert_eq!(ledger.places(), 3);
    // Full again, the talker makes room; who has spent something today or has something open does not.
    assert!(message(&mut ledger, at(75), &user("newest")).is_ok());
    assert_eq!(ledger.places(), 3);
    assert_eq!(ledger.left(at(75), &user("spends")).unwrap()["turns"]["left"], 4);
    assert_eq!(ledger.sums().streams, 1);
    ledger.close_stream(held);
    // The day after, what was spent counts no more: all three make room.
    assert!(ledger.may_begin(at(90_000), &user("a"), false).is_ok());
    let held = ["a", "b", "c"].map(|name| ledger.open_stream(at(90_001), [Some(&user(name)), None]).unwrap());
    assert_eq!((ledger.places(), ledger.sums().streams), (3, 3));
    assert!(ledger.take_notices().is_empty(), "everyone found a place");
    held.into_iter().for_each(|held| ledger.close_stream(held));
    assert_eq!(ledger.sums(), Sums::default());
}

#[test]
fn a_flood_of_addresses_costs_a_bounded_table_and_who_floods_stays_known() {
    let quota = Quota { messages: 10, ..Quota::default() };
    let mut ledger = Ledger::with_places(Quotas { address: quota, ..Quotas::default() }, 1, 100);
    let flooder = address(1);
    let mut admitted = 0;
    for number in 0..10_000_u32 {
        let now = Now { moment: Moment(u64::from(number) * 1_000), wall: Time(0) };
        let other = Subject::Address(Address::of(std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0b00_0000 + number))));
        let _ = message(&mut ledger, now, &other);
        admitted += u32::from(message(&mut ledger, now, &flooder).is_ok());
    }
    assert_eq!(ledger.places(), 100);
    assert!(admitted <= 12, "ten at once, and what ten seconds add: {admitted}");
}

#[test]
fn a_budget_is_for_a_day_and_shown_as_what_is_left() {
    let budget = Budget { turns: 2, tokens: 1_000, cost: 2_500_000 };
    let mut ledger = Ledger::new(Quotas { budget, ..Quotas::default() }, 1);
    let ada = user("ada");
    ledger.spend(at(3_600), &ada, Spent { turns: 1, tokens: 300, cost: 1_250_000 });
    assert_eq!(
        ledger.left(at(3_600), &ada),
        Some(json!({
            "turns": { "limit": 2, "left": 1 }, "tokens": { "limit": 1_000, "left": 700 },
            "cost": { "limit": 2.5, "left": 1.25 }, "resets_at": 1_001_u64 * 86_400_000
        }))
    );
    assert!(ledger.may_begin(at(3_600), &ada, false).is_ok());
    // A call may take it beyond: the turn is not cut, the next one is refused.
    ledger.spend(at(3_600), &ada, Spent { turns: 0, tokens: 900, cost: 0 });
    let over = ledger.may_begin(at(3_600), &ada, true).unwrap_err();
    assert_eq!(over.refusal.code, Code::BudgetUsedUp);
    let headers = over.limited.headers();
    assert_eq!(headers[0], ("retry-after", (23 * 3_600).to_string()));
    assert_eq!(headers[4].1, "\"day-tokens\";q=1000;qu=\"tokens\";w=86400");
    assert_eq!(ledger.left(at(3_600), &ada).unwrap()["tokens"]["left"], 0);
    assert!(ledger.may_begin(at(3_600), &user("eve"), false).is_ok());
    assert!(ledger.may_begin(at(86_400), &ada, false).is_ok(), "the next day");
    // The clock goes back over midnight: the day that was used up is not had again, nor is the new one had twice.
    ledger.spend(at(86_400), &ada, Spent { turns: 2, tokens: 0, cost: 0 });
    let back = Now { moment: Moment(86_500 * SECOND), wall: at(86_300).wall };
    assert!(ledger.may_begin(back, &ada, false).is_err());
    assert!(ledger.may_begin(at(86_600), &ada, false).is_err());
}

#[test]
fn the_log_says_it_once_a_minute_and_names_no_user() {
    let mut ledger = Ledger::new(quotas(Quota { messages: 1, ..Quota::default() }), 1);
    let ada = user("ada@example.org");
    let mut lines = Vec::new();
    for second in 0..300 {
        if let Err(over) = ledger.admit(at(second / 5), Rate::Messages, [Some(&ada), None]) {
            lines.extend(over.log);
        }
    }
    let [Entry::Limit { code: "rate_limited", detail }] = &lines[..] else { panic!("{lines:?}") };
    assert!(detail.starts_with("user ") && detail.contains("1 messages a minute") && detail.contains("--user-messages"), "{detail}");
    assert!(!detail.contains("ada"), "{detail}");
}

#[test]
fn usage_that_no_provider_reports_is_said_not_made_up() {
    let mut ledger = Ledger::new(Quotas { budget: Budget { tokens: 5, ..Budget::default() }, ..Quotas::default() }, 1);
    (0..3).for_each(|_| ledger.note_uncounted(at(1)));
    assert!(matches!(&ledger.take_notices()[..], [Entry::Limit { code: "usage_missing", .. }]));
    let mut without = Ledger::new(Quotas { budget: Budget { turns: 5, ..Budget::default() }, ..Quotas::default() }, 1);
    without.note_uncounted(at(1));
    assert!(without.take_notices().is_empty(), "turns are counted all the same");
}

#[test]
fn without_a_budget_who_spent_makes_room_and_with_one_they_keep_their_place() {
    let user_quota = Quota { streams: 1, ..Quota::default() };
    let with = |turns| Quotas { budget: Budget { turns, ..Budget::default() }, ..quotas(user_quota) };
    for (turns, left) in [(6, 3), (0, 5)] {
        let mut ledger = Ledger::with_places(with(5), 1, 1);
        ledger.spend(at(1), &user("ada"), Spent { turns: 3, tokens: 0, cost: 0 });
        ledger.reload(with(turns), at(2).moment);
        let held = ledger.hold_stream(at(3), [Some(&user("eve")), None]);
        ledger.close_stream(held);
        ledger.reload(with(turns.max(5)), at(4).moment);
        assert_eq!(ledger.left(at(5), &user("ada")).unwrap()["turns"]["left"], json!(left), "{turns}");
    }
}

const DAY: u64 = 86_400;

/// A ledger that a server begins with, whose journal has these rows.
fn resumed(now: Now, run: &str, rows: &[SpentOn]) -> Ledger {
    let budget = Budget { turns: 5, ..Budget::default() };
    let mut ledger = Ledger::new(Quotas { budget, ..Quotas::default() }, 1);
    ledger.resume(now, run.to_owned(), rows);
    ledger
}

fn turns_left(ledger: &mut Ledger, now: Now, who: &str) -> u64 {
    ledger.left(now, &user(who)).unwrap()["turns"]["left"].as_u64().unwrap()
}

/// What a journal has when it was handed these, one after another.
fn rows(all: impl IntoIterator<Item = Spending>) -> Vec<SpentOn> {
    let latest: std::collections::BTreeMap<_, _> =
        all.into_iter().map(|spending| ((spending.day, spending.payer, spending.counted_by), spending.spent)).collect();
    latest.into_iter().map(|((day, payer, _), spent)| SpentOn { day, payer, spent }).collect()
}

#[test]
fn what_was_spent_of_a_day_counts_over_restarts_and_of_no_one_else() {
    let mut kept = Vec::new();
    let mut ledger = resumed(at(0), "first", &[]);
    (0..2).for_each(|_| ledger.spend(at(1), &user("ada"), TURN));
    kept.extend(ledger.take_unkept());
    ledger.spend(at(2), &user("ada"), TURN);
    kept.extend(ledger.take_unkept());
    assert_eq!(ledger.take_unkept(), [], "what was handed over is not handed over again");
    // The second server counts on, also a payer whom it hears of first from another shard, and keeps only what it has counted itself.
    let mut ledger = resumed(at(10), "second", &rows(kept.clone()));
    ledger.hear(at(10), &[(user("ada"), Counts { spent: TURN, ..Counts::default() })]);
    assert_eq!((turns_left(&mut ledger, at(10), "ada"), turns_left(&mut ledger, at(10), "bob")), (1, 5));
    ledger.spend(at(11), &user("ada"), TURN);
    let second = ledger.take_unkept();
    assert_eq!((second.len(), second[0].spent), (1, TURN));
    kept.extend(second);
    let mut ledger = resumed(at(20), "third", &rows(kept));
    assert_eq!(turns_left(&mut ledger, at(20), "ada"), 1, "four of five, what another shard counted is that one's to keep");
    // The day after it is as if nothing had been.
    assert_eq!(turns_left(&mut ledger, at(DAY), "ada"), 5);
}

#[test]
fn no_wall_clock_gives_a_budget_back_over_a_restart() {
    let row = |day: u64| SpentOn { day: 1_000 + day, payer: kept::name(&user("ada")), spent: Spent { turns: 3, ..Spent::default() } };
    // The days of the rows, the day of the restart, and what is left then, in 23 hours, and in 25 hours of a clock that stands still.
    for (days, today, left) in [
        (&[0][..], 0, [2, 2, 2]),
        (&[0], 1, [5, 5, 5]),
        (&[], 0, [5, 5, 5]),
        // The clock was set back: the day goes on, for 24 hours at most.
        (&[1], 0, [2, 2, 5]),
        (&[365], 0, [2, 2, 5]),
        // The day that the clock had shown by mistake was over already.
        (&[0, 365], 0, [2, 2, 2]),
        (&[0, 365], 1, [5, 5, 5]),
    ] {
        let rows: Vec<SpentOn> = days.iter().map(|day| row(*day)).collect();
        let wall = at(today * DAY).wall;
        let after = |hours: u64| Now { moment: Moment(hours * 3_600 * SECOND), wall };
        let mut ledger = resumed(after(0), "run", &rows);
        assert_eq!([0, 23, 25].map(|hours| turns_left(&mut ledger, after(hours), "ada")), left, "{days:?}, on day {today}");
    }
}

#[test]
fn those_who_find_no_place_share_what_they_had_spent_too() {
    let budget = Budget { turns: 5, ..Budget::default() };
    let mut ledger = Ledger::with_places(Quotas { budget, ..Quotas::default() }, 1, 1);
    let row = |who: &Subject| SpentOn { day: 1_000, payer: kept::name(who), spent: TURN };
    ledger.resume(at(0), "run".to_owned(), &[row(&user("eve")), row(&user("joe")), row(&Subject::OtherUsers)]);
    ledger.spend(at(1), &user("first"), TURN);
    assert_eq!(turns_left(&mut ledger, at(2), "eve"), 3, "hers, and what others without a place had spent");
    assert_eq!(turns_left(&mut ledger, at(2), "joe"), 2);
    assert_eq!(turns_left(&mut ledger, at(2), "first"), 4);
}
