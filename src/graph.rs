//! Graphs: JSON files with their prompts and schemas, read and checked. A graph that loads is a graph that runs.
//!
//! Files come as text by their path below `graphs/`; this module opens none. What is checked: every name is known, every route
//! has an edge and every edge a target, every node can be reached, there is no circle, every slot of every prompt is known,
//! every prompt has its divider and the slots that its node needs, every schema has the fields that its node reads, every model
//! is of a known class, and every way through the graph is stated with its frames and its budget of model calls.

pub use crate::contract::Entry;
use crate::contract::{DatabaseLimits, Schema, ToolSpec, WhileBusy, unique_json};
use crate::nodes::{Kind, MODELS, Node, Plain, Prompt, tools};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

mod approve;
mod description;
mod due;
mod face;
mod schema;
mod wrong;

pub use face::Face;
use face::FaceFile;
use schema::{compact, with_choice};
pub use wrong::{GraphError, Wrong};

const NODES_MAX: usize = 64;
const PATHS_MAX: usize = 64;
/// Notes of a node, and bytes of each.
const NOTES_MAX: usize = 200;
const NOTE_BYTES_MAX: usize = 200;

/// All graphs, found by name, and the hash of every file that they were read from.
#[derive(Debug)]
pub struct Library {
    graphs: BTreeMap<Arc<str>, Arc<Graph>>,
    hash: Arc<str>,
    /// What it was read from.
    files: Arc<BTreeMap<String, String>>,
}

/// A graph, ready to run.
#[derive(Clone, Debug)]
pub struct Graph {
    pub name: Arc<str>,
    /// SHA-256 of its file and of those that it names, in hex, and the hash of the library that it was read in.
    pub hash: String,
    pub library: Arc<str>,
    pub description: String,
    pub nodes: Vec<Node>,
    /// Where a message, an action and a machine's button enter, as indices into `nodes`.
    pub entries: BTreeMap<Entry, usize>,
    /// Samples the turn's context before its first frame.
    pub before: Option<usize>,
    /// Runs behind a finished turn.
    pub after: Option<usize>,
    /// What becomes of messages that arrive while a turn runs, where the file states it and the request does not.
    pub while_busy: Option<WhileBusy>,
    /// What the page shows of it, where the file states it.
    pub face: Option<Face>,
    pub paths: Vec<Path>,
}

/// One way through the graph: its nodes, one a frame, and what it may cost.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    pub name: String,
    pub entry: Entry,
    #[serde(rename = "nodes")]
    pub node_names: Vec<String>,
    pub frames: usize,
    /// Model calls, repairs included.
    pub calls: u32,
    #[serde(skip)]
    pub nodes: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphFile {
    name: String,
    description: String,
    entries: BTreeMap<Entry, String>,
    before: Option<String>,
    after: Option<String>,
    while_busy: Option<String>,
    face: Option<FaceFile>,
    nodes: Vec<NodeFile>,
    paths: Vec<Path>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    name: String,
    kind: String,
    model: Option<String>,
    /// What an expert is for: what the PA is told of it.
    #[serde(default)]
    description: String,
    prompt: Option<String>,
    /// An expert's second prompt: the answer from the results.
    compose: Option<String>,
    schema: Option<String>,
    database: Option<String>,
    limits: Option<QueryLimits>,
    #[serde(default)]
    notes: BTreeMap<String, String>,
    plain: Option<String>,
    #[serde(default)]
    tools: Vec<Value>,
    approve: Option<Value>,
    #[serde(default = "one")]
    rounds: NonZeroU32,
    #[serde(default = "a_page")]
    tokens_max: NonZeroU32,
    #[serde(default)]
    edges: BTreeMap<String, String>,
    #[serde(default)]
    with: Vec<String>,
}

/// Where a node's queries are cut; what is left out stays as it is.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryLimits {
    rows_max: Option<usize>,
    bytes_max: Option<usize>,
    time_ms_max: Option<u64>,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn a_page() -> NonZeroU32 {
    const { NonZeroU32::new(2_000).expect("a page has tokens") }
}

