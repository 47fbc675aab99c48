//! The main test: a world drawn from a seed, on our graphs and on drawn ones, delays, fails, repeats, garbles, cancels, clears, switches and reloads, then lets the
//! session settle. A plain model keeps the books, and the journal is replayed. `SEED=17 cargo test simulation` repeats a failure.

use super::drawn;
use super::world::{World, ada};
use crate::contract::{
    Accepted, Answer, CallError, CallId, CallKind, ClientId, Control, Input, Limits, Memory, Outcome, Role, ToolCall, TurnId, What,
    WhileBusy,
};
use crate::graph::{shipped, shipped_with};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A small generator of numbers (xorshift64*), so that a seed means the same everywhere.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u64) as usize]
    }
}

fn limits() -> Limits {
    Limits { history_max: 20, traces_max: 5, waiting_max: 3, machines_max: 3, ..Limits::default() }
}

#[test]
fn whatever_happens_every_turn_ends_once_and_the_session_settles() {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => simulate(seed),
        None => (1..=300).for_each(simulate),
    }
}

fn simulate(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let limits = limits();
    let (library, graphs) = match dice.below(3) {
        0 => (shipped(), ["v3-framed", "v1-direct"]),
        1 => (shipped_with(marked), ["v3-framed", "v1-direct"]),
        _ => (drawn::library(&mut dice), ["one", "two"]),
    };
    let mut world = World::on(library, dice.pick(&graphs), limits.clone());
    world.is_reloading = seed.is_multiple_of(12);
    let mut begun = Vec::new();
    for _ in 0..150 {
        world.pass(dice.below(20_000));
        // The wall clock is set now and then, either way.
        if dice.below(10) == 0 {
            world.now.wall.0 = world.now.wall.0 + dice.below(7_200_000_000) - 3_600_000_000;
        }
        step(&mut world, &mut dice, &graphs, &mut begun);
        check_always(&world, &limits, seed);
    }
    loop {
        if let Some((call, _)) = world.out.pop_front() {
            world.complete(call, Ok(Answer { text: "{}".to_owned(), ..Answer::default() }));
        } else if let Some(due) = world.session.due() {
            assert!(world.session.is_paused(), "seed {seed}: nothing but a person is waited for");
            world.now.wall = world.now.wall.max(due);
            world.put(Input::Due);
        } else {
            break;
        }
    }
    assert!(!world.session.busy() && !world.session.memorizing(), "seed {seed}: the session settles");
    assert_eq!(world.session.processes(), [], "seed {seed}: no call is left");
    let ended: Vec<u64> = world.ends().iter().map(|(turn, _)| *turn).collect();
    assert_eq!(ended, begun, "seed {seed}: begun in order, ended once");
    check_streams(&world, seed);
    world.replay();
}

