//! `framewright graph show --node`: what a node would be asked, as text to read or to pipe.
//!
//! Of a running server's session, as that server tells it; without one of a session that is about to begin, in this process.

use super::Failure;
use crate::client::{Address, CallTrouble};
use crate::config::databases;
use crate::contract::{Caller, Input, Limits, Moment, Now, Time, VERSION};
use crate::engine::Session;
use crate::graph::Library;
use crate::wire::json;
use crate::work::database::Databases;
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Node whose prompt is shown, filled in as it would be asked
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Message that it would be asked about [default: the session's last one]
    #[arg(long, value_name = "MESSAGE", requires = "node")]
    text: Option<String>,
    /// Server whose session is looked at [default: none, a session that is about to begin]
    #[arg(long, value_name = "URL", requires = "node")]
    url: Option<String>,
    /// Session to look at [default: default]
    #[arg(long, value_name = "NAME", requires = "url")]
    session: Option<String>,
    /// Token or API key for servers with sign-in [default: none]
    #[arg(long, value_name = "TOKEN", env = "FRAMEWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of certificate authorities to trust instead of the public ones [default: none]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CA")]
    ca: Option<PathBuf>,
}

impl Options {
    pub(super) fn names_a_node(&self) -> bool {
        self.node.is_some()
    }

    pub(super) fn names_a_server(&self) -> bool {
        self.url.is_some()
    }

    pub(super) fn show_of_server(&self) -> Result<(), Failure> {
        let (url, session) = (self.url.as_deref().unwrap_or_default(), self.session.as_deref().unwrap_or("default"));
        let address = Address::new(url, session, self.token.as_deref(), self.ca.as_deref()).map_err(Failure::config)?;
        let text = self.text.as_deref().map(|text| format!("&text={}", escaped(text))).unwrap_or_default();
        let path = format!("/api/graph/prompt?node={}{text}", escaped(self.node.as_deref().unwrap_or_default()));
        match address.call(&path, None) {
            Ok(question) => show(&question),
            Err(CallTrouble::Refused { detail, .. }) => Err(Failure::config(detail)),
            Err(trouble @ (CallTrouble::Unreachable { .. } | CallTrouble::Unreadable)) => Err(Failure::unavailable(trouble)),
        }
    }

    pub(super) fn show_of_fresh_session(&self, library: Library, graph: &str, written: &[String]) -> Result<(), Failure> {
        let databases = Databases::new(databases(written, |name| std::env::var(name).ok()).map_err(Failure::config)?);
        databases.survey();
        let databases = databases.infos();
        let local = jiff::Zoned::now();
        let from = Caller {
            identity: "anonymous".to_owned(),
            channel: String::new(),
            utc_offset_minutes: local.offset().seconds() / 60,
            trace: None,
        };
        let wall = Time(u64::try_from(local.timestamp().as_microsecond()).unwrap_or_default());
        let now = Now { moment: Moment(0), wall };
        let (library, limits) = (Arc::new(library), Limits::default());
        let mut session = Session::new(library.clone(), graph, &from);
        let opened = Input::Opened {
            version: VERSION,
            library: library.hash().to_owned(),
            graph: graph.to_owned(),
            databases,
            limits,
            from,
            generation: 0,
        };
        session.handle(now, opened, &mut Vec::new());
        let node = self.node.as_deref().unwrap_or_default();
        let question = session.question(now, node, self.text.as_deref()).map_err(Failure::config)?;
        show(&serde_json::from_slice(&json::question(&question)).map_err(Failure::config)?)
    }
}

/// Prints it; who reads only its beginning has had enough.
fn show(question: &Value) -> Result<(), Failure> {
    match std::io::stdout().write_all(written(question).as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::unavailable(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sections as prompt files divide them: messages by their role, then the schema of the answer, then the tools.
fn written(question: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let each = |name: &str| question[name].as_array().cloned().unwrap_or_default();
    let mut told = String::new();
    let mut section = |name: String, body: &str| told.push_str(&format!("=== {name}\n{}\n\n", body.trim_end()));
    for message in each("messages") {
        let stage = message["stage"].as_str().map(|stage| format!(" ({stage})")).unwrap_or_default();
        section(format!("{}{stage}", text(&message["role"])), &text(&message["content"]));
    }
    if question["schema"].is_object() {
        section("schema".to_owned(), &format!("{:#}", question["schema"]));
    }
    let tool = |tool: Value| format!("{}: {}\n{}", text(&tool["name"]), text(&tool["description"]), tool["parameters"]);
    let tools: Vec<String> = each("tools").into_iter().map(tool).collect();
    if !tools.is_empty() {
        section("tools".to_owned(), &tools.join("\n\n"));
    }
    format!("{}\n", told.trim_end())
}

/// As a query holds it.
fn escaped(text: &str) -> String {
    let sign = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_is_written_in_sections() {
        let question = json!({
            "node": "eras",
            "messages": [{"role": "system", "content": "# expert\nPlan.\n", "stage": "plan"}, {"role": "user", "content": "## job\nCount.\n"}],
            "schema": {"type": "object"},
            "tools": [{"name": "query", "description": "asks.", "parameters": {"type": "object"}}],
        });
        let text = "=== system (plan)\n# expert\nPlan.\n\n=== user\n## job\nCount.\n\n=== schema\n{\n  \"type\": \"object\"\n}\n\n=== tools\nquery: asks.\n{\"type\":\"object\"}\n";
        assert_eq!(written(&question), text);
        assert_eq!(written(&json!({"messages": [{"role": "user", "content": "x"}], "schema": null, "tools": []})), "=== user\nx\n");
        assert_eq!(escaped("why? & «ä»"), "why%3F%20%26%20%C2%AB%C3%A4%C2%BB");
    }
}
