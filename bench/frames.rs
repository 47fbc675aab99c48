//! Turns and frames per second of the engine alone, for each path, beside a bare state machine.
//!
//! The engine side is a whole session: real graphs, prompts and schemas, a history at its bound, JSON answers as a model
//! writes them, every effect taken. The bare side is what is left when all of that is written out by hand for one path: the
//! same JSON parsed, the same texts copied into the same requests and records, no graph, no view, no events for watchers.
//!
//! `cargo bench --bench frames` measures; `cargo test --benches` runs it small. `bench/instructions` counts instructions.
#![allow(clippy::print_stdout)] // A benchmark is a program that prints.

use framewright::contract::{
    Answer, Button, CallId, Caller, Effect, Event, Input, Limits, Memory, MemoryPatch, Message, Moment, Now, Role, Time, TurnId, Usage,
    VERSION, What,
};
use framewright::engine::Session;
use framewright::graph::Library;
use framewright::nodes::{Decision, Interpretation, Perception};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const PERCEIVED: &str = r#"{"who":"Ada","language":"en","intent":"question","topic":"heating bills","tone":"neutral","complexity":"simple","context":"They go on about the houses in Graz that they spoke of before."}"#;
const SOCIAL: &str =
    r#"{"who":"Ada","language":"en","intent":"social","topic":"small talk","tone":"friendly","complexity":"trivial","context":""}"#;
const DECIDED: &str = r#"{"goal":"Explain in a few sentences why the heating bill of a house rises in a mild winter: prices per unit, the fixed part of the costs, and estimated readings.","steps":["name the three causes","say how to check each"],"tool_sequence":[],"present_as":"text","reason":"A plain question that needs no data."}"#;
const RECALLING: &str = r#"{"goal":"Tell the user what they said about the houses in Graz, and nothing else.","steps":["look it up","tell it"],"tool_sequence":[{"tool":"recall","args":{"query":"houses Graz"}}],"present_as":"text","reason":"It was said earlier, so it has to be looked up."}"#;
const SHOWING: &str = r#"{"goal":"Say that the two buttons are there.","steps":["show buttons"],"tool_sequence":[{"tool":"emit_actions","args":{"actions":[{"label":"Red","action":"red"},{"label":"Blue","action":"blue"}]}},{"tool":"create_machine","args":{"id":"lamp","initial":"off","states":{"off":{"buttons":[{"label":"On","action":"flip","go":"on"}]},"on":{"buttons":[{"label":"Off","action":"flip","go":"off"}]}}}}],"present_as":"buttons","reason":"The user asked for buttons."}"#;
/// Before the summary, which is the answer.
const FOUND: &str = r#"{"findings":["user: \"I look after 40 houses in Graz\""],"summary":"#;
const REMEMBERED: &str = r#"{"topic":"heating bills","facts":["looks after 40 houses in Graz"]}"#;
/// An answer of twenty words, as it is streamed.
const WORDS: usize = 20;
const WORD: &str = "winter ";

struct Case {
    name: &'static str,
    graph: &'static str,
    input: Begins,
    answers: &'static [Says],
    frames: u64,
}