fn step(world: &mut World, dice: &mut Dice, graphs: &[&str; 2], begun: &mut Vec<u64>) {
    let input = match dice.below(20) {
        0..4 => {
            let text = dice.pick(&["hello", "why?", " ", "ünïcödé 🎲", "danke", "give me a lamp"]);
            Input::Message {
                text: text.to_owned(),
                dashboard: vec![json!({"type": "value"})],
                client_id: client_id(dice),
                while_busy: while_busy(dice),
                from: ada(),
            }
        }
        4..6 => {
            let action = dice.pick(&["on", "off", "red", "no such"]).to_owned();
            Input::Action { action, data: Value::Null, source: None, client_id: client_id(dice), while_busy: while_busy(dice), from: ada() }
        }
        6 if dice.below(2) == 0 => Input::Stop,
        6 => Input::StopRunning,
        14 if dice.below(2) == 0 => {
            let turn = (dice.below(2) == 0).then(|| TurnId(1 + dice.below(20)));
            Input::Retry { turn, client_id: client_id(dice), from: ada() }
        }
        14 => {
            let turn = world.session.history().get(dice.below(20) as usize).map_or(TurnId(1), |message| message.id);
            Input::Edit { turn, text: "changed".into(), dashboard: Vec::new(), client_id: client_id(dice), from: ada() }
        }
        7 if dice.below(4) == 0 => Input::Clear { from: ada() },
        8 if dice.below(4) == 0 => {
            Input::Switch { graph: dice.pick(&[graphs[0], graphs[1], "v9"]).to_owned(), keep: dice.below(2) == 0, from: ada() }
        }
        9 => Input::Cancel { call: CallId(dice.below(40)) },
        10 => Input::Chunk { call: CallId(dice.below(40)), text: "late or not".to_owned() },
        11 => Input::Attached { from: ada() },
        12 if dice.below(4) == 0 => Input::Drain { cut: dice.below(2) == 0, keeps: false },
        12 if dice.below(4) == 0 => {
            world.put(Input::Drain { cut: dice.below(2) == 0, keeps: true });
            // The calls that are out end with the process.
            world.out.clear();
            Input::Resumed { generation: 0, rerun: false }
        }
        13 if dice.below(4) == 0 => return load(world, dice, graphs),
        17 => Input::Due,
        15..17 if world.session.due().is_some() => {
            let waiting: Vec<CallId> = approvals(world).collect();
            let call = waiting[dice.below(waiting.len() as u64) as usize];
            Input::Approve { call, approved: dice.below(3) > 0, client_id: client_id(dice), from: ada() }
        }
        _ => return answer(world, dice),
    };
    match world.session.accepts(&input) {
        Err(_) => {}
        Ok(Accepted::Known { turn, .. }) => {
            assert!(begun.contains(&turn.0), "a known message has a turn");
            let seq = world.session.seq();
            world.put(input);
            assert_eq!(world.session.seq(), seq, "sending a message again starts nothing");
        }
        Ok(Accepted::Begins(turn)) => {
            begun.push(turn.0);
            world.put(input);
        }
        Ok(Accepted::Resumes(turn)) => {
            assert!(world.session.is_due(turn), "the turn that waits is the one that goes on");
            world.put(input);
        }
        Ok(Accepted::Plain) => world.put(input),
    }
}

/// A graph file in which tools, and the node that answers, need approvals.
fn marked(file: &str) -> String {
    let Ok(mut graph) = serde_json::from_str::<Value>(file) else { return file.to_owned() };
    let Some(nodes) = graph.get_mut("nodes").and_then(Value::as_array_mut) else { return file.to_owned() };
    for node in nodes {
        match node["kind"].as_str() {
            Some("thinker" | "agent") => {
                for tool in node["tools"].as_array_mut().into_iter().flatten().step_by(2) {
                    *tool = json!({"name": tool, "approve": {"expires": "1h"}});
                }
            }
            Some("output") => node["approve"] = json!(true),
            _ => {}
        }
    }
    graph.to_string()
}

fn approvals(world: &World) -> impl Iterator<Item = CallId> {
    let processes = world.session.processes().into_iter();
    processes.filter(|process| process.kind == CallKind::Approval).map(|process| process.pid)
}

/// The server loads other graphs of the same names; now and then one of them is gone, or nothing has changed.
fn load(world: &mut World, dice: &mut Dice, graphs: &[&str; 2]) {
    let library = match (graphs[0], dice.below(4)) {
        (_, 0) => world.libraries[0].clone(),
        ("one", _) => drawn::library(dice),
        _ => shipped_with(|file| file.replace("v1-direct", "v1-renamed").replace("# Role", "# Part")),
    };
    world.load(&library, limits());
}

/// Few enough that some come again.
fn client_id(dice: &mut Dice) -> Option<ClientId> {
    (dice.below(2) == 0).then(|| format!("tab:{}", dice.below(30)).parse().unwrap())
}

fn while_busy(dice: &mut Dice) -> Option<WhileBusy> {
    (dice.below(3) == 0).then(|| WhileBusy::ALL[dice.below(4) as usize])
}

