//! Every fault at every place of a call: one `done`, a sentence, the next message works, and nobody else notices.

use crate::support::{Conversation, Server, answer_text};
use crate::world::{
    CALL_MS, GRACE_MS, HEALTH_TIME_MAX, Healthy, Model, Pulse, QUESTION, Vitals, all_of, assert_is_a_sentence,
    assert_shows_nothing_of_the_inside,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// As `../model/fault.rs` knows them.
const FAULTS: &[&str] = &[
    "hang",
    "slow",
    "drip",
    "tokens",
    "reset",
    "cut",
    "ended",
    "error",
    "unframed",
    "html",
    "utf8",
    "line",
    "huge",
    "comments",
    "args",
    "framing",
    "binary",
    "headers",
    "empty",
    "shape",
    "302",
    "400",
    "401",
    "404",
    "429",
    "429-after",
    "429-late",
    "429-quota",
    "500",
    "503",
];

/// A role and a point of its call: before the head, behind it, in the middle of the answer, behind its finish.
const PLACES: &[&str] = &[
    "input.head",
    "input.start",
    "input.middle",
    "input.end",
    "director.head",
    "director.start",
    "director.middle",
    "director.end",
    "output.head",
    "output.start",
    "output.middle",
    "output.end",
    "pa.head",
    "pa.middle",
    "pa.end",
    "agent.head",
    "agent.start",
    "agent.middle",
    "agent.end",
    "memorizer.head",
    "memorizer.middle",
];

/// Cases at once.
const LANES: usize = 24;

/// How long a server keeps workers that have nothing to do, and some more.
const REST: Duration = Duration::from_secs(180);

/// What a session of two turns may keep, on average.
const SESSION_KB_MAX: u64 = 256;

#[test]
fn every_fault_at_every_place_ends_in_one_sentence_and_costs_nobody_else_anything() {
    let model = Model::start(0);
    let server = model.server(&[]);
    server.session("first").ask(QUESTION);
    let before = Vitals::of(server.pid());
    let cases: Vec<(&str, &str)> = FAULTS.iter().flat_map(|fault| PLACES.iter().map(move |place| (*fault, *place))).collect();
    let (pulse, healthy) = (Pulse::of(&server), [0, 1].map(|number| Healthy::in_session(server.address, &format!("healthy-{number}"))));
    let (begun, next, failed) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((fault, place)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    failed.fetch_add(usize::from(run(&server, fault, place)), Ordering::Relaxed);
                }
            });
        }
    });
    let (median, asked) = pulse.end();
    let turns: usize = healthy.into_iter().map(Healthy::end).sum();
    println!(
        "faults: {} faults x {} places = {} cases in {:.0?}, {} failed turns; health: median {median:.1?} of {asked}; {turns} turns beside",
        FAULTS.len(),
        PLACES.len(),
        cases.len(),
        begun.elapsed(),
        failed.load(Ordering::Relaxed),
    );
    assert!(median < HEALTH_TIME_MAX, "the server's health was told in {median:?}");
    assert!(turns > 0, "another session goes on");
    let after = come_back(&server, before, cases.len() as u64);
    println!("faults: before {before:?}, after {after:?}");
    // The log tells an operator the cause, but never a key or what a user wrote.
    let said = server.said();
    for secret in ["sk-inside", "sky blue"] {
        assert!(!said.contains(secret), "`{secret}` is in the log");
    }
    assert!(said.contains("model call failed"), "the log tells the causes");
}

/// Those that could fill something, at places where nothing of them is shown and so nothing kept.
const HEAVY: &[(&str, &str)] = &[
    ("huge", "input.start"),
    ("line", "output.start"),
    ("comments", "director.middle"),
    ("headers", "output.head"),
    ("huge", "director.middle"),
    ("framing", "output.head"),
    ("reset", "input.head"),
];

const ROUNDS: usize = 8;

