//! A world for one session: it plays browser and worker pool, keeps the journal, and replays it at the end.

use crate::contract::{
    Answer, CallError, CallId, CallKind, Caller, Control, DatabaseInfo, Dialect, Effect, Event, Input, Limits, ModelRequest, Moment, Now,
    Outcome, Request, Role, Time, Trace, Usage, VERSION, What,
};
use crate::engine::{Session, Snapshot};
use crate::graph::{Library, shipped};
use crate::reading::FieldStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::Arc;

pub(super) struct World {
    pub(super) session: Session,
    pub(super) now: Now,
    /// Calls that are out, in the order in which they were asked.
    pub(super) out: VecDeque<(CallId, Arc<Request>)>,
    pub(super) events: Vec<Event>,
    /// The first is the one that the session opened on, the others were loaded later.
    pub(super) libraries: Vec<Arc<Library>>,
    graph: String,
    journal: Vec<(Now, Input)>,
    effects: Vec<String>,
    /// Saves and loads the session before each input, and reads all that it wrote back.
    pub(super) is_reloading: bool,
}

pub(super) fn ada() -> Caller {
    Caller { identity: "ada".into(), channel: "test".into(), utc_offset_minutes: 60, trace: None }
}

/// The database that the shipped graphs name, and one of another dialect.
pub(super) fn databases() -> Vec<DatabaseInfo> {
    vec![
        DatabaseInfo { name: "eras2_production".into(), dialect: Dialect::Sqlite, schema: None, is_sample: true, survey: None },
        DatabaseInfo { name: "farm".into(), dialect: Dialect::Mysql, schema: None, is_sample: false, survey: None },
    ]
}

/// User and assistant take turns, the user first: many chat templates refuse anything else.
fn alternates(request: &ModelRequest) {
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).filter(|role| *role != Role::System).collect();
    assert_eq!(roles.first(), Some(&Role::User), "{roles:?}");
    for pair in roles.windows(2) {
        assert!(pair[0] != pair[1] || pair[0] == Role::Tool, "{roles:?}");
    }
}

impl World {
    pub(super) fn new(graph: &str) -> World {
        World::with(graph, Limits::default())
    }

    pub(super) fn with(graph: &str, limits: Limits) -> World {
        World::on(shipped(), graph, limits)
    }

    pub(super) fn on(library: Arc<Library>, graph: &str, limits: Limits) -> World {
        let session = Session::new(library.clone(), graph, &ada());
        // The two clocks are far apart, so that mistaking one for the other shows.
        let now = Now { moment: Moment(5_000_000), wall: Time(1_763_668_166_000_000) };
        let opened = Input::Opened {
            version: VERSION,
            library: library.hash().to_owned(),
            graph: graph.to_owned(),
            databases: databases(),
            limits,
            from: ada(),
            generation: 0,
        };
        let (out, events) = (VecDeque::new(), Vec::new());
        let mut world = World {
            session,
            now,
            out,
            events,
            libraries: vec![library],
            graph: graph.to_owned(),
            journal: Vec::new(),
            effects: Vec::new(),
            is_reloading: false,
        };
        world.put(opened);
        world
    }

    /// One input that is known to be accepted.
    pub(super) fn put(&mut self, input: Input) {
        self.session.accepts(&input).unwrap_or_else(|refusal| panic!("{input:?}: {refusal}"));
        if self.is_reloading {
            self.reload();
        }
        if let Input::Reloaded { library, .. } = &input {
            self.session.offer(self.libraries.iter().find(|known| known.hash() == library).unwrap().clone());
        }
        let mut effects = Vec::new();
        self.session.handle(self.now, input.clone(), &mut effects);
        self.journal.push((self.now, input));
        for effect in effects {
            self.effects.push(if self.is_reloading { round_trip(&effect) } else { serde_json::to_string(&effect).unwrap() });
            match effect {
                Effect::Call { id, request } => {
                    if let Request::Model(request) = &*request {
                        alternates(request);
                    }
                    self.out.push_back((id, request));
                }
                Effect::Cancel { id } => self.out.retain(|(call, _)| *call != id),
                Effect::Emit(event) => self.events.push(event),
            }
        }
    }

