//! A script: all that will happen in one world, drawn from a seed and printable.
//!
//! Whatever the script does not list (how bytes are torn, how long a call takes) is drawn from the seed and the name of what
//! it happens to, never from a shared sequence. So removing one user leaves every other user's world as it was.

use super::{below, mix, one_in};
use crate::contract::journal::{Durability, Keeping};
use crate::shard::event::Show;
use fastrand::Rng;
use std::fmt;

pub(super) const SECOND: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) shards: usize,
    pub(super) graph: &'static str,
    /// From one shard's mailbox to another's.
    pub(super) mail_us: u64,
    /// Small limits for sessions and memory.
    pub(super) is_tight: bool,
    /// Small quotas for addresses, which users share.
    pub(super) is_bounded: bool,
    /// Of a hundred calls, how many go wrong.
    pub(super) calls_failing: u64,
    /// When the wall clock is set, and by how much.
    pub(super) clock: Vec<(u64, i64)>,
    /// When a shard's thread gets no time, and for how long.
    pub(super) stalls: Vec<(usize, u64, u64)>,
    pub(super) users: Vec<User>,
    /// When the script is over and every fault stops.
    pub(super) ends_at: u64,
    /// Whether the server drains then, with turns under way.
    pub(super) drains: bool,
    /// Where sessions are kept, if they are.
    pub(super) disk: Option<Disk>,
    /// When the whole server dies.
    pub(super) crashes: Vec<Crash>,
}

/// How sessions are kept, and what becomes of that.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disk {
    pub(super) keeping: Keeping,
    pub(super) snapshot_turns: u32,
    /// How long a commit takes.
    pub(super) delay_us: u64,
    /// In a crash it loses what was written and not reported.
    pub(super) loses: bool,
    /// When nothing can be written, and when nothing can be read, and for how long.
    pub(super) fails: Vec<(u64, u64)>,
    pub(super) loads_fail: Vec<(u64, u64)>,
    /// How long a session stays in memory that nobody uses.
    pub(super) idle_us: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crash {
    pub(super) at: u64,
    /// How many actions of the shards are still carried out.
    pub(super) actions: u64,
    /// How long the server is away.
    pub(super) away_us: u64,
    /// Where the next monotonic clock begins, and by how much the wall clock was set meanwhile.
    pub(super) moment: u64,
    pub(super) wall: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct User {
    pub(super) number: u64,
    /// Whether two perfect sockets watch the session from the beginning.
    pub(super) is_witnessed: bool,
    pub(super) clients: Vec<Wire>,
    pub(super) steps: Vec<Step>,
}

/// A client program and its network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wire {
    pub(super) kind: Kind,
    pub(super) delay_us: u64,
    /// Most bytes of one piece on their way to the server.
    pub(super) piece_max: usize,
    /// Most bytes that the client's system takes at once, and how long it takes between two pieces.
    pub(super) takes_max: usize,
    pub(super) takes_us: u64,
    /// After so many bytes, the client reads nothing for so long.
    pub(super) stops_reading: Option<(usize, u64)>,
    /// Does not answer pings.
    pub(super) is_mute: bool,
    pub(super) cuts: Vec<Cut>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stream(Show),
    Http,
    /// Breaks the rules of HTTP or WebSocket.
    Rude,
}

