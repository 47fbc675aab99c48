//! `framewright chat`: a conversation in the terminal, or through a pipe, over the public interface.
//!
//! The loop alternates between what the user does (lines, Ctrl-C) and what the [`Conversation`] receives. In a pipe each line is
//! sent when the one before it has its answer.

mod screen;

use super::Failure;
use super::colour::Colour;
use crate::client::{Address, ConnectError, Conversation, ConversationError, Done, Kind, Refused, Resumed, Update};
use screen::Screen;
pub(super) use screen::steerless;
use serde_json::{Value, json};
use signal_hook::consts::SIGINT;
use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

#[derive(clap::Args)]
pub(super) struct Options {
    /// URL of the server
    #[arg(long, value_name = "URL", env = "FRAMEWRIGHT_URL", default_value = "http://127.0.0.1:7878", hide_env_values = true)]
    url: String,
    /// Session name
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_SESSION", default_value = "default")]
    session: String,
    /// Token or API key for servers with sign-in [default: none]
    #[arg(long, value_name = "TOKEN", env = "FRAMEWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of certificate authorities to trust instead of the public ones [default: none]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CA")]
    ca: Option<PathBuf>,
    /// Use colour: auto, always or never; NO_COLOR turns it off
    #[arg(long, value_name = "WHEN", value_enum, env = "FRAMEWRIGHT_COLOR", default_value = "auto")]
    color: Colour,
}

/// Lines of a pipe that are read ahead.
const LINES_AHEAD_MAX: usize = 16;
const HELP: &str = "A number presses that button. /clear starts over, /stop or Ctrl-C stops the answer, /stop all also what waits behind it, \
                    /graph NAME switches to another graph, /graph lists them all, /quit or Ctrl-D exits.";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let address = Address::new(&options.url, &options.session, options.token.as_deref(), options.ca.as_deref()).map_err(Failure::config)?;
    let conversation = Conversation::connect(address.clone()).map_err(|error| match error {
        ConnectError::Refused(why) => Failure::unavailable(why),
        ConnectError::Broken => Failure::unavailable(format!(
            "no server answers at {}: start one with `framewright`, or pass its address with --url",
            address.shown()
        )),
    })?;
    let (enter, lines) = sync_channel(LINES_AHEAD_MAX);
    let interrupt = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, interrupt.clone()).map_err(Failure::unavailable)?;
    let (is_interactive, is_shown) = (io::stdin().is_terminal(), io::stdout().is_terminal());
    let screen = Screen::new(io::stdout().lock(), is_interactive && is_shown, options.color.is_wanted(is_shown));
    let mut chat = Chat {
        address,
        conversation,
        want_lines: read_lines(enter),
        screen,
        is_interactive,
        open: BTreeSet::new(),
        running: None,
        has_ended: false,
        controls: Vec::new(),
        shown: Vec::new(),
        was_stopped: false,
        failed: false,
    };
    match chat.run(&lines, &interrupt) {
        Ok(()) if chat.failed => Err(Failure { code: 1, says: String::new() }),
        Ok(()) => Ok(()),
        Err(Over::Failed(error)) => Err(Failure::unavailable(error)),
        // Whatever read our output is gone.
        Err(Over::Unread) => Ok(()),
    }
}

/// Reads lines as they are wanted, so that a long pipe does not pile up in memory.
fn read_lines(enter: SyncSender<Option<String>>) -> SyncSender<()> {
    let (want, wanted) = sync_channel(LINES_AHEAD_MAX);
    let read = move || {
        let mut lines = io::stdin().lock().lines();
        while wanted.recv().is_ok() {
            let next = match lines.next() {
                Some(Ok(line)) => Some(line),
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
                Some(Err(_)) | None => return drop(enter.send(None)),
            };
            if enter.send(next).is_err() {
                return;
            }
        }
    };
    thread::spawn(read);
    want
}

struct Chat<W> {
    address: Address,
    conversation: Conversation,
    want_lines: SyncSender<()>,
    screen: Screen<W>,
    /// Whether a person enters the lines.
    is_interactive: bool,
    /// Our messages that have no end yet, by client id.
    open: BTreeSet<String>,
    /// The turn whose text is being shown.
    running: Option<String>,
    /// Whether no more lines come.
    has_ended: bool,
    controls: Vec<Value>,
    shown: Vec<Value>,
    was_stopped: bool,
    failed: bool,
}

/// Whether a button answers an approval.
fn is_of_approval(pressed: &Value) -> bool {
    pressed["source"].as_str().is_some_and(|source| source.starts_with("approval:"))
}