#[test]
fn what_comes_again_and_again_leaves_nothing_behind() {
    let model = Model::start(0);
    let server = model.server(&["--workers", "4", "--retries", "0"]);
    let rounds = || {
        thread::scope(|scope| {
            for lane in ["one", "two"] {
                let session = server.session(lane);
                scope.spawn(move || {
                    for (fault, place) in (0..ROUNDS).flat_map(|_| HEAVY) {
                        let id = session.send(&format!("fault:{fault}@{place} {QUESTION}"));
                        assert_is_a_sentence(&session.result_of(&id)["detail"], fault);
                    }
                });
            }
        });
        Vitals::of(server.pid())
    };
    let (first, second) = (rounds(), rounds());
    println!("faults: {first:?} after {} of the heaviest, {second:?} after as many again", 2 * ROUNDS * HEAVY.len());
    assert!(second.memory_kb < first.memory_kb + (16 << 10), "{first:?}, then {second:?}");
    assert!(second.descriptors <= first.descriptors + 8, "{first:?}, then {second:?}");
    assert!(second.threads <= first.threads + 4, "{first:?}, then {second:?}");
}

/// One case; whether its turn failed.
fn run(server: &Server, fault: &str, place: &str) -> bool {
    let about = format!("{fault} at {place}");
    let session = server.session(&about.replace([' ', '.'], "-"));
    for (role, graph) in [("agent", "v1-direct"), ("pa", "v4-eras")] {
        if place.split('.').next() == Some(role) {
            session.post("/api/graph/switch", &json!({ "name": graph }));
        }
    }
    let mut chat = session.attached();
    chat.say(&json!({ "text": format!("fault:{fault}@{place} {QUESTION}") }));
    let mut messages = chat.until_done("msg_1");
    let done = messages[messages.len() - 1].clone();
    let has_failed = !done["error"].is_null();
    if has_failed {
        assert_is_a_sentence(&done["error"], &about);
    }
    assert_eq!(done["cancelled"], Value::Null, "{about}: {done}");
    if place.starts_with("memorizer") {
        assert!(!has_failed, "{about}: the answer was given before: {done}");
    } else if place.ends_with("end") && ["hang", "cut", "ended", "drip"].contains(&fault) {
        assert!(!has_failed, "{about}: the answer was whole: {done}");
    }
    assert_kept(&session, &answer_text(&messages, "msg_1"), has_failed, &about);
    session.memorized();
    chat.say(&json!({ "text": QUESTION }));
    let next = chat.until_done("msg_2");
    assert!(
        next[next.len() - 1]["error"].is_null() && !answer_text(&next, "msg_2").is_empty(),
        "{about}: the next message works: {next:?}"
    );
    messages.extend(next);
    let ends = messages.iter().filter(|message| message["type"] == "done").count();
    assert_eq!(ends, 2, "{about}: one end for each turn: {messages:?}");
    assert_shows_nothing_of_the_inside(&format!("{messages:?} {}", all_of(&session)), &about);
    has_failed
}

/// The history holds what was shown, and each call ended in its time.
fn assert_kept(session: &Conversation, shown: &str, has_failed: bool, about: &str) {
    let trace = session.trace_of("msg_1");
    assert_eq!(trace["status"], if has_failed { "error" } else { "done" }, "{about}: {trace}");
    let calls = trace["frames"].as_array().unwrap().iter().flat_map(|frame| frame["calls"].as_array().unwrap());
    for call in calls {
        let time = call["duration_ms"].as_f64().unwrap();
        assert!(time < (CALL_MS + GRACE_MS) as f64, "{about}: {call}");
    }
    let kept = session.messages();
    let last = &kept[kept.len() - 1];
    assert_eq!(last["partial"] == true, has_failed, "{about}: {kept:?}");
    match shown.is_empty() {
        true => assert_eq!(last["role"], "user", "{about}: {kept:?}"),
        false => assert_eq!(last["content"], shown, "{about}"),
    }
}

/// Waits until the server holds what it held before.
fn come_back(server: &Server, before: Vitals, sessions: u64) -> Vitals {
    let begun = Instant::now();
    loop {
        let now = Vitals::of(server.pid());
        let is_back = now.threads <= before.threads && now.descriptors <= before.descriptors;
        // Sessions stay, with what they keep of their turns.
        if is_back && now.memory_kb < before.memory_kb + sessions * SESSION_KB_MAX {
            return now;
        }
        assert!(begun.elapsed() < REST, "the server held {before:?} before, and holds {now:?} now");
        thread::sleep(Duration::from_millis(200));
    }
}