/// Breaks a client's n-th connection after so many bytes in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) connection: u32,
    pub(super) is_upward: bool,
    pub(super) after: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) at: u64,
    pub(super) client: usize,
    pub(super) what: Do,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Do {
    Connect,
    /// Ends the connection; `is_abrupt` without a goodbye.
    Leave {
        is_abrupt: bool,
    },
    /// On a chat socket, or as `POST /api/send`.
    Message {
        number: u64,
        text: Text,
        is_named: bool,
        /// What it says of a turn that runs.
        while_busy: Option<&'static str>,
    },
    /// Presses the button that was shown last.
    Press {
        number: u64,
        is_named: bool,
    },
    /// Sends the last named message again although it was acknowledged.
    Again,
    /// Has the last turn answered again, whichever that is or one of a name.
    Retry {
        number: u64,
        turn: Option<u64>,
        is_named: bool,
    },
    /// Sends another text in the place of a turn's message.
    Edit {
        number: u64,
        turn: u64,
        text: Text,
        is_named: bool,
    },
    /// The running turn, and perhaps those that wait.
    Stop {
        waiting: bool,
    },
    Cancel,
    Clear,
    Switch {
        graph: &'static str,
        keep: bool,
    },
    Report(&'static str),
    Ask(&'static str),
    Rude(Rude),
    Ping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// What the graph answers without a model.
    Greeting,
    Question,
    Long,
    Blank,
    /// Beyond the limit for messages, within that for frames.
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rude {
    NotHttp,
    HalfHead,
    HalfBody,
    SlowBody,
    LongHead,
    LongBody,
    TwoFramings,
    ForeignOrigin,
    UnknownHost,
    BadFrame,
    HugeFrame,
    Binary,
    BadJson,
}

pub(super) const GRAPHS: [&str; 3] = ["v1-direct", "v3-framed", "v4-eras"];

const WHILE_BUSY: [&str; 4] = ["enqueue", "reject", "interrupt", "rollback"];

const QUESTIONS: &[&str] = &[
    "/api/result",
    "/api/poll?since=",
    "/api/frames?last=5",
    "/api/turn?id=msg_1",
    "/api/state",
    "/api/history?last=10",
    "/api/graph/active",
    "/api/graph/prompt?node=output",
    "/api/graph/list",
    "/api/trace?last=30",
    "/api/test/status",
    "/api/tests",
    "/api/tests/suites",
    "/auth/config",
    "/health",
    "/nothing",
    "/",
];

const RUDE: [Rude; 13] = [
    Rude::NotHttp,
    Rude::HalfHead,
    Rude::HalfBody,
    Rude::SlowBody,
    Rude::LongHead,
    Rude::LongBody,
    Rude::TwoFramings,
    Rude::ForeignOrigin,
    Rude::UnknownHost,
    Rude::BadFrame,
    Rude::HugeFrame,
    Rude::Binary,
    Rude::BadJson,
];

impl Script {
    pub(super) fn draw(seed: u64) -> Script {
        let rng = &mut Rng::with_seed(mix(seed, 0));
        let shards = 1 + below(rng, 3) as usize;
        let is_long = one_in(rng, 8);
        let length = if is_long { SECOND * (60 + below(rng, 200)) } else { SECOND / 10 * (5 + below(rng, 60)) };
        let is_tight = one_in(rng, 8);
        let crowd = match below(rng, 200) {
            0 => 40 + below(rng, 40),
            1..20 => 4 + below(rng, 6),
            _ => 1 + below(rng, 3),
        };
        let hours = |rng: &mut Rng| (below(rng, 20 * 60) as i64 - 10 * 60) * 60 * SECOND as i64;
        // Two of three, but not where a user must see the same alone: all share one disk.
        let disk = (seed % 8 != 1 && !mix(seed, 11).is_multiple_of(3)).then(|| Disk::draw(seed, length));
        let crashes = if disk.is_some() { Crash::draw(seed, length) } else { Vec::new() };
        Script {
            seed,
            shards,
            graph: GRAPHS[below(rng, 3) as usize],
            mail_us: 1 + below(rng, 300),
            is_tight,
            // Not where a user must see the same alone, whom others may keep from what they share.
            is_bounded: seed % 8 != 1 && mix(seed, 9).is_multiple_of(4),
            calls_failing: [0, 5, 30][below(rng, 3) as usize],
            // A session that is evicted and opened again counts its events on from the wall clock.
            clock: (0..if is_tight { 0 } else { below(rng, 3) }).map(|_| (below(rng, length), hours(rng))).collect(),
            stalls: (0..below(rng, 3))
                .map(|_| (below(rng, shards as u64) as usize, below(rng, length), 1 + below(rng, SECOND / 2)))
                .collect(),
            users: (1..=crowd).map(|number| User::draw(seed, number, length, is_tight, disk.is_some())).collect(),
            ends_at: length,
            drains: one_in(rng, 4),
            disk,
            crashes,
        }
    }
}

impl Disk {
    fn draw(seed: u64, length: u64) -> Disk {
        let rng = &mut Rng::with_seed(mix(seed, 12));
        let durability = if one_in(rng, 3) { Durability::EveryDelta } else { Durability::Turn };
        let times = |rng: &mut Rng, of: u64| {
            let count = if one_in(rng, of) { 1 + below(rng, 2) } else { 0 };
            (0..count).map(|_| (below(rng, length), 1 + below(rng, length / 3))).collect()
        };
        Disk {
            keeping: Keeping { durability, rerun: one_in(rng, 2) },
            snapshot_turns: 1 + below(rng, 5) as u32,
            delay_us: [20, 1_000, 20_000, 200_000][below(rng, 4) as usize],
            loses: one_in(rng, 3),
            fails: times(rng, 4),
            loads_fail: times(rng, 5),
            idle_us: [SECOND / 5, SECOND, 20 * SECOND][below(rng, 3) as usize],
        }
    }
}

impl Crash {
    fn draw(seed: u64, length: u64) -> Vec<Crash> {
        let rng = &mut Rng::with_seed(mix(seed, 13));
        let count = [0, 1, 1, 2, 4][below(rng, 5) as usize];
        let steps = [0, 0, 3_600, -3_600, 86_400];
        let crash = |rng: &mut Rng| {
            let away_max = [1_000, 300_000, 3_000_000][below(rng, 3) as usize];
            Crash {
                at: below(rng, length),
                actions: below(rng, 12),
                away_us: 1 + below(rng, away_max),
                moment: below(rng, 1_000 * SECOND),
                wall: steps[below(rng, 5) as usize] * SECOND as i64,
            }
        };
        let mut crashes: Vec<Crash> = (0..count).map(|_| crash(rng)).collect();
        crashes.sort_by_key(|crash| crash.at);
        crashes
    }
}

impl User {
    fn draw(seed: u64, number: u64, length: u64, is_tight: bool, is_kept: bool) -> User {
        let rng = &mut Rng::with_seed(mix(seed, number));
        // A session that nobody watches leaves memory; where it is kept, its journal tells what became of it.
        let is_witnessed = (!is_tight || one_in(rng, 2)) && !(is_kept && one_in(rng, 3));
        let mut clients: Vec<Wire> = Vec::new();
        if is_witnessed {
            clients.extend([Show::Chat, Show::Trace].map(|show| Wire::perfect(Kind::Stream(show))));
        }
        let first = clients.len();
        clients.push(Wire::draw(rng, Kind::Stream(Show::Chat)));
        for _ in 0..below(rng, 3) {
            let kind = match below(rng, 9) {
                0..2 => Kind::Stream(Show::Chat),
                2 => Kind::Stream(Show::Trace),
                3 => Kind::Stream(Show::Events),
                4 => Kind::Stream(Show::Tests),
                5 => Kind::Rude,
                _ => Kind::Http,
            };
            clients.push(Wire::draw(rng, kind));
        }
        let mut steps: Vec<Step> = (0..clients.len())
            .filter(|client| *client < first || matches!(clients[*client].kind, Kind::Stream(_)))
            .map(|client| Step {
                at: if client < first { client as u64 } else { 1_000 + below(rng, length / 4) },
                client,
                what: Do::Connect,
            })
            .collect();
        for nth in 0..2 + below(rng, 12) {
            let client = first + below(rng, (clients.len() - first) as u64) as usize;
            if let Some(what) = Do::draw(rng, clients[client].kind, nth + 1) {
                // From dice of its own, so that the rest of the world stays as it was.
                let what = what.varied(&mut Rng::with_seed(mix(mix(seed, number), nth + 1)), nth + 1);
                steps.push(Step { at: 2_000 + below(rng, length), client, what });
            }
        }
        steps.sort_by_key(|step| step.at);
        // Asks at the end, when everything is at rest.
        clients.push(Wire::perfect(Kind::Http));
        User { number, is_witnessed, clients, steps }
    }
}

impl Wire {
    fn perfect(kind: Kind) -> Wire {
        let (most, none) = (usize::MAX, Vec::new());
        Wire { kind, delay_us: 5, piece_max: most, takes_max: most, takes_us: 1, stops_reading: None, is_mute: false, cuts: none }
    }

    fn draw(rng: &mut Rng, kind: Kind) -> Wire {
        let pieces = [usize::MAX, usize::MAX, 1_000, 50, 7];
        let is_slow = one_in(rng, 6);
        Wire {
            kind,
            delay_us: [20, 300, 20_000, 150_000][below(rng, 4) as usize],
            piece_max: pieces[below(rng, 5) as usize],
            takes_max: if is_slow { 1 + below(rng, 400) as usize } else { usize::MAX },
            takes_us: if is_slow { 1 + below(rng, 20_000) } else { 1 + below(rng, 100) },
            stops_reading: one_in(rng, 12).then(|| (below(rng, 4_000) as usize, SECOND * below(rng, 120))),
            is_mute: one_in(rng, 15),
            cuts: (0..if one_in(rng, 3) { 1 + below(rng, 3) } else { 0 })
                .map(|connection| Cut { connection: connection as u32, is_upward: one_in(rng, 3), after: below(rng, 3_000) as usize })
                .collect(),
        }
    }

    /// The same client over a perfect network.
    pub(super) fn calm(&mut self) {
        *self = Wire { cuts: std::mem::take(&mut self.cuts), ..Wire::perfect(self.kind) };
    }

    /// Whether the server has no reason to end a stream over it.
    pub(super) fn is_healthy(&self, connection: u32) -> bool {
        let is_fast = self.takes_max > 500 && self.stops_reading.is_none();
        is_fast && !self.is_mute && self.kind != Kind::Rude && self.cuts.iter().all(|cut| cut.connection != connection)
    }
}

impl Do {
    fn draw(rng: &mut Rng, kind: Kind, number: u64) -> Option<Do> {
        let is_named = !one_in(rng, 4);
        let text = match below(rng, 12) {
            0..3 => Text::Greeting,
            3 => Text::Long,
            4 if one_in(rng, 4) => Text::Blank,
            5 if one_in(rng, 4) => Text::TooLong,
            _ => Text::Question,
        };
        Some(match (kind, below(rng, 20)) {
            (Kind::Stream(Show::Chat), 0..9) | (Kind::Http, 0..4) => Do::Message { number, text, is_named, while_busy: None },
            (Kind::Stream(Show::Chat), 9..12) | (Kind::Http, 4) => Do::Press { number, is_named },
            (Kind::Stream(Show::Chat), 12) | (Kind::Http, 5) => Do::Again,
            (Kind::Stream(Show::Chat), 13) | (Kind::Http, 6) => Do::Stop { waiting: true },
            (Kind::Stream(Show::Chat), 14) | (Kind::Http, 7) => Do::Cancel,
            (Kind::Stream(Show::Chat), 15) => Do::Ping,
            (Kind::Stream(_) | Kind::Http, 16) => Do::Leave { is_abrupt: one_in(rng, 2) },
            (Kind::Stream(_), 17..) => Do::Connect,
            (Kind::Http, 8) => Do::Clear,
            (Kind::Http, 9) => Do::Switch { graph: GRAPHS[below(rng, 3) as usize], keep: one_in(rng, 2) },
            (Kind::Http, 10) => Do::Report(["suite_start", "step_result", "suite_end"][below(rng, 3) as usize]),
            (Kind::Http, _) => Do::Ask(QUESTIONS[below(rng, QUESTIONS.len() as u64) as usize]),
            (Kind::Rude, _) => Do::Rude(RUDE[below(rng, RUDE.len() as u64) as usize]),
            (Kind::Stream(_), _) => return None,
        })
    }
}

impl Do {
    /// The same in one of its other forms; some questions become retries and edits.
    fn varied(self, rng: &mut Rng, number: u64) -> Do {
        let is_named = !one_in(rng, 4);
        match self {
            Do::Message { number, text, is_named, .. } => {
                let while_busy = one_in(rng, 4).then(|| WHILE_BUSY[below(rng, 4) as usize]);
                Do::Message { number, text, is_named, while_busy }
            }
            Do::Stop { .. } => Do::Stop { waiting: one_in(rng, 2) },
            Do::Ask(_) if one_in(rng, 4) => Do::Retry { number, turn: one_in(rng, 2).then(|| 1 + below(rng, 4)), is_named },
            Do::Ask(_) if one_in(rng, 4) => {
                let text = if one_in(rng, 3) { Text::Greeting } else { Text::Question };
                Do::Edit { number, turn: 1 + below(rng, 4), text, is_named }
            }
            other => other,
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |us: u64| us as f64 / SECOND as f64;
        writeln!(f, "seed {}: {} shards, graph {}, mail takes {} us", self.seed, self.shards, self.graph, self.mail_us)?;
        if self.is_tight {
            writeln!(f, "  small limits")?;
        }
        if self.is_bounded {
            writeln!(f, "  small quotas")?;
        }
        if self.calls_failing > 0 {
            writeln!(f, "  {} % of all calls fail", self.calls_failing)?;
        }
        if let Some(disk) = &self.disk {
            let Disk { keeping, snapshot_turns, delay_us, loses, fails, loads_fail, idle_us } = disk;
            let rerun = if keeping.rerun { ", turns that are cut off begin again" } else { "" };
            let loses = if *loses { ", a crash loses what was written and not reported" } else { "" };
            writeln!(
                f,
                "  a journal: {:?}, a snapshot after {snapshot_turns} turns, commits take {delay_us} us, sessions stay {} ms{rerun}{loses}",
                keeping.durability,
                idle_us / 1_000
            )?;
            for (times, what) in [(fails, "written"), (loads_fail, "read")] {
                for (at, length) in times {
                    writeln!(f, "{:9.4}  the journal can't be {what} for {} ms", seconds(*at), length / 1_000)?;
                }
            }
        }
        for Crash { at, actions, away_us, moment: _, wall } in &self.crashes {
            let wall = wall / SECOND as i64;
            writeln!(
                f,
                "{:9.4}  the server dies {actions} actions later and is back after {} ms, the wall clock set by {wall} s",
                seconds(*at),
                away_us / 1_000
            )?;
        }
        for (at, by) in &self.clock {
            writeln!(f, "{:9.4}  the wall clock is set by {} s", seconds(*at), by / SECOND as i64)?;
        }
        for (shard, at, length) in &self.stalls {
            writeln!(f, "{:9.4}  shard {shard} stalls for {} ms", seconds(*at), length / 1_000)?;
        }
        for user in &self.users {
            for (client, wire) in user.clients.iter().enumerate() {
                if user.steps.iter().any(|step| step.client == client) && (client > 1 || !user.is_witnessed) {
                    writeln!(f, "  user {} client {client}: {wire:?}", user.number)?;
                }
            }
        }
        let mut steps: Vec<_> =
            self.users.iter().flat_map(|user| user.steps.iter().map(move |step| (step.at, user.number, step))).collect();
        steps.sort_by_key(|(at, user, _)| (*at, *user));
        for (at, user, step) in steps {
            writeln!(f, "{:9.4}  user {user} client {}: {:?}", seconds(at), step.client, step.what)?;
        }
        write!(f, "{:9.4}  faults stop{}", seconds(self.ends_at), if self.drains { "; the server drains" } else { "" })
    }
}