#[derive(Clone, Copy)]
enum Begins {
    Message(&'static str),
    Action(&'static str),
}

#[derive(Clone, Copy)]
enum Says {
    Json(&'static str),
    Stream,
    /// JSON with a field that is streamed.
    Spoken,
}

const QUESTION: &str = "why did the heating bill of the house in the Elisabethstraße rise although the winter was mild?";

const CASES: &[Case] = &[
    Case {
        name: "reflex",
        graph: "v3-framed",
        input: Begins::Message("how are you doing today?"),
        answers: &[Says::Json(SOCIAL), Says::Stream],
        frames: 2,
    },
    Case {
        name: "director",
        graph: "v3-framed",
        input: Begins::Message(QUESTION),
        answers: &[Says::Json(PERCEIVED), Says::Json(DECIDED), Says::Stream],
        frames: 4,
    },
    Case {
        name: "director+interpreter",
        graph: "v3-framed",
        input: Begins::Message("what did I tell you about the houses in Graz?"),
        answers: &[Says::Json(PERCEIVED), Says::Json(RECALLING), Says::Spoken],
        frames: 5,
    },
    Case { name: "machine", graph: "v3-framed", input: Begins::Action("flip"), answers: &[], frames: 1 },
    Case { name: "direct", graph: "v1-direct", input: Begins::Message(QUESTION), answers: &[Says::Stream], frames: 1 },
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `--only engine|bare NAME TURNS` runs one side once: what `bench/instructions` counts.
    if let Some(at) = arguments.iter().position(|argument| argument == "--only") {
        let [side, name, turns] = &arguments[at + 1..at + 4] else { panic!("--only engine|bare NAME TURNS") };
        let case = CASES.iter().find(|case| case.name == name).expect("a path's name");
        let turns = turns.parse().expect("a number of turns");
        println!("{:x}", if side == "bare" { bare(case, turns) } else { engine(case, turns) });
        return;
    }
    let is_real = arguments.iter().any(|argument| argument == "--bench");
    let (turns, pairs) = if is_real { (5_000, 9) } else { (20, 1) };
    println!("{:<22} {:>10} {:>12} {:>12} {:>10} {:>7}  hash", "path", "turns/s", "frames/s", "us/turn", "bare us", "ratio");
    for case in CASES {
        let mut ratios = Vec::new();
        let mut times = Vec::new();
        let mut hash = 0;
        for _ in 0..pairs {
            let (bare_us, bare_hash) = timed(|| bare(case, turns));
            let (engine_us, engine_hash) = timed(|| engine(case, turns));
            assert_eq!(bare_hash, engine_hash, "both sides did the same work");
            hash = engine_hash;
            ratios.push(engine_us / bare_us);
            times.push((engine_us / turns as f64, bare_us / turns as f64));
        }
        let (engine_us, bare_us) = (median(times.iter().map(|time| time.0)), median(times.iter().map(|time| time.1)));
        let per_second = 1e6 / engine_us;
        println!(
            "{:<22} {per_second:>10.0} {:>12.0} {engine_us:>12.2} {bare_us:>10.2} {:>7.2}  {hash:016x}",
            case.name,
            per_second * case.frames as f64,
            median(ratios)
        );
    }
}

fn timed(run: impl FnOnce() -> u64) -> (f64, u64) {
    let start = Instant::now();
    let hash = black_box(run());
    (start.elapsed().as_nanos() as f64 / 1e3, hash)
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// FNV-1a over what people see: the work that both sides have to agree on.
struct Hash(u64);

impl Hash {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn library() -> Arc<Library> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let mut files = BTreeMap::new();
    for folder in ["", "prompts/", "schemas/"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("graphs/ is there") {
            let path = entry.expect("it can be read").path();
            if path.is_file() {
                let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
                files.insert(format!("{folder}{name}"), std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    Arc::new(Library::load(&files).expect("the shipped graphs load"))
}

fn caller() -> Caller {
    Caller { identity: "Ada".into(), channel: "http://127.0.0.1:7878".into(), utc_offset_minutes: 60, trace: None }
}

/// The whole engine.
fn engine(case: &Case, turns: u64) -> u64 {
    let library = library();
    let mut session = Session::new(library.clone(), case.graph, &caller());
    let mut now = Now { moment: Moment(0), wall: Time(1_763_668_166_000_000) };
    let mut effects = Vec::new();
    let hash = library.hash().to_owned();
    let opened = Input::Opened {
        version: VERSION,
        library: hash,
        graph: case.graph.into(),
        databases: Vec::new(),
        limits: Limits::default(),
        from: caller(),
        generation: 0,
    };
    session.handle(now, opened, &mut effects);
    if let Begins::Action(_) = case.input {
        play(&mut session, &mut now, &mut effects, Begins::Message("a lamp"), &[Says::Json(PERCEIVED), Says::Json(SHOWING), Says::Stream]);
    }
    let mut seen = Hash(0xcbf2_9ce4_8422_2325);
    for _ in 0..turns {
        effects.clear();
        play(&mut session, &mut now, &mut effects, case.input, case.answers);
        for effect in &effects {
            if let Effect::Emit(Event { what: What::Streaming { text }, .. }) = effect {
                seen.add(text);
            }
        }
        let trace = session.traces().next_back().expect("a turn has ended");
        assert_eq!(trace.frames.len() as u64, case.frames, "{}", trace.path);
        seen.add(&trace.path);
    }
    seen.0
}

fn pass(now: &mut Now, time_us: u64) {
    now.moment.0 += time_us;
    now.wall.0 += time_us;
}

/// One turn: the answers come as soon as they are asked for, the memorizer's too.
fn play(session: &mut Session, now: &mut Now, effects: &mut Vec<Effect>, input: Begins, answers: &[Says]) {
    let input = match input {
        Begins::Message(text) => {
            Input::Message { text: text.to_owned(), dashboard: Vec::new(), client_id: None, while_busy: None, from: caller() }
        }
        Begins::Action(action) => {
            Input::Action { action: action.to_owned(), data: Value::Null, source: None, client_id: None, while_busy: None, from: caller() }
        }
    };
    session.accepts(&input).expect("it can be taken");
    pass(now, 50);
    let mut looked_at = effects.len();
    session.handle(*now, input, effects);
    let mut answers = answers.iter();
    while let Some((call, at)) = effects[looked_at..].iter().enumerate().find_map(|(at, effect)| match effect {
        Effect::Call { id, .. } => Some((*id, looked_at + at)),
        Effect::Cancel { .. } | Effect::Emit(_) => None,
    }) {
        looked_at = at + 1;
        answer(session, now, effects, call, *answers.next().unwrap_or(&Says::Json(REMEMBERED)));
    }
}

fn answer(session: &mut Session, now: &mut Now, effects: &mut Vec<Effect>, call: CallId, says: Says) {
    let mut answer = Answer { model: "bench".to_owned(), ..Answer::default() };
    match says {
        Says::Json(text) => answer.text = text.to_owned(),
        Says::Stream | Says::Spoken => {
            for _ in 0..WORDS {
                pass(now, 10);
                session.handle(*now, Input::Chunk { call, text: WORD.to_owned() }, effects);
            }
            if let Says::Spoken = says {
                answer.text = interpreted();
            }
        }
    }
    let usage = Usage { prompt_tokens: 900, completion_tokens: 60, total_tokens: 960, ..Usage::NONE };
    pass(now, 100);
    session.handle(*now, Input::Completion { call, usage, waited_us: 0, outcome: Ok(answer) }, effects);
}

/// What an interpreter writes.
fn interpreted() -> String {
    format!("{FOUND}\"{}\"}}", WORD.repeat(WORDS))
}

/// The same path written out by hand.
fn bare(case: &Case, turns: u64) -> u64 {
    let mut machine = Bare::new();
    let mut seen = Hash(0xcbf2_9ce4_8422_2325);
    for turn in 1..=turns {
        machine.turn(case, TurnId(turn), &mut seen);
        seen.add(case.name);
    }
    seen.0
}

/// What a path needs when nothing is general: the history, the memory, the records of 20 turns.
struct Bare {
    now: u64,
    history: VecDeque<Message>,
    memory: Memory,
    kept: VecDeque<BareTrace>,
    lamp_is_on: bool,
}

/// The records, requests and answers of one turn, as a trace keeps them.
#[derive(Default)]
struct BareTrace {
    frames: Vec<(u32, String, u64, u64, String)>,
    calls: Vec<(Vec<String>, String)>,
    _message: String,
    _answer: String,
}

impl Bare {
    fn new() -> Bare {
        Bare { now: 0, history: VecDeque::new(), memory: Memory::initial("Ada"), kept: VecDeque::new(), lamp_is_on: false }
    }

    fn turn(&mut self, case: &Case, id: TurnId, seen: &mut Hash) {
        let mut trace = BareTrace::default();
        let message = match case.input {
            Begins::Message(text) => text,
            Begins::Action(action) => {
                self.lamp_is_on = !self.lamp_is_on;
                let label = if self.lamp_is_on { "Off" } else { "On" };
                let controls: Arc<[Button]> = ["Red", "Blue", label].map(|label| Button::new(label, action)).into();
                black_box(controls);
                self.frame(&mut trace, "ui", action);
                self.keep(trace);
                return;
            }
        };
        self.history.push_back(Message::new(Role::User, message, id));
        for says in case.answers {
            match says {
                Says::Stream | Says::Spoken => {
                    self.ask(&mut trace, message, "");
                    if case.graph == "v1-direct" {
                        let turns: Vec<String> = self.history.iter().rev().take(40).map(|message| message.content.clone()).collect();
                        trace.calls.push((black_box(turns), String::new()));
                    }
                    let mut answer = String::new();
                    for _ in 0..WORDS {
                        let word: Arc<str> = WORD.into();
                        seen.add(&word);
                        answer.push_str(&word);
                    }
                    if let Says::Spoken = says {
                        let interpretation: Interpretation = serde_json::from_str(&interpreted()).expect("an interpretation");
                        self.frame(&mut trace, "interpreter", &interpretation.summary);
                        answer = interpretation.summary;
                    }
                    self.frame(&mut trace, "output", &answer);
                    trace.calls.last_mut().expect("it was asked").1.clone_from(&answer);
                    self.history.push_back(Message::new(Role::Assistant, answer.clone(), id));
                    trace._answer = answer;
                }
                Says::Json(text) => {
                    self.ask(&mut trace, message, text);
                    self.read(&mut trace, text, message);
                }
            }
        }
        self.ask(&mut trace, message, REMEMBERED);
        let patch: MemoryPatch = serde_json::from_str(REMEMBERED).expect("a patch");
        self.memory.apply(patch, 50);
        while self.history.len() > 200 {
            self.history.pop_front();
        }
        self.keep(trace);
    }

    /// Parses the answer and writes its frame down; a plan's tool runs here.
    fn read(&self, trace: &mut BareTrace, text: &str, message: &str) {
        match text {
            PERCEIVED | SOCIAL => {
                let perception: Perception = serde_json::from_str(text).expect("a perception");
                self.frame(trace, "input", &perception.topic);
                black_box(perception);
            }
            plan => {
                let decision: Decision = serde_json::from_str(plan).expect("a decision");
                self.frame(trace, "director", &decision.goal);
                for call in &decision.tool_sequence {
                    let query = call.args["query"].as_str().unwrap_or_default().to_lowercase();
                    let words: Vec<&str> = query.split(' ').collect();
                    let found: Vec<&Message> =
                        self.history.iter().filter(|m| words.iter().any(|word| m.content.to_lowercase().contains(word))).collect();
                    black_box(serde_json::to_string(&found[found.len().saturating_sub(8)..]).expect("plain data"));
                }
                self.frame(trace, "thinker", message);
                black_box(decision);
            }
        }
    }

    /// The changing texts of a request: memory, history, screen, message.
    fn ask(&self, trace: &mut BareTrace, message: &str, answer: &str) {
        let memory = serde_json::to_string(&self.memory).expect("plain data");
        let lines: Vec<String> = self.history.iter().rev().take(12).map(|m| format!("user: {}", m.content.replace('\n', " "))).collect();
        let request = vec![memory, lines.join("\n"), r#"{"controls":[],"machines":[],"state":{}}"#.to_owned(), message.to_owned()];
        trace.calls.push((black_box(request), answer.to_owned()));
    }

    fn frame(&self, trace: &mut BareTrace, node: &str, summary: &str) {
        let number = trace.frames.len() as u32 + 1;
        trace.frames.push((number, node.to_owned(), self.now, self.now + 100, summary.to_owned()));
    }

    fn keep(&mut self, trace: BareTrace) {
        self.now += 100;
        self.kept.push_back(trace);
        if self.kept.len() > 20 {
            self.kept.pop_front();
        }
    }
}
