//! Every type reads back to the same bytes. What a session makes is covered by the engine's simulation; here is the rest, each
//! variant once, and numbers drawn from seeds.

use super::*;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;
use std::sync::Arc;

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(values: impl IntoIterator<Item = T>) {
    for value in values {
        let written = serde_json::to_string(&value).unwrap();
        let read: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(read, value, "{written}");
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }
}

fn variant() -> Variant {
    let messages =
        vec![Message::new(Role::User, "hi", TurnId(1)), Message { partial: true, ..Message::new(Role::Assistant, "Hel", TurnId(1)) }];
    Variant { id: TurnId(1), messages, cut: true }
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn errors_and_refusals_read_back() {
    same([
        CallError::Overloaded,
        CallError::Deadline { waited: text("the first token") },
        CallError::Unreachable,
        CallError::Unauthorized,
        CallError::RateLimited,
        CallError::Rejected { status: 400 },
        CallError::Failed { status: 500 },
        CallError::Truncated,
        CallError::Unreadable,
        CallError::TooLarge,
        CallError::Panicked,
        CallError::Database(DatabaseFault::Unknown),
        CallError::Database(DatabaseFault::Unreachable),
        CallError::Database(DatabaseFault::Misconfigured),
        CallError::Database(DatabaseFault::Broken),
        CallError::Database(DatabaseFault::Deadline),
        CallError::Cancelled,
        CallError::NotOnTape { difference: text("the question differs") },
    ]);
    same(Code::ALL.iter().map(|code| Refusal::with(*code, format!("{code}: ünïcödé"))));
    same([
        UiError::NoMachine { id: text("m") },
        UiError::MachineExists { id: text("m") },
        UiError::NoState { id: text("m"), state: text("s") },
        UiError::TooMany { what: "controls".into(), most: 3 },
        UiError::TooLarge { what: "machine".into(), bytes_max: 3 },
    ]);
}

fn survey() -> Survey {
    let column = |holds| SurveyedColumn {
        name: text("c"),
        kind: text("int"),
        nullable: true,
        key: text("index"),
        references: Some(text("t.id")),
        comment: text("said"),
        holds,
    };
    let columns = [None, Some(Holds::Values(vec![text("'a'")])), Some(Holds::Range(text("1"), text("2")))].map(column).to_vec();
    let table = SurveyedTable { name: text("t"), comment: text("about"), rows: Some(7), is_estimate: true, columns };
    Survey { tables: vec![table, SurveyedTable { name: text("u"), ..SurveyedTable::default() }], is_cut: true }
}

#[test]
fn inputs_and_what_a_session_accepts_read_back() {
    let from = || Caller { identity: text("Ada"), channel: text("test"), utc_offset_minutes: -90, trace: None };
    let client_id = || Some("tab:1".parse().unwrap());
    let call = CallId(7);
    let database = DatabaseInfo { name: text("d"), dialect: Dialect::Mysql, schema: Some(text("s")), is_sample: true, survey: None };
    same([
        Input::Opened {
            version: VERSION,
            library: text("hash"),
            graph: text("g"),
            databases: vec![database.clone(), DatabaseInfo { dialect: Dialect::Sqlite, schema: None, ..database.clone() }],
            limits: Limits::default(),
            from: from(),
            generation: 3,
        },
        Input::Resumed { generation: 4, rerun: true },
        Input::Surveyed { databases: vec![DatabaseInfo { survey: Some(Arc::new(survey())), ..database }] },
        Input::Reloaded { library: text("hash"), limits: Limits::default() },
        Input::Forked { of: text("s"), turn: TurnId(3), memory: None, library: None, frame: None, begins: None },
        Input::Forked {
            of: text("s"),
            turn: TurnId(3),
            memory: Some(Box::new(Memory::initial("ada"))),
            library: Some(text("hash")),
            frame: Some(2),
            begins: Some(Box::new(Input::Message { text: text("hi"), dashboard: vec![], client_id: None, while_busy: None, from: from() })),
        },
        Input::Attached { from: from() },
        Input::Message {
            text: text("hi"),
            dashboard: vec![json!(null), json!({"a": [0.1, 1e300, -0.0]})],
            client_id: client_id(),
            while_busy: Some(WhileBusy::Rollback),
            from: from(),
        },
        Input::Message { text: text("hi"), dashboard: vec![], client_id: None, while_busy: None, from: from() },
        Input::Action {
            action: text("a"),
            data: json!(null),
            source: Some(Source::Machine(text("m"))),
            client_id: None,
            while_busy: None,
            from: from(),
        },
        Input::Action {
            action: text("a"),
            data: json!({}),
            source: Some(Source::Thinker),
            client_id: client_id(),
            while_busy: Some(WhileBusy::Enqueue),
            from: from(),
        },
        Input::Approve { call, approved: true, client_id: client_id(), from: from() },
        Input::Approve { call, approved: false, client_id: None, from: from() },
        Input::Due,
        Input::Cancel { call },
        Input::Stop,
        Input::StopRunning,
        Input::Retry { turn: None, client_id: None, from: from() },
        Input::Retry { turn: Some(TurnId(3)), client_id: client_id(), from: from() },
        Input::Edit { turn: TurnId(3), text: text("hi"), dashboard: vec![json!(1)], client_id: client_id(), from: from() },
        Input::Drain { cut: true, keeps: false },
        Input::Drain { cut: false, keeps: true },
        Input::Clear { from: from() },
        Input::Switch { graph: text("g"), keep: true, from: from() },
        Input::Chunk { call, text: text("…") },
        Input::Completion { call, usage: Usage::default(), waited_us: 3, outcome: Err(CallError::Truncated) },
    ]);
    let known = |done| Accepted::Known { turn: TurnId(1), done };
    same([
        Accepted::Begins(TurnId(1)),
        Accepted::Resumes(TurnId(1)),
        Accepted::Plain,
        known(None),
        known(Some(Outcome::Failed { why: text("x"), code: Some(Code::ModelQuotaExhausted) })),
        known(Some(Outcome::Failed { why: text("x"), code: None })),
        known(Some(Outcome::Cancelled)),
        known(Some(Outcome::Withdrawn)),
    ]);
}

#[test]
fn questions_and_answers_read_back_with_each_part_as_what_it_is() {
    let parts =
        vec![Part::Fixed("fixed".into()), Part::Slot("message".into(), text("slot")), Part::Passing("sensed".into(), text("passing"))];
    let written = serde_json::to_value(Text(parts.clone())).unwrap();
    assert_eq!(written, json!([{"Fixed": "fixed"}, {"Slot": ["message", "slot"]}, {"Passing": ["sensed", "passing"]}]));
    let call = ToolCall { id: text("c"), tool: text("recall"), args: json!({"query": "tea"}) };
    let message = |role| ChatMessage { role, text: Text(parts.clone()), tool_calls: vec![call.clone()], tool_call_id: Some(text("c")) };
    let tool = ToolSpec { name: "recall".into(), description: "searches".into(), parameters: "{}".into() };
    let model = |stage, background| {
        Request::Model(ModelRequest {
            role: "output".into(),
            stage,
            model: "fast".into(),
            messages: [Role::System, Role::User, Role::Assistant, Role::Tool].map(message).into(),
            schema: Some(Arc::new(Schema { name: text("s"), json: "{}".into() })),
            tools: [tool.clone()].into(),
            stream: true,
            streamed_field: None,
            tokens_max: 9,
            background,
        })
    };
    let database = |ask| Request::Database(DatabaseRequest { database: "d".into(), ask, limits: DatabaseLimits::default() });
    same([
        model(None, false),
        model(Some("plan".into()), true),
        database(DatabaseAsk::Tables),
        database(DatabaseAsk::Describe { table: text("t") }),
        database(DatabaseAsk::Query { sql: text("SELECT 1") }),
        database(DatabaseAsk::Columns),
        database(DatabaseAsk::Range { columns: vec![(text("t"), text("c"))] }),
    ]);
    let rows = Rows {
        columns: vec![text("a")],
        rows: vec![vec![json!(0.30000000000000004)], vec![json!(u64::MAX)]],
        is_cut: true,
        notes: vec![text("b")],
        table: Some(text("T")),
        decimals: vec![0],
    };
    let refused = |reason| DatabaseAnswer::Refused { message: text("no"), reason };
    let answers = [DatabaseAnswer::Rows(rows), refused(Refused::UnknownTable), refused(Refused::UnknownColumn), refused(Refused::Other)];
    for finish in [Finish::Stop, Finish::Length, Finish::ToolCalls, Finish::ContentFilter] {
        same(answers.clone().map(|database| Answer {
            text: text("so"),
            tool_calls: vec![call.clone()],
            database: Some(Box::new(database)),
            is_retold: true,
            thoughts: text("hm"),
            finish,
            model: text("m"),
            retries: vec![text("cut at 300 tokens")],
        }));
    }
    same([Came::Whole(Box::default()), Came::Text(text("cut"))]);
}

#[test]
fn changes_and_memory_read_back() {
    let display = |kind| Display { kind, label: None, key: Some(text("k")), rest: [(text("value"), json!(0.1))].into_iter().collect() };
    let kinds = [DisplayKind::Text, DisplayKind::Value, DisplayKind::Table, DisplayKind::Chart, DisplayKind::Progress];
    let mut button = Button::new("B", "b");
    (button.go, button.payload, button.source) = (Some(text("b")), Some(json!({"n": 1})), Source::Machine(text("m")));
    let state = State { name: text("a"), buttons: vec![button.clone()], content: kinds.map(display).into() };
    let machine = Machine { id: text("m"), initial: text("a"), current: text("a"), states: Arc::new(vec![state.clone()]) };
    let controls = vec![Control::Button(button), Control::Display(display(DisplayKind::Chart))];
    let id = || text("m");
    same([
        Change::Show(controls.clone()),
        Change::SetState { key: text("k"), value: json!([null]) },
        Change::CreateMachine(machine.clone()),
        Change::AddState { id: id(), state },
        Change::Go { id: id(), to: text("a") },
        Change::ResetMachine { id: id() },
        Change::DestroyMachine { id: id() },
    ]);
    same([Ui { thinker: controls, machines: vec![machine], state: [(text("k"), json!(-1.5e-7))].into() }]);
    same([MemoryPatch { topic: Some(text("tea")), facts: vec![text("likes it")], ..MemoryPatch::default() }, MemoryPatch::default()]);
    let message = Message {
        partial: true,
        progress: text("p"),
        variants: vec![variant()],
        client_id: Some("a".parse().unwrap()),
        ..Message::new(Role::User, "hi", TurnId(3))
    };
    same([message, Message::new(Role::Assistant, "", TurnId(0))]);
}

#[test]
fn traces_read_back_to_the_microsecond() {
    // A small generator (xorshift64*), so that a seed means the same everywhere.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = move |bound: u64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8) % bound
    };
    for _ in 0..2_000 {
        let started_us = below(1 << 40);
        let call = CallRecord {
            pid: CallId(below(9)),
            kind: [CallKind::Llm, CallKind::Db, CallKind::Approval][below(3) as usize],
            label: "input".into(),
            started_us,
            duration_us: below(1 << 33),
            waited_us: below(1 << 20),
            status: [CallStatus::Done, CallStatus::Error, CallStatus::Cancelled][below(3) as usize],
            code: (below(2) == 0).then_some(Code::ModelTimeout),
            usage: (below(2) == 0).then(|| Usage {
                prompt_tokens: below(1 << 60),
                reasoning_tokens: below(2),
                cost_micros: below(2),
                ..Usage::default()
            }),
            retries: vec![text("r"); below(3) as usize],
            decided: (below(3) == 0).then(|| Decided {
                verdict: [Verdict::Approved, Verdict::Declined, Verdict::Expired][below(3) as usize],
                by: (below(2) == 0).then(|| text("ada")),
                asked_at: Time(below(1 << 51)),
                decided_at: Time(below(1 << 51)),
            }),
        };
        let frame = FrameRecord {
            frame: 1,
            nodes: ["input".into()].into(),
            started_us,
            ended_us: started_us + below(1 << 33),
            route: text("reflex"),
            summary: text("ü"),
            calls: vec![call.clone()],
        };
        let trace = Trace {
            id: TurnId(below(1 << 50)),
            client_id: (below(2) == 0).then(|| "tab:1".parse().unwrap()),
            message: "why?".into(),
            graph: "g".into(),
            path: text("reflex"),
            started_at: Time(1_700_000_000_000_000 + below(1 << 50)),
            total_us: below(1 << 40),
            status: CallStatus::Done,
            reloaded: (below(2) == 0).then(|| "0123456789ab".into()),
            degraded: (below(2) == 0).then(|| text("pa could not be understood")),
            usage: Usage::default(),
            frames: vec![frame],
            background: vec![call],
            context: (below(2) == 0).then(|| TraceContext::begin(None, below(1 << 60), below(2) == 0)),
        };
        let process = Process { pid: CallId(1), kind: CallKind::Llm, label: "l".into(), turn: trace.id, started_at: trace.started_at };
        same([TurnDetail { trace: Arc::new(trace), action: None, calls: vec![] }]);
        same([process]);
        same([Now { moment: Moment(below(1 << 60)), wall: Time(below(1 << 60)) }]);
    }
}