/// Ends a call that is out, in any order and any way; now and then twice.
fn answer(world: &mut World, dice: &mut Dice) {
    if world.out.is_empty() {
        return;
    }
    let at = dice.below(world.out.len() as u64) as usize;
    let (call, request) = world.out.remove(at).expect("it is within");
    let outcome = match dice.below(12) {
        0 => Err(CallError::Truncated),
        1 => Err(CallError::Cancelled),
        2 => Ok(Answer { text: "gärbled {\"goal\":".to_owned(), ..Answer::default() }),
        3 => Ok(Answer::default()),
        4 => Ok(Answer { tool_calls: vec![tool_call(dice)], ..Answer::default() }),
        _ => Ok(Answer { text: fitting(&request.label(), dice), ..Answer::default() }),
    };
    for _ in 0..dice.below(3) {
        world.put(Input::Chunk { call, text: "word ".to_owned() });
    }
    world.complete(call, outcome.clone());
    if dice.below(5) == 0 {
        world.complete(call, outcome);
    }
}

fn fitting(node: &str, dice: &mut Dice) -> String {
    match node {
        "input" => json!({"intent": dice.pick(&["social", "question"]), "language": "en"}).to_string(),
        "director" => {
            let call = tool_call(dice);
            json!({"goal": "g", "tool_sequence": [{"tool": call.tool, "args": call.args}]}).to_string()
        }
        "thinker" => json!({"calls": [{"tool": "recall", "args": {"query": "lamp"}}]}).to_string(),
        "interpreter" => json!({"summary": dice.pick(&["s", "word word summary"])}).to_string(),
        "memorizer" => json!({"topic": "lamps", "facts": ["has a lamp"]}).to_string(),
        _ => "An answer.".to_owned(),
    }
}

fn tool_call(dice: &mut Dice) -> ToolCall {
    let states =
        json!({"off": {"buttons": [{"label": "On", "action": "on", "go": "on"}]}, "on": {"buttons": [{"label": "Off", "action": "off"}]}});
    let (tool, args) = match dice.below(7) {
        0 => ("create_machine", json!({"id": format!("m{}", dice.below(5)), "initial": "off", "states": states})),
        1 => ("destroy_machine", json!({"id": "m1"})),
        2 => ("emit_actions", json!({"actions": ["Red"]})),
        3 => ("set_state", json!({"key": "k", "value": dice.below(9)})),
        4 => ("recall", json!({"query": "lamp"})),
        5 => ("recall", Value::Null),
        _ => ("no_such_tool", json!({"x": [1]})),
    };
    ToolCall { id: "t".to_owned(), tool: tool.to_owned(), args }
}

/// What holds after every input.
fn check_always(world: &World, limits: &Limits, seed: u64) {
    let session = &world.session;
    assert!(session.history().len() <= limits.history_max && session.traces().count() <= limits.traces_max, "seed {seed}");
    assert!(session.ui().machines.len() <= limits.machines_max, "seed {seed}");
    let mut out: Vec<CallId> = world.out.iter().map(|(call, _)| *call).collect();
    let of_workers = session.processes().into_iter().filter(|process| process.kind != CallKind::Approval);
    let mut known: Vec<CallId> = of_workers.map(|process| process.pid).collect();
    out.sort();
    known.sort();
    assert_eq!(out, known, "seed {seed}: no call without someone who waits for it, and none forgotten");
    for trace in session.traces() {
        // It ran on one of the graphs that were loaded, from its beginning to its end.
        let graphs = world.libraries.iter().filter_map(|library| library.graph(&trace.graph));
        let paths = graphs.filter_map(|graph| graph.paths.iter().find(|path| path.name == trace.path));
        if trace.status == crate::contract::CallStatus::Done {
            let calls = trace.frames.iter().flat_map(|frame| &frame.calls).filter(|call| call.kind != CallKind::Approval).count();
            let is_stated = paths.into_iter().any(|path| trace.frames.len() == path.frames && calls <= path.calls as usize);
            assert!(is_stated, "seed {seed}: `{}` is a stated path, with its frames and within its budget", trace.path);
        }
    }
}

