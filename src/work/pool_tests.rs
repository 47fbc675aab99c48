//! The pool against a model that does what its question says.

use super::*;
use crate::contract::{ChatMessage, ModelRequest, Role, Text};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// Says what it is asked and answers; `panic` panics, `wait` waits until it is cancelled, `sleep` hears nothing until it is woken.
struct Told;

/// Wakes who sleeps.
static WOKEN: AtomicBool = AtomicBool::new(false);
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

impl Model for Told {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        match request.messages[0].text.to_string().as_str() {
            "panic" => panic!("a model that was told to panic"),
            "wait" => {
                call.say("waiting");
                while call.cancel.pause(Duration::from_secs(3600)) {}
                call.say("never heard");
                CallError::Truncated.into()
            }
            "sleep" => {
                call.say("asleep");
                while !WOKEN.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                }
                CallError::Truncated.into()
            }
            text => {
                call.say(text);
                Ended { usage: Usage { total_tokens: 1, ..Usage::default() }, outcome: Ok(Answer::default()) }
            }
        }
    }
}

fn pool(settings: Settings) -> Pool {
    Pool::new(settings, Box::new(|| Box::new(Told)))
}

fn request(role: &str, text: &str) -> Arc<Request> {
    Arc::new(Request::Model(ModelRequest {
        role: role.into(),
        stage: None,
        background: role == "memorizer",
        model: "fast".into(),
        messages: vec![ChatMessage::new(Role::User, Text::slot("message", text))],
        schema: None,
        tools: Arc::default(),
        stream: true,
        streamed_field: None,
        tokens_max: 1,
    }))
}

/// A started call, and what it says: `+text` for a chunk, its outcome in a word at the end.
fn start(pool: &Pool, role: &str, text: &str) -> Result<(CallHandle, Receiver<String>), CallError> {
    let (to, replies) = channel();
    let reply = move |reply| {
        let word = match reply {
            Reply::Chunk(text) => format!("+{text}"),
            Reply::Done { outcome: Ok(_), .. } => "answered".to_owned(),
            Reply::Done { outcome: Err(error), .. } => format!("{error:?}"),
        };
        to.send(word).unwrap();
    };
    Ok((pool.start(&"test".into(), request(role, text), Box::new(reply))?, replies))
}

fn next(replies: &Receiver<String>) -> String {
    replies.recv_timeout(PATIENCE).unwrap()
}

fn all(replies: &Receiver<String>) -> Vec<String> {
    replies.iter().collect()
}

#[test]
fn each_call_says_what_it_has_to_say_and_ends_once() {
    let pool = pool(Settings { workers_max: 2, ..Settings::default() });
    let calls: Vec<_> = (0..100).map(|n| (n, start(&pool, "output", &n.to_string()).unwrap())).collect();
    for (n, (_handle, replies)) in &calls {
        assert_eq!(all(replies), [format!("+{n}"), "answered".to_owned()]);
    }
    assert!(pool.workers() <= 2, "no more than may work at once");
}

#[test]
fn a_worker_that_panics_still_ends_its_call_and_goes_on() {
    let pool = pool(Settings { workers_max: 1, ..Settings::default() });
    for (text, replies) in [("panic", &["Panicked"][..]), ("a", &["+a", "answered"]), ("panic", &["Panicked"]), ("b", &["+b", "answered"])]
    {
        assert_eq!(all(&start(&pool, "output", text).unwrap().1), replies);
    }
}

#[test]
fn a_running_call_that_is_cancelled_ends_at_once_and_says_nothing_more() {
    let pool = pool(Settings::default());
    let (handle, replies) = start(&pool, "output", "wait").unwrap();
    assert_eq!(next(&replies), "+waiting");
    handle.cancel();
    handle.cancel();
    assert_eq!(all(&replies), ["Cancelled"]);
}

#[test]
fn a_waiting_call_that_is_cancelled_ends_while_all_workers_are_busy() {
    let pool = pool(Settings { workers_max: 1, queue_max: 1, ..Settings::default() });
    let (running, replies) = start(&pool, "output", "wait").unwrap();
    assert_eq!(next(&replies), "+waiting");
    let (waiting, waiting_replies) = start(&pool, "output", "a").unwrap();
    assert_eq!(start(&pool, "output", "b").err(), Some(CallError::Overloaded), "the line is full");
    waiting.cancel();
    assert_eq!(all(&waiting_replies), ["Cancelled"]);
    let (_handle, later) = start(&pool, "output", "c").expect("the place in the line is free again");
    running.cancel();
    assert_eq!(all(&later), ["+c", "answered"]);
    waiting.cancel();
}

#[test]
fn the_background_has_its_own_limit() {
    let pool = pool(Settings { workers_max: 1, background_max: 1, queue_max: 0, ..Settings::default() });
    let (background, replies) = start(&pool, "memorizer", "wait").unwrap();
    assert_eq!(next(&replies), "+waiting");
    assert_eq!(start(&pool, "memorizer", "a").err(), Some(CallError::Overloaded));
    assert_eq!(all(&start(&pool, "output", "b").unwrap().1), ["+b", "answered"]);
    background.cancel();
    assert_eq!(all(&replies), ["Cancelled"]);
}