impl Library {
    /// Reads every `*.json` at the top; what these name lies below.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Library, GraphError> {
        let hash: Arc<str> = content_hash(files.iter().map(|(file, text)| (file.as_str(), text.as_str()))).into();
        let mut graphs = BTreeMap::new();
        for (file, text) in files.iter().filter(|(file, _)| file.ends_with(".json") && !file.contains('/')) {
            let graph = Reader { file, text, files }.graph(&hash)?;
            if graphs.insert(graph.name.clone(), Arc::new(graph)).is_some() {
                let name = graphs.keys().next_back().map(|name| name.to_string()).unwrap_or_default();
                return Err(GraphError { file: file.clone(), line: 1, what: Wrong::DoubleGraph { name } });
            }
        }
        if graphs.is_empty() {
            return Err(GraphError { file: String::new(), line: 1, what: Wrong::NoGraphs });
        }
        Ok(Library { graphs, hash, files: Arc::new(files.clone()) })
    }

    /// SHA-256 of all files, in hex: what a session states that it runs on.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The files that it was read from, by their path below `graphs/`.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The same graphs under other hashes, as if a comment in each file had changed: what a simulated server reloads.
    pub fn twin(&self) -> Library {
        let other = |hash: &str| content_hash([("twin", hash)].into_iter());
        let hash: Arc<str> = other(&self.hash).into();
        let twin = |graph: &Graph| Arc::new(Graph { hash: other(&graph.hash), library: hash.clone(), ..graph.clone() });
        let graphs = self.graphs.iter().map(|(name, graph)| (name.clone(), twin(graph))).collect();
        Library { graphs, hash: hash.clone(), files: self.files.clone() }
    }

    pub fn graph(&self, name: &str) -> Option<&Arc<Graph>> {
        self.graphs.get(name)
    }

    pub fn graphs(&self) -> impl Iterator<Item = &Arc<Graph>> {
        self.graphs.values()
    }

    pub fn names(&self) -> Vec<String> {
        self.graphs.keys().map(|name| name.to_string()).collect()
    }
}

/// SHA-256 of files with their names, in hex.
fn content_hash<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = Sha256::new();
    for part in files.flat_map(|(file, text)| [file, text]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Graph {
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The stated paths that begin with `nodes`: all that a turn which has come so far can still take.
    pub fn paths_from(&self, entry: Entry, nodes: &[usize]) -> impl Iterator<Item = &Path> {
        self.paths.iter().filter(move |path| path.entry == entry && path.nodes.starts_with(nodes))
    }
}

/// Reads one graph file.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    files: &'a BTreeMap<String, String>,
}

