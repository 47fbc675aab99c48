//! A data folder with conversations in it: an expert of a database, buttons, a machine, a restart by `kill -9` and a turn that it cut off.

use crate::program::{Ended, run_with};
use crate::support::{Folder, Server, Setting, WebSocket};
use serde_json::{Value, json};
use std::path::PathBuf;

pub(crate) struct Kept {
    pub(crate) folder: Folder,
    /// Still running on the folder.
    pub(crate) server: Option<Server>,
    /// What the client of the session `talk` saw of each turn until its `done`, by the turn's id.
    pub(crate) seen: Vec<(String, Vec<Value>)>,
}

/// Turns of the session `talk`.
pub(crate) const TURNS: u64 = 8;

impl Kept {
    pub(crate) fn new() -> Kept {
        let folder = Folder::new();
        let start = |word_ms: u64| {
            let options = ["--graph", "v4-eras", "--model", "demo"];
            Server::with(&Setting { options: &options, word_ms, data: Some(folder.path()), ..Setting::default() })
        };
        let mut seen = Vec::new();
        let mut first = start(0);
        let session = first.session("talk");
        let mut chat = session.attached();
        let mut turn = |chat: &mut WebSocket, message: Value| {
            let id = format!("msg_{}", seen.len() + 1);
            chat.say(&message);
            let messages = chat.until_done(&id);
            seen.push((id, messages.clone()));
            messages
        };
        turn(&mut chat, json!({ "text": "hello", "id": "greeting-1" }));
        turn(&mut chat, json!({ "text": "how many customers are there?" }));
        let shown = turn(&mut chat, json!({ "text": "give me two buttons, red and blue" }));
        turn(&mut chat, used(&shown, "red"));
        let shown = turn(&mut chat, json!({ "text": "make a lamp with one button, “Switch on”, that becomes “Switch off”" }));
        turn(&mut chat, used(&shown, "switch on"));
        session.memorized();
        first.session("other").ask("hello");
        first.session("other").memorized();
        drop(chat);
        first.signal("KILL");
        first.ended();

        let mut second = start(100);
        let mut chat = second.session("talk").attached();
        chat.say(&json!({ "text": "why is the sky blue?" }));
        chat.until(|message| message["type"] == "delta" && message["content"].as_str().is_some_and(|text| !text.is_empty()));
        second.signal("KILL");
        second.ended();

        let third = start(0);
        let session = third.session("talk");
        let cut = session.result_of("msg_7");
        assert_eq!(cut["status"], "error", "{cut}");
        session.ask("thank you");
        session.memorized();
        Kept { folder, server: Some(third), seen }
    }

    /// Ends the server as an operator does.
    pub(crate) fn end_server(&mut self) {
        let mut server = self.server.take().unwrap();
        server.signal("TERM");
        server.ended();
    }

    /// Runs a command on the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run_on_folder(&self.folder, self.folder.path().to_str().unwrap(), arguments)
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.output
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }
}

/// Runs a command on a data folder.
pub(crate) fn run_on_folder(folder: &Folder, data: &str, arguments: &[&str]) -> Ended {
    let ended = run_with(folder.path(), &[("FRAMEWRIGHT_DATA", data)], arguments);
    assert!(!ended.errors.contains("panicked"), "{arguments:?}: {ended:?}");
    ended
}

/// The action of a button that is shown.
fn used(messages: &[Value], label: &str) -> Value {
    let sets = messages.iter().filter(|message| message["type"] == "controls").filter_map(|message| message["controls"].as_array());
    let has_label = |control: &&Value| control["label"].as_str().is_some_and(|own| own.to_lowercase() == label);
    let button = sets.flatten().rfind(has_label);
    let button = button.unwrap_or_else(|| panic!("no button `{label}` is shown: {messages:?}"));
    json!({ "type": "action", "action": button["action"], "source": button["source"] })
}