/// Why a conversation can't go on.
enum Over {
    Failed(ConversationError),
    Unread,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Over::Unread
    }
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    End,
}

impl<W: Write> Chat<W> {
    fn run(&mut self, lines: &Receiver<Option<String>>, interrupt: &AtomicBool) -> Result<(), Over> {
        self.screen.note(HELP)?;
        self.next_line()?;
        loop {
            let go = if interrupt.swap(false, Ordering::Relaxed) {
                self.interrupt()
            } else {
                match lines.try_recv() {
                    Ok(Some(line)) => {
                        self.screen.line_was_entered();
                        self.line(line.trim())?
                    }
                    Ok(None) => {
                        self.has_ended = true;
                        if self.is_interactive || self.open.is_empty() { Go::End } else { Go::On }
                    }
                    Err(_) => Go::On,
                }
            };
            if go == Go::End {
                break;
            }
            match self.conversation.receive() {
                Ok(None) => {}
                Ok(Some(update)) => {
                    if self.update(update)? == Go::End {
                        break;
                    }
                }
                Err(error) => {
                    self.screen.end_line()?;
                    return Err(Over::Failed(error));
                }
            }
        }
        Ok(self.screen.end_line()?)
    }

    fn is_idle(&self) -> bool {
        self.open.is_empty() && self.running.is_none()
    }

    /// Asks for the next line: of a person at any time, of a pipe when nothing is open.
    fn next_line(&mut self) -> Result<(), Over> {
        if self.is_idle() {
            self.screen.prompt()?;
        }
        // A reader that has ended has reported it.
        let _ = self.want_lines.try_send(());
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<Go, Over> {
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "" => {}
            "/quit" => return Ok(Go::End),
            "/help" => self.screen.note(HELP)?,
            "/stop" if rest == "all" => {
                self.was_stopped = true;
                self.conversation.stop_all();
            }
            "/stop" => self.stop(),
            "/clear" => self.call("/api/clear", &json!({}))?,
            "/graph" if rest.is_empty() => self.list_graphs()?,
            "/graph" => self.call("/api/graph/switch", &json!({ "name": rest }))?,
            _ if word.starts_with('/') && self.is_interactive => self.screen.error(&format!("There is no command {word}. {HELP}"))?,
            _ => {
                let pressed = self.pressed(line);
                if let Some(answer) = pressed.as_ref().filter(|pressed| is_of_approval(pressed)) {
                    self.decide(answer)?;
                    return self.after_line();
                }
                let message = pressed.unwrap_or_else(|| json!({ "text": line, "dashboard": self.controls }));
                match self.conversation.send(message) {
                    Ok(client_id) => drop(self.open.insert(client_id)),
                    Err(error) => self.complain(&error.to_string())?,
                }
            }
        }
        self.after_line()
    }

    fn after_line(&mut self) -> Result<Go, Over> {
        if self.is_interactive || self.open.is_empty() {
            self.next_line()?;
        }
        Ok(Go::On)
    }

    /// Answers what waits for an approval: this starts no turn, and so has no end of its own.
    fn decide(&mut self, answer: &Value) -> Result<(), Over> {
        match self.address.call("/api/action", Some(&json!({ "action": answer["action"], "source": answer["source"] }))) {
            Ok(_) => Ok(()),
            Err(why) => self.complain(&why.to_string()),
        }
    }

    /// The button that a person means by its number.
    fn pressed(&self, line: &str) -> Option<Value> {
        let at = line.parse::<usize>().ok().filter(|_| self.is_interactive)?.checked_sub(1)?;
        let button = screen::buttons(&self.controls).nth(at)?;
        Some(json!({ "type": "action", "action": button["action"], "data": button["payload"], "source": button["source"] }))
    }

    fn call(&mut self, path: &str, body: &Value) -> Result<(), Over> {
        match self.address.call(path, Some(body)) {
            Ok(answer) => Ok(self.screen.note(answer["note"].as_str().unwrap_or("Cleared."))?),
            Err(why) => self.complain(&why.to_string()),
        }
    }

    fn list_graphs(&mut self) -> Result<(), Over> {
        match self.address.call("/api/graph/list", None) {
            Ok(list) => {
                for graph in list["graphs"].as_array().into_iter().flatten() {
                    let text = |key: &str| graph[key].as_str().unwrap_or_default().to_owned();
                    self.screen.note(&format!("{}: {}", text("name"), text("description")))?;
                }
                Ok(())
            }
            Err(why) => self.complain(&why.to_string()),
        }
    }