/// What watchers have seen, put together, is what the session holds.
fn check_streams(world: &World, seed: u64) {
    let seqs: Vec<u64> = world.events.iter().map(|event| event.seq.0).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: numbers go up");
    let shown = world.events.iter().rev().find_map(|event| match &event.what {
        What::Controls { controls } => Some(controls.to_vec()),
        _ => None,
    });
    let controls: Vec<Control> = world.session.controls();
    assert_eq!(shown.unwrap_or_default(), controls, "seed {seed}: watchers have the controls of the session");
    let last = |pick: fn(&What) -> Option<Value>| world.events.iter().rev().find_map(|event| pick(&event.what));
    let memory = last(|what| if let What::Memory { memory } = what { Some(json!(memory)) } else { None });
    assert_eq!(memory.unwrap_or(json!(Memory::initial("ada"))), json!(world.session.memory()), "seed {seed}: watchers have its memory");
    let machines = last(|what| if let What::Machines { machines } = what { Some(json!(machines)) } else { None });
    assert_eq!(machines.unwrap_or(json!([])), json!(world.session.ui().machines), "seed {seed}: watchers have its machines");
    let state = last(|what| if let What::State { state } = what { Some(json!(state)) } else { None });
    assert_eq!(state.unwrap_or(json!({})), json!(world.session.ui().state), "seed {seed}: watchers have its state");
    let mut answers: BTreeMap<u64, String> = BTreeMap::new();
    for event in &world.events {
        match &event.what {
            What::Streaming { text } => answers.entry(event.turn.0).or_default().push_str(text),
            What::Retold { text } => drop(answers.insert(event.turn.0, text.to_string())),
            _ => {}
        }
    }
    let mut tools = BTreeMap::new();
    let mut named = BTreeMap::new();
    let mut begun_as = BTreeMap::new();
    for event in &world.events {
        match &event.what {
            What::ToolCall { id, tool, .. } => assert!(tools.insert(*id, tool).is_none(), "seed {seed}: each call has an id of its own"),
            What::ToolResult { id, tool, .. } => assert_eq!(tools.get(id), Some(&tool), "seed {seed}: a result belongs to a call"),
            What::Accepted { client_id } => drop(named.entry(event.turn).or_insert(client_id)),
            What::TurnStarted { client_id, .. } => {
                assert_eq!(named.get(&event.turn).copied(), client_id.as_ref(), "seed {seed}: the client's id stays with its turn");
                begun_as.insert(event.turn, client_id);
            }
            // An answer to an approval has an id of its own, which its turn does not take.
            What::Done { client_id, .. } => assert_eq!(begun_as[&event.turn], client_id, "seed {seed}: and to its end"),
            _ => {}
        }
    }
    let started: Vec<u64> =
        world.events.iter().filter(|event| matches!(event.what, What::TurnStarted { .. })).map(|event| event.turn.0).collect();
    assert_eq!(started, world.ends().iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), "seed {seed}: what ends has started");
    let withdrawn: Vec<u64> =
        world.ends().into_iter().filter(|(_, outcome)| *outcome == Outcome::Withdrawn).map(|(turn, _)| turn).collect();
    let told: Vec<u64> =
        world.events.iter().filter(|event| matches!(event.what, What::Withdrawn { .. })).map(|event| event.turn.0).collect();
    assert_eq!(told, withdrawn, "seed {seed}: watchers learn of what is withdrawn");
    let is_withdrawn = |message: &&crate::contract::Message| withdrawn.contains(&message.id.0);
    assert_eq!(world.session.history().iter().find(is_withdrawn), None, "seed {seed}: nothing is left of it");
    // What watchers know of replaced and withdrawn turns is what the history has of them.
    let mut away = BTreeSet::new();
    for event in &world.events {
        match &event.what {
            What::Replaced { turns, .. } => away.extend(turns.iter().copied()),
            What::Withdrawn { restored } => {
                away.insert(event.turn);
                away.retain(|turn| !restored.contains(turn));
            }
            _ => {}
        }
    }
    let is_away = |message: &&crate::contract::Message| away.contains(&message.id);
    assert_eq!(world.session.history().iter().find(is_away), None, "seed {seed}: what was replaced is not in the history");
    for message in world.session.history().iter().filter(|message| message.role == Role::Assistant) {
        assert_eq!(answers.get(&message.id.0), Some(&message.content), "seed {seed}: what was streamed is what is kept");
        let end = world.ends().into_iter().find(|(turn, _)| *turn == message.id.0).map(|(_, outcome)| outcome);
        assert_eq!(message.partial, end != Some(Outcome::Answered), "seed {seed}: what was cut is marked");
    }
}