#[test]
fn a_call_that_waits_too_long_for_a_worker_ends() {
    // Time enough for the first to begin.
    let call_time_max = Duration::from_secs(3);
    let pool = pool(Settings { workers_max: 1, call_time_max, ..Settings::default() });
    let (running, replies) = start(&pool, "output", "wait").unwrap();
    assert_eq!(next(&replies), "+waiting");
    let (_handle, late) = start(&pool, "output", "a").unwrap();
    thread::sleep(call_time_max);
    running.cancel();
    assert_eq!(all(&late), [r#"Deadline { waited: "a free worker" }"#]);
}

#[test]
fn a_worker_that_is_stuck_beyond_its_deadline_is_replaced() {
    // Time enough for what is not stuck.
    let call_time_max = Duration::from_secs(3);
    let pool = pool(Settings { workers_max: 1, call_time_max, ..Settings::default() });
    let (_stuck, stuck_replies) = start(&pool, "output", "sleep").unwrap();
    assert_eq!(next(&stuck_replies), "+asleep");
    let (_waits, waiting_replies) = start(&pool, "output", "a").unwrap();
    thread::sleep(call_time_max + LOST_AFTER + Duration::from_millis(100));
    assert_eq!(all(&start(&pool, "output", "b").unwrap().1), ["+b", "answered"], "while the other one sleeps");
    assert_eq!(all(&waiting_replies), [r#"Deadline { waited: "a free worker" }"#]);
    assert!(stuck_replies.try_recv().is_err(), "it is still asleep");
    assert_eq!(pool.workers(), 2);
    WOKEN.store(true, Ordering::Relaxed);
    assert_eq!(all(&stuck_replies), ["Truncated"]);
}

#[test]
fn workers_leave_when_there_is_nothing_to_do() {
    let pool = pool(Settings { rest_max: Duration::from_millis(10), ..Settings::default() });
    let calls: Vec<_> = (0..20).map(|_| start(&pool, "output", "wait").unwrap()).collect();
    assert!(calls.iter().all(|(_, replies)| next(replies) == "+waiting"));
    assert_eq!(pool.workers(), 20, "one each");
    calls.iter().for_each(|(handle, _)| handle.cancel());
    let begun = Instant::now();
    while pool.workers() > 0 {
        assert!(begun.elapsed() < PATIENCE, "{} workers stay", pool.workers());
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(all(&start(&pool, "output", "a").unwrap().1), ["+a", "answered"], "and come back");
}

#[test]
fn a_call_tells_how_long_it_stood_in_line() {
    let pool = pool(Settings { workers_max: 1, ..Settings::default() });
    let (running, replies) = start(&pool, "output", "wait").unwrap();
    assert_eq!(next(&replies), "+waiting");
    let (to, ended) = channel();
    let reply = move |reply| {
        if let Reply::Done { waited, .. } = reply {
            to.send(waited).unwrap();
        }
    };
    let _handle = pool.start(&"test".into(), request("output", "a"), Box::new(reply)).unwrap();
    let stood = Duration::from_millis(30);
    thread::sleep(stood);
    running.cancel();
    assert!(ended.recv().unwrap() >= stood);
}

/// Says its name.
struct Named(&'static str);

impl Model for Named {
    fn answer(&mut self, _request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        call.say(self.0);
        Ended { usage: Usage::default(), outcome: Ok(Answer::default()) }
    }
}

#[test]
fn models_that_were_changed_answer_from_the_next_call_on_also_on_a_worker_that_rests() {
    let pool = Pool::new(Settings { workers_max: 1, ..Settings::default() }, Box::new(|| Box::new(Named("one"))));
    let ask = || {
        let (to, heard) = channel();
        let reply = move |reply| {
            if let Reply::Chunk(text) = reply {
                to.send(text).unwrap();
            }
        };
        pool.start(&"session".into(), request("agent", "who?"), Box::new(reply)).unwrap();
        heard.recv_timeout(PATIENCE).unwrap()
    };
    assert_eq!([ask(), ask()], ["one", "one"]);
    pool.change_models(Box::new(|| Box::new(Named("two"))));
    assert_eq!([ask(), ask()], ["two", "two"]);
}

#[test]
fn other_limits_count_from_now_on_and_calls_that_run_or_wait_go_on() {
    let few = PoolLimits { workers_max: 1, background_max: 1, queue_max: 2, call_time_max: Duration::from_secs(60) };
    let PoolLimits { workers_max, background_max, queue_max, call_time_max } = few;
    let pool = pool(Settings { workers_max, background_max, queue_max, call_time_max, ..Settings::default() });
    let waits = || start(&pool, "output", "wait").unwrap();
    let calls = [waits(), waits(), waits()];
    let says = |number: usize| {
        let (_, replies): &(CallHandle, Receiver<String>) = &calls[number];
        replies.recv_timeout(Duration::from_millis(50)).ok()
    };
    assert_eq!(next(&calls[0].1), "+waiting");
    assert_eq!((says(1), start(&pool, "output", "a").err()), (None, Some(CallError::Overloaded)), "one runs, and two wait");
    pool.change_limits(PoolLimits { workers_max: 2, ..few });
    assert_eq!((next(&calls[1].1), says(2)), ("+waiting".to_owned(), None), "there is room for one more");
    let fourth = waits();
    pool.change_limits(PoolLimits { workers_max: 1, queue_max: 1, call_time_max: Duration::from_secs(7), ..few });
    assert_eq!(start(&pool, "output", "a").err(), Some(CallError::Overloaded));
    assert_eq!(pool.deadline(&request("output", "a")), Duration::from_secs(7));
    calls[0].0.cancel();
    assert_eq!((all(&calls[0].1), says(2)), (vec!["Cancelled".to_owned()], None), "one runs still, which is the most");
    calls[1].0.cancel();
    assert_eq!((all(&calls[1].1), next(&calls[2].1)), (vec!["Cancelled".to_owned()], "+waiting".to_owned()));
    calls[2].0.cancel();
    assert_eq!(next(&fourth.1), "+waiting");
    fourth.0.cancel();
}