impl Reader<'_> {
    fn graph(&self, library: &Arc<str>) -> Result<Graph, GraphError> {
        let wrong = |error: serde_json::Error| self.error_at(error.line(), Wrong::Json(without_place(&error.to_string())));
        let read: GraphFile = serde_json::from_str(self.text).map_err(wrong)?;
        unique_json(self.text).map_err(wrong)?;
        if read.nodes.len() > NODES_MAX {
            return Err(self.error_at(1, Wrong::TooMany { what: "nodes", most: NODES_MAX }));
        }
        let mut by_name = BTreeMap::new();
        for (index, node) in read.nodes.iter().enumerate() {
            if by_name.insert(node.name.as_str(), index).is_some() {
                return Err(self.error(&node.name, Wrong::DoubleNode { name: node.name.clone() }));
            }
        }
        let find = |from: &str, route: &str, to: &str| {
            let wrong = || Wrong::UnknownTarget { from: from.to_owned(), route: route.to_owned(), to: to.to_owned() };
            by_name.get(to).copied().ok_or_else(|| self.error(from, wrong()))
        };
        let mut nodes = Vec::new();
        for node in &read.nodes {
            nodes.push(self.node(node, &read.nodes, &find)?);
        }
        let mut entries = BTreeMap::new();
        for (entry, to) in &read.entries {
            entries.insert(*entry, find("entries", &format!("{entry:?}").to_lowercase(), to)?);
        }
        for entry in [Entry::Message, Entry::Action, Entry::Machine] {
            if !entries.contains_key(&entry) {
                let route = ["message", "action", "machine"][entry as usize];
                return Err(self.error("entries", Wrong::MissingRoute { node: "entries".to_owned(), route }));
            }
        }
        let before = read.before.as_deref().map(|to| find("before", "before", to)).transpose()?;
        let after = read.after.as_deref().map(|to| find("after", "after", to)).transpose()?;
        let named = read.nodes.iter().flat_map(|node| [&node.prompt, &node.compose, &node.schema, &node.plain]).flatten();
        let logo = read.face.as_ref().and_then(|face| face.logo.as_ref());
        let named = named.chain(logo).filter_map(|file| self.files.get_key_value(file.as_str()));
        let parts: BTreeMap<&str, &str> =
            named.map(|(file, text)| (file.as_str(), text.as_str())).chain([(self.file, self.text)]).collect();
        let mut graph = Graph {
            name: read.name.into(),
            hash: content_hash(parts.into_iter()),
            library: library.clone(),
            description: read.description,
            nodes,
            entries,
            before,
            after,
            while_busy: read.while_busy.as_deref().map(|name| self.while_busy(name)).transpose()?,
            face: read.face.map(|face| self.face(face)).transpose()?,
            paths: read.paths,
        };
        self.check(&mut graph)?;
        Ok(graph)
    }

    fn while_busy(&self, name: &str) -> Result<WhileBusy, GraphError> {
        let known = WhileBusy::ALL.into_iter().find(|mode| mode.name() == name);
        known.ok_or_else(|| self.error("while_busy", Wrong::WhileBusy { name: name.to_owned() }))
    }

    fn face(&self, face: FaceFile) -> Result<Face, GraphError> {
        let logo = match &face.logo {
            None => None,
            Some(file) => Some(self.files.get(file).ok_or_else(|| self.error("logo", Wrong::NoFile { name: file.clone() }))?),
        };
        Face::read(face, logo.map(String::as_str)).map_err(|wrong| self.error("face", wrong))
    }

    fn node(
        &self,
        node: &NodeFile,
        all: &[NodeFile],
        find: &dyn Fn(&str, &str, &str) -> Result<usize, GraphError>,
    ) -> Result<Node, GraphError> {
        let wrong = |what| self.error(&node.name, what);
        let name = || node.name.clone();
        let kind: Kind = serde_json::from_value(Value::String(node.kind.clone()))
            .map_err(|_| wrong(Wrong::UnknownKind { node: name(), kind: node.kind.clone() }))?;
        for (field, is_given, is_due) in [
            ("prompt", node.prompt.is_some(), kind.asks()),
            ("model", node.model.is_some(), kind.asks()),
            ("schema", node.schema.is_some(), kind.is_structured()),
            ("compose", node.compose.is_some(), kind == Kind::Expert),
            ("description", !node.description.is_empty(), kind == Kind::Expert),
        ] {
            match (is_given, is_due) {
                (false, true) => return Err(wrong(Wrong::Missing { node: name(), field })),
                (true, false) => return Err(wrong(Wrong::Superfluous { node: name(), field })),
                (true, true) | (false, false) => {}
            }
        }
        let calls_tools = kind.plans() || kind == Kind::Agent;
        for (field, is_given, is_used) in [
            ("plain", node.plain.is_some(), kind == Kind::Input),
            ("tools", !node.tools.is_empty(), calls_tools),
            ("database", node.database.is_some(), calls_tools),
            ("notes", !node.notes.is_empty(), node.database.is_some()),
        ] {
            if is_given && !is_used {
                return Err(wrong(Wrong::Superfluous { node: name(), field }));
            }
        }
        if node.notes.len() > NOTES_MAX {
            return Err(wrong(Wrong::TooMany { what: "notes", most: NOTES_MAX }));
        }
        if node.notes.values().any(|note| note.len() > NOTE_BYTES_MAX) {
            return Err(wrong(Wrong::TooMany { what: "bytes in a note", most: NOTE_BYTES_MAX }));
        }
        if let Some(model) = node.model.as_ref().filter(|model| !MODELS.contains(&model.as_str())) {
            return Err(wrong(Wrong::UnknownModel { node: name(), model: model.clone() }));
        }
        let approve = |wrong| self.error_at_field(&node.name, "approve", wrong);
        let named = approve::named_tools(node).map_err(|wrong| self.error_at_field(&node.name, "tools", wrong))?;
        let mut specs: Vec<ToolSpec> = Vec::new();
        for (tool, _) in &named {
            let known = tools::named(tool).ok_or_else(|| wrong(Wrong::UnknownTool { node: name(), tool: tool.clone() }))?;
            specs.push(known.spec());
        }
        let mut edges = BTreeMap::new();
        for (route, to) in &node.edges {
            let is_expert = kind.knows_experts() && all.iter().any(|other| other.name == *to && other.kind == Kind::Expert.to_string());
            if !is_expert && !kind.routes().contains(&route.as_str()) {
                return Err(wrong(Wrong::UnknownRoute { node: name(), route: route.clone(), known: kind.routes() }));
            }
            edges.insert(route.clone(), find(&node.name, route, to)?);
        }
        if let Some(route) = kind.routes().iter().find(|route| !edges.contains_key(**route)) {
            return Err(wrong(Wrong::MissingRoute { node: name(), route }));
        }
        let needs_database =
            |(name, _): &&(String, Option<Duration>)| tools::named(name).is_some_and(|tool| matches!(tool.act, tools::Act::Ask { .. }));
        if let (None, Some((tool, _))) = (&node.database, named.iter().find(needs_database)) {
            return Err(wrong(Wrong::NoDatabase { node: name(), tool: tool.clone() }));
        }
        let experts = due::experts(node, all);
        let prompt = |file: &Option<String>, needed: &[&'static str]| -> Result<Prompt, GraphError> {
            file.as_ref().map(|file| self.prompt(node, file, needed, &specs, &experts)).transpose().map(Option::unwrap_or_default)
        };
        let needed = due::slots(kind, node, all);
        let beside = node.with.iter().map(|to| find(&node.name, "with", to)).collect::<Result<_, _>>()?;
        Ok(Node {
            name: node.name.as_str().into(),
            kind,
            role: kind.to_string().into(),
            model: node.model.as_deref().unwrap_or_default().into(),
            prompt: prompt(&node.prompt, &needed)?,
            compose: prompt(&node.compose, &["job", "results"])?,
            prompt_file: node.prompt.as_deref().map(Into::into),
            compose_file: node.compose.as_deref().map(Into::into),
            database: node.database.as_deref().map(Into::into),
            database_limits: database_limits(node.limits),
            notes: node.notes.clone(),
            schema: node.schema.as_ref().map(|file| self.schema(node, file, kind)).transpose()?,
            tools: specs.clone().into(),
            rounds: node.rounds.get(),
            tokens_max: node.tokens_max.get(),
            plain: node.plain.as_ref().map(|file| self.plain(node, file)).transpose()?.unwrap_or_default(),
            approve: approve::of_node(node, kind).map_err(approve)?,
            approve_tools: approve::of_tools(node, kind, &named).map_err(approve)?,
            edges,
            beside,
            together: std::iter::once(&node.name).chain(&node.with).map(|name| name.as_str().into()).collect(),
        })
    }

    fn prompt(
        &self,
        node: &NodeFile,
        file: &str,
        needed: &[&'static str],
        tools: &[ToolSpec],
        experts: &str,
    ) -> Result<Prompt, GraphError> {
        let wrong = |line, what| GraphError { file: file.to_owned(), line, what };
        let prompt = Prompt::parse(self.other(node, file)?, tools, experts)
            .map_err(|error| wrong(error.line(), Wrong::Prompt(error.to_string())))?;
        // Who fills in open calls need read of no other tools.
        let has = |slot: &str| prompt.has(slot) || (slot == "tools" && prompt.has("open_tools"));
        match needed.iter().find(|slot| !has(slot)) {
            Some(slot) => Err(wrong(1, Wrong::NoSlot { node: node.name.clone(), slot })),
            None => Ok(prompt),
        }
    }

    /// A PA's schema names whom it can send to: a model that is held to it sends to nobody else.
    fn schema(&self, node: &NodeFile, file: &str, kind: Kind) -> Result<Arc<Schema>, GraphError> {
        let text = self.other(node, file)?;
        let json = unique_json(text).map_err(|error| GraphError {
            file: file.to_owned(),
            line: error.line(),
            what: Wrong::Json(without_place(&error.to_string())),
        })?;
        if json["type"] != "object" {
            let error = "its `type` is not `object`; an answer is always an object".to_owned();
            return Err(GraphError { file: file.to_owned(), line: 1, what: Wrong::Schema { file: file.to_owned(), error } });
        }
        if let Some(field) = due::fields(kind).iter().find(|field| json["properties"][**field].is_null()) {
            return Err(GraphError { file: file.to_owned(), line: 1, what: Wrong::NoField { node: node.name.clone(), field } });
        }
        let mut schema = compact(text);
        if kind.knows_experts() {
            let experts = node.edges.keys().map(String::as_str).filter(|route| !kind.routes().contains(route));
            schema = with_choice(&schema, "expert", &experts.map(Some).chain([None]).collect::<Vec<_>>());
        }
        let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".json").to_owned();
        Ok(Arc::new(Schema { name, json: schema.into() }))
    }

    fn plain(&self, node: &NodeFile, file: &str) -> Result<Plain, GraphError> {
        let text = self.other(node, file)?;
        Plain::parse(text).map_err(|error| GraphError {
            file: file.to_owned(),
            line: error.line(),
            what: Wrong::Json(without_place(&error.to_string())),
        })
    }

    fn other(&self, node: &NodeFile, file: &str) -> Result<&str, GraphError> {
        self.files.get(file).map(String::as_str).ok_or_else(|| self.error(&node.name, Wrong::NoFile { name: file.to_owned() }))
    }

    fn check(&self, graph: &mut Graph) -> Result<(), GraphError> {
        let names = |nodes: &[usize]| -> Vec<String> { nodes.iter().map(|index| graph.nodes[*index].name.to_string()).collect() };
        let mut ways = Vec::new();
        for (entry, node) in &graph.entries {
            let mut way = vec![*node];
            walk(graph, &mut way, &mut |way| ways.push((*entry, way.to_vec())))
                .map_err(|circle| self.error(&graph.nodes[circle[0]].name, Wrong::Circle { nodes: names(&circle) }))?;
            if ways.len() > PATHS_MAX {
                return Err(self.error_at(1, Wrong::TooMany { what: "paths", most: PATHS_MAX }));
            }
        }
        let mut reached: BTreeSet<usize> = ways.iter().flat_map(|(_, way)| way.iter().copied()).collect();
        reached.extend(graph.before.iter().chain(&graph.after));
        for index in reached.clone() {
            reached.extend(&graph.nodes[index].beside);
        }
        if let Some(node) = (0..graph.nodes.len()).find(|index| !reached.contains(index)) {
            let node = graph.nodes[node].name.to_string();
            return Err(self.error(&node, Wrong::Unreachable { node: node.clone() }));
        }
        for (entry, way) in &ways {
            let nodes = names(way);
            let Some(path) = graph.paths.iter().find(|path| path.entry == *entry && path.node_names == nodes) else {
                return Err(self.error("paths", Wrong::MissingPath { entry: *entry, nodes }));
            };
            if path.frames != way.len() {
                let what = Wrong::Frames { path: path.name.clone(), stated: path.frames, counted: way.len() };
                return Err(self.error_of_path(&path.name, what));
            }
            let in_frame = way.iter().flat_map(|index| std::iter::once(index).chain(&graph.nodes[*index].beside));
            let needed = in_frame.map(|index| &graph.nodes[*index]).filter(|node| node.kind.asks()).map(|node| node.rounds).sum();
            if path.calls < needed {
                return Err(self.error_of_path(&path.name, Wrong::Calls { path: path.name.clone(), stated: path.calls, needed }));
            }
        }
        for path in &mut graph.paths {
            let way = ways.iter().find(|(entry, way)| {
                let names = way.iter().map(|index| &*graph.nodes[*index].name);
                *entry == path.entry && names.eq(path.node_names.iter().map(String::as_str))
            });
            match way {
                Some((_, way)) => path.nodes = way.clone(),
                None => return Err(self.error_of_path(&path.name, Wrong::NoSuchPath { path: path.name.clone() })),
            }
        }
        Ok(())
    }

    /// An error at the line that first says `"name": "<name>"`, or else just names it.
    fn error(&self, name: &str, what: Wrong) -> GraphError {
        self.error_behind(0, name, what)
    }

    /// An error at the first line from a node's on that has this field.
    fn error_at_field(&self, name: &str, field: &str, what: Wrong) -> GraphError {
        let GraphError { file, line, what } = self.error(name, what);
        let quoted = format!("\"{field}\"");
        let below = self.text.lines().skip(line - 1).position(|text| text.contains(&quoted));
        GraphError { file, line: line + below.unwrap_or(0), what }
    }

    /// A path may have the name of a node: its line is the one below `"paths"`.
    fn error_of_path(&self, name: &str, what: Wrong) -> GraphError {
        let paths = self.text.lines().position(|line| line.contains("\"paths\""));
        self.error_behind(paths.unwrap_or(0), name, what)
    }

    fn error_behind(&self, first: usize, name: &str, what: Wrong) -> GraphError {
        let quoted = format!("\"{name}\"");
        let names_it = |line: &str| line.split_once("\"name\":").is_some_and(|(_, rest)| rest.trim_start().starts_with(&quoted));
        let lines = || self.text.lines().skip(first);
        let line = lines().position(names_it).or_else(|| lines().position(|line| line.contains(&quoted)));
        self.error_at(line.map_or(1, |index| first + index + 1), what)
    }

    fn error_at(&self, line: usize, what: Wrong) -> GraphError {
        GraphError { file: self.file.to_owned(), line, what }
    }
}