    /// A command that failed, or a turn.
    fn complain(&mut self, why: &str) -> Result<(), Over> {
        self.failed = !self.is_interactive;
        self.screen.end_line()?;
        Ok(self.screen.error(why)?)
    }

    fn stop(&mut self) {
        self.was_stopped = true;
        self.conversation.stop();
    }

    /// The first stops the answer; without one, or once more, it ends the conversation.
    fn interrupt(&mut self) -> Go {
        if self.was_stopped || self.is_idle() {
            return Go::End;
        }
        self.stop();
        Go::On
    }

    fn update(&mut self, update: Update) -> Result<Go, Over> {
        match update {
            // Through a pipe come the answers to its own lines alone.
            Update::Text { client_id: None, .. } | Update::Retold { client_id: None, .. } if !self.is_interactive => {}
            Update::Text { turn, kind, content, .. } => {
                self.running = Some(turn);
                match kind {
                    None => self.screen.answer(&content)?,
                    Some(Kind::Progress) => self.screen.progress(&content)?,
                }
            }
            Update::Retold { content, .. } => {
                self.screen.note("The text so far was not the answer. The answer:")?;
                self.screen.replace_answer(&content)?;
            }
            Update::Attached { resumed, controls } => {
                self.screen.note(match resumed {
                    Resumed::First => "",
                    Resumed::Whole => "The connection is back.",
                    Resumed::Gap => "The connection is back; a part of the conversation was missed.",
                    Resumed::Restarted => "The server restarted and the previous conversation was lost.",
                })?;
                if matches!(resumed, Resumed::Gap | Resumed::Restarted) {
                    self.running = None;
                }
                if resumed == Resumed::Restarted {
                    self.screen.replace_answer("")?;
                }
                self.take_controls(controls)?;
            }
            Update::Controls { controls } => self.take_controls(controls)?,
            Update::Disconnected => self.screen.note("The connection is lost; trying to get it back.")?,
            Update::Refused(Refused { client_id, error, .. }) => {
                self.open.remove(&client_id);
                self.complain(&error)?;
                return self.ended();
            }
            Update::Done(done) => return self.done(&done),
            Update::Cleared => self.screen.note("The conversation starts over.")?,
        }
        Ok(Go::On)
    }

    fn take_controls(&mut self, controls: Vec<Value>) -> Result<(), Over> {
        self.controls = controls;
        // A turn that waits for an approval goes on only when that is seen.
        if screen::approvals(&self.controls).next().is_some() {
            if !self.is_interactive && self.controls != self.shown {
                self.screen.error("This turn waits for an approval. Answer it on the page, or in `framewright chat` on a terminal.")?;
            }
            self.screen.end_line()?;
            self.show_controls()?;
            return Ok(self.screen.prompt()?);
        }
        if self.is_idle() {
            self.show_controls()?;
            self.screen.prompt()?;
        }
        Ok(())
    }

    fn done(&mut self, done: &Done) -> Result<Go, Over> {
        self.running = None;
        let is_own = done.client_id.as_ref().is_some_and(|client_id| self.open.remove(client_id));
        if !is_own && !self.is_interactive {
            return Ok(Go::On);
        }
        if done.has_gap {
            match self.conversation.answer(&done.turn) {
                Ok(answer) => self.screen.replace_answer(&answer)?,
                Err(why) => self.complain(&format!("The answer is incomplete: {why}"))?,
            }
        }
        self.screen.end_line()?;
        if let Some(why) = &done.error {
            self.complain(why)?;
        } else if done.cancelled {
            self.complain(if done.withdrawn { "Stopped; the conversation goes on without it." } else { "Stopped." })?;
        }
        self.ended()
    }

    /// One of our messages has its end, or another client's turn.
    fn ended(&mut self) -> Result<Go, Over> {
        let is_over = !self.is_interactive && (self.was_stopped || self.has_ended) && self.open.is_empty();
        // What waited runs now, and can be stopped as well.
        self.was_stopped &= !self.is_interactive && !self.open.is_empty();
        self.show_controls()?;
        if is_over {
            return Ok(Go::End);
        }
        self.next_line()?;
        Ok(Go::On)
    }

    fn show_controls(&mut self) -> Result<(), Over> {
        if self.controls != self.shown {
            self.shown.clone_from(&self.controls);
            self.screen.controls(&self.shown)?;
        }
        Ok(())
    }
}
