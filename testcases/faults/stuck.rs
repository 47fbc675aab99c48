//! Workers that are all busy, that panic, or that hear nothing any more.

use crate::support::{Conversation, answer_text, eventually};
use crate::world::{HEALTH_TIME_MAX, Model, Pulse, QUESTION, assert_is_a_sentence};
use framewright::contract::ModelRequest;
use framewright::graph::Library;
use framewright::shell::{self, Settings};
use framewright::work::demo::{Demo, slots_of};
use framewright::work::{self, Call, Ended, Pool};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn greetings_and_machines_answer_while_every_worker_is_stuck() {
    let model = Model::start(0);
    for workers in ["1", "2"] {
        // Long enough for all that happens meanwhile.
        let server = model.server(&["--workers", workers, "--first-token-ms", "10000", "--call-ms", "12000"]);
        let machine = server.session("machine");
        machine.ask("make a traffic light");
        machine.memorized();
        let controls = machine.read("/api/state")["controls"].clone();
        let is_machines = |control: &&Value| control["source"].as_str().is_some_and(|source| source.starts_with("machine:"));
        let button = controls.as_array().unwrap().iter().find(is_machines).unwrap_or_else(|| panic!("a machine's button: {controls}"));
        let pulse = Pulse::of(&server);
        // One more than there are workers: the last one waits for a worker in vain.
        let count = workers.parse::<usize>().unwrap() + 1;
        let stuck: Vec<_> = (0..count).map(|number| server.session(&format!("stuck-{number}"))).collect();
        stuck.iter().for_each(|session| drop(session.send(&format!("fault:hang@input.head {QUESTION}"))));
        model.number_of("input");
        let greeting = server.session("greeting");
        let trace = greeting.ask("hello");
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("reflex"), &json!(2)));
        let mut chat = machine.attached();
        chat.say(&json!({ "type": "action", "action": button["action"], "source": button["source"] }));
        let done = chat.until(|message| message["type"] == "done").pop().unwrap();
        assert!(done["error"].is_null() && done["refused"].is_null(), "{done}");
        let frames = machine.read("/api/frames?last=1")["last_trace"]["total_frames"].clone();
        assert_eq!(frames, 1, "a machine's own button is one frame");
        assert!(stuck.iter().any(|session| session.result()["status"] == "running"), "all the while the others wait");
        for session in &stuck {
            let result = session.result_of("msg_1");
            assert_is_a_sentence(&result["detail"], "stuck");
        }
        let (median, _) = pulse.end();
        assert!(median < HEALTH_TIME_MAX, "{median:?}");
        stuck[0].ask(QUESTION);
    }
}

/// The demo model, but for what the message says of it.
struct Broken(Demo, Arc<Sleep>);

/// Of a worker that hears nothing until it is woken up.
#[derive(Default)]
struct Sleep {
    is_woken: AtomicBool,
    has_said: AtomicBool,
}

impl work::Model for Broken {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        let question = slots_of(&request.messages).slots.remove("message").unwrap_or_default();
        if &*request.role == "output" && question.contains("panic now") {
            call.say("This much and ");
            panic!("a worker that was told to panic at sk-inside");
        }
        if &*request.role == "output" && question.contains("hear nothing") {
            // As a system call that can't be broken off: neither a deadline nor a cancellation ends it.
            eventually("the end of the test", || self.1.is_woken.load(Ordering::Relaxed).then_some(()));
            let ended = work::Model::answer(&mut self.0, request, call);
            self.1.has_said.store(true, Ordering::Relaxed);
            return ended;
        }
        work::Model::answer(&mut self.0, request, call)
    }
}

fn library() -> Arc<Library> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    Arc::new(Library::load(&files).unwrap())
}

#[test]
fn a_worker_that_panics_or_hears_nothing_costs_one_user_one_sentence() {
    // What is not stuck ends long before.
    let deadline = Duration::from_secs(5);
    let settings = work::Settings { workers_max: 8, call_time_max: deadline, ..work::Settings::default() };
    let sleep = Arc::<Sleep>::default();
    let of_workers = sleep.clone();
    let pool = Pool::new(settings, Box::new(move || Box::new(Broken(Demo::new(Duration::ZERO), of_workers.clone()))));
    let listen = "127.0.0.1:0".parse().unwrap();
    let rules = shell::rules(library(), "v3-framed", &pool);
    let server = shell::serve(Settings { shards: 2, ..Settings::new(listen, pool) }, rules).unwrap();
    let says = [("panic now", "Something broke inside this server"), ("hear nothing", "The model took too long")];
    for (text, sentence) in says {
        let session = Conversation::new(server.places()[0].tcp().unwrap(), &text.replace(' ', "-"));
        let beside = Conversation::new(server.places()[0].tcp().unwrap(), "beside");
        let mut chat = session.attached();
        chat.say(&json!({ "text": format!("{text}, please") }));
        let beside_trace = beside.ask(QUESTION);
        assert_eq!(beside_trace["status"], "done");
        let messages = chat.until_done("msg_1");
        let done = &messages[messages.len() - 1];
        assert!(done["error"].as_str().unwrap().starts_with(sentence), "{done}");
        assert_is_a_sentence(&done["error"], text);
        let shown = answer_text(&messages, "msg_1");
        if !shown.is_empty() {
            let kept = session.messages().pop().unwrap();
            assert_eq!((&kept["content"], &kept["partial"]), (&json!(shown), &json!(true)));
        }
        chat.say(&json!({ "text": QUESTION }));
        let next = chat.until_done("msg_2");
        assert_eq!(next[next.len() - 1]["error"], Value::Null, "{text}: the next message works");
    }
    // The shard did not wait for it; what the worker says when it wakes up is heard by nobody.
    assert!(!sleep.has_said.load(Ordering::Relaxed));
    sleep.is_woken.store(true, Ordering::Relaxed);
    eventually("the worker's words", || sleep.has_said.load(Ordering::Relaxed).then_some(()));
    let session = Conversation::new(server.places()[0].tcp().unwrap(), "hear-nothing");
    let history = session.messages();
    let ids: Vec<_> = history.iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["msg_1", "msg_2", "msg_2"], "{history:?}");
    server.stopper().stop();
    server.wait();
}