fn database_limits(given: Option<QueryLimits>) -> DatabaseLimits {
    let defaults = DatabaseLimits::default();
    given.map_or(defaults, |given| DatabaseLimits {
        rows_max: given.rows_max.unwrap_or(defaults.rows_max),
        bytes_max: given.bytes_max.unwrap_or(defaults.bytes_max),
        time_ms_max: given.time_ms_max.unwrap_or(defaults.time_ms_max),
    })
}

/// Visits every way from the last node of `way` to an end, or returns the circle that it runs into.
fn walk(graph: &Graph, way: &mut Vec<usize>, visit: &mut dyn FnMut(&[usize])) -> Result<(), Vec<usize>> {
    let node = &graph.nodes[*way.last().expect("a way begins at an entry")];
    if node.edges.is_empty() {
        visit(way);
    }
    for to in node.edges.values().collect::<BTreeSet<_>>() {
        if let Some(at) = way.iter().position(|index| index == to) {
            return Err(way[at..].to_vec());
        }
        way.push(*to);
        walk(graph, way, visit)?;
        way.pop();
    }
    Ok(())
}

/// serde's sentence without « at line 3 column 7», which stands in front already.
fn without_place(sentence: &str) -> String {
    sentence.rsplit_once(" at line ").map_or(sentence, |(sentence, _)| sentence).to_owned()
}

#[cfg(test)]
mod tests;

/// The graphs of this repository.
#[cfg(test)]
pub(crate) fn shipped() -> Arc<Library> {
    static SHIPPED: std::sync::LazyLock<Arc<Library>> = std::sync::LazyLock::new(|| shipped_with(str::to_owned));
    SHIPPED.clone()
}

/// The graphs of this repository, each file as `change` makes it.
#[cfg(test)]
pub(crate) fn shipped_with(change: fn(&str) -> String) -> Arc<Library> {
    let files = shipped_files().into_iter().map(|(name, text)| (name, change(&text))).collect();
    Arc::new(Library::load(&files).unwrap_or_else(|error| panic!("{error}")))
}

#[cfg(test)]
fn shipped_files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in ["", "prompts/", "schemas/"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(folder);
        for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            files.insert(format!("{folder}{}", entry.file_name().display()), std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    files
}