    /// The session as a disk would hold it, read back. `replay` shows that nothing was lost.
    pub(super) fn reload(&mut self) {
        let written = serde_json::to_string(&self.session.snapshot()).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&snapshot).unwrap(), written, "a snapshot reads back to the same bytes");
        self.session = Session::restore(&self.libraries, snapshot).unwrap();
        round_trip(&self.session.processes());
        round_trip(&self.session.result());
        round_trip(self.session.ui());
        if let Some(detail) = self.session.traces().next_back().and_then(|trace| self.session.turn(trace.id)) {
            round_trip(&detail);
        }
    }

    /// The server has loaded other graphs and limits.
    pub(super) fn load(&mut self, library: &Arc<Library>, limits: Limits) {
        self.libraries.push(library.clone());
        self.put(Input::Reloaded { library: library.hash().to_owned(), limits });
    }

    /// Both clocks go on.
    pub(super) fn pass(&mut self, time_us: u64) {
        self.now.moment.0 += time_us;
        self.now.wall.0 += time_us;
    }

    pub(super) fn say(&mut self, text: &str) {
        self.put(Input::Message { text: text.to_owned(), dashboard: Vec::new(), client_id: None, while_busy: None, from: ada() });
    }

    pub(super) fn press(&mut self, action: &str) {
        self.put(Input::Action {
            action: action.to_owned(),
            data: Value::Null,
            source: None,
            client_id: None,
            while_busy: None,
            from: ada(),
        });
    }

    /// Answers the oldest call, 100 µs later: what is streamed comes in two chunks, the rest at once.
    pub(super) fn answer(&mut self, text: &str) {
        let (call, request) = self.out.pop_front().expect("a call is out");
        self.pass(100);
        let mut answer = Answer { model: "test".into(), ..Answer::default() };
        if let Request::Database(_) = &*request {
            answer.database = Some(serde_json::from_str(text).expect("a script answers a database in its own words"));
            return self.complete(call, Ok(answer));
        }
        let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let mut field_stream = request.streamed_field().map(FieldStream::new);
        for piece in [&text[..middle], &text[middle..]] {
            let chunk = match &mut field_stream {
                Some(field_stream) => field_stream.take(piece),
                None if request.is_streamed() => piece,
                None => "",
            };
            if !chunk.is_empty() {
                self.put(Input::Chunk { call, text: chunk.to_owned() });
            }
        }
        if !request.is_streamed() {
            answer.text = text.to_owned();
        }
        self.complete(call, Ok(answer));
    }

    pub(super) fn fail(&mut self, error: CallError) {
        let (call, _) = self.out.pop_front().expect("a call is out");
        self.pass(100);
        self.complete(call, Err(error));
    }

    pub(super) fn complete(&mut self, call: CallId, outcome: Result<Answer, CallError>) {
        let usage = Usage { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110, ..Usage::NONE };
        self.put(Input::Completion { call, usage, waited_us: 0, outcome });
    }

    /// Whom the oldest call is for: the kind of the node, and what for, where it asks in more than one.
    pub(super) fn asking(&self) -> Arc<str> {
        self.out.front().map_or_else(|| "nobody".into(), |(_, request)| request.label())
    }

    /// What was last asked, joined.
    pub(super) fn asked(&self) -> String {
        let (_, request) = self.out.front().expect("a call is out");
        let Request::Model(request) = &**request else { panic!("a database was asked") };
        request.messages.iter().map(|message| message.text.to_string()).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn trace(&self) -> &Arc<Trace> {
        self.session.traces().next_back().expect("a turn has ended")
    }

    /// How many calls of a kind were asked, over all turns.
    pub(super) fn trace_calls(&self, kind: CallKind) -> usize {
        self.events.iter().filter(|event| matches!(&event.what, What::ProcessStart { kind: asked, .. } if *asked == kind)).count()
    }

    /// The names of all events so far.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.what.name()).collect()
    }

    /// Each turn's end, in order.
    pub(super) fn ends(&self) -> Vec<(u64, Outcome)> {
        let end = |event: &Event| match &event.what {
            What::Done { outcome, .. } => Some((event.turn.0, outcome.clone())),
            _ => None,
        };
        self.events.iter().filter_map(end).collect()
    }

    pub(super) fn labels(&self) -> Vec<String> {
        let label = |control: Control| match control {
            Control::Button(button) => button.label,
            Control::Display(display) => format!("{:?}", display.kind).to_lowercase(),
            Control::Approval(_) => "approval".to_owned(),
        };
        self.session.ui().controls().into_iter().map(label).collect()
    }

    /// Plays the journal again into a new session: the effects are the same, byte for byte.
    pub(super) fn replay(&self) {
        let mut session = Session::new(self.libraries[0].clone(), &self.graph, &ada());
        let mut effects = Vec::new();
        for (now, input) in &self.journal {
            // The journal is what a disk would hold.
            let written = serde_json::to_string(input).unwrap();
            if let Input::Reloaded { library, .. } = input {
                session.offer(self.libraries.iter().find(|known| known.hash() == library).unwrap().clone());
            }
            session.handle(*now, serde_json::from_str(&written).unwrap(), &mut effects);
        }
        let effects: Vec<String> = effects.iter().map(|effect| serde_json::to_string(effect).unwrap()).collect();
        assert_eq!(effects, self.effects, "a replay has the same effects, byte for byte");
    }
}

/// What a value is on disk; read back it is the same.
pub(super) fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> String {
    let written = serde_json::to_string(value).unwrap();
    let read: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(read, *value);
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    written
}

/// The picture of a trace: one line a frame, one a call.
pub(super) fn picture(trace: &Trace) -> String {
    let mut out = format!("turn {}: {:?}  {} {:?} {} frames\n", trace.id.0, trace.message, trace.path, trace.status, trace.frames.len());
    if let Some(degraded) = &trace.degraded {
        writeln!(out, "  degraded: {degraded}").unwrap();
    }
    for frame in &trace.frames {
        let nodes = frame.nodes.join("+");
        let route = if frame.route.is_empty() { String::new() } else { format!("  -> {}", frame.route) };
        writeln!(out, "  {} {nodes:<12} {:>4} us{route}  [{}]", frame.frame, frame.ended_us - frame.started_us, frame.summary).unwrap();
        for call in &frame.calls {
            writeln!(out, "      call {} {} {:?} {} us", call.pid.0, call.label, call.status, call.duration_us).unwrap();
        }
    }
    for call in &trace.background {
        writeln!(out, "  behind: call {} {} {:?} {} us", call.pid.0, call.label, call.status, call.duration_us).unwrap();
    }
    out
}
