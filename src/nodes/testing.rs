//! A small session to look at, for the unit tests of nodes and tools.

use super::*;

/// An answer that says `text`.
pub(crate) fn answer(text: &str) -> Answer {
    Answer { text: text.to_owned(), ..Answer::default() }
}

/// Runs a step in an empty session and tells its flow in a few words.
pub(crate) fn check(step: impl FnOnce(&View<'_>, &mut Out) -> Flow) -> String {
    check_with(&Packet::default(), step)
}

pub(crate) fn check_with(packet: &Packet, step: impl FnOnce(&View<'_>, &mut Out) -> Flow) -> String {
    drawn(step(&Fixture::default().view(packet), &mut Out::default()))
}

pub(crate) fn drawn(flow: Flow) -> String {
    match flow {
        Flow::Ask(..) => "ask".to_owned(),
        Flow::Go(route, _) => format!("go {route}"),
        Flow::Say(text) => format!("say {text}"),
        Flow::Rest => "rest".to_owned(),
        Flow::Again { why, .. } => format!("again: {}", why.why),
        Flow::Fail(why) => format!("fail: {why}"),
    }
}

/// What a [`View`] borrows from.
pub(crate) struct Fixture {
    pub(crate) node: Node,
    pub(crate) caller: Caller,
    pub(crate) limits: Limits,
    pub(crate) history: VecDeque<Message>,
    pub(crate) memory: Memory,
    pub(crate) schema: BTreeMap<String, Value>,
    pub(crate) databases: Vec<DatabaseInfo>,
    pub(crate) ui: Ui,
}

impl Default for Fixture {
    fn default() -> Self {
        let node = Node {
            name: "node".into(),
            kind: Kind::Thinker,
            role: "thinker".into(),
            model: "fast".into(),
            prompt: Prompt::default(),
            schema: None,
            tools: Arc::default(),
            rounds: 2,
            tokens_max: 100,
            plain: Plain::default(),
            compose: Prompt::default(),
            prompt_file: None,
            compose_file: None,
            database: None,
            database_limits: DatabaseLimits::default(),
            approve: None,
            approve_tools: BTreeMap::new(),
            notes: BTreeMap::new(),
            edges: BTreeMap::new(),
            beside: Vec::new(),
            together: Arc::default(),
        };
        let memory = Memory::initial("ada");
        Fixture {
            node,
            caller: Caller::default(),
            limits: Limits::default(),
            history: VecDeque::new(),
            memory,
            schema: BTreeMap::new(),
            databases: Vec::new(),
            ui: Ui::default(),
        }
    }
}

impl Fixture {
    pub(crate) fn view<'a>(&'a self, packet: &'a Packet) -> View<'a> {
        View {
            node: &self.node,
            wall: Time(0),
            caller: &self.caller,
            limits: &self.limits,
            message: "a message",
            history: &self.history,
            memory: &self.memory,
            schema: &self.schema,
            databases: &self.databases,
            ui: &self.ui,
            dashboard: &[],
            ui_news: &[],
            idle_since: None,
            packet,
            answer: "",
            asked: None,
        }
    }
}
