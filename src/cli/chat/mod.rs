//! `framewright chat`: a conversation in the terminal, or through a pipe, over the public interface.
//!
//! Everything that happens, a line that was written, a word of the server, Ctrl-C, comes through one channel, so a
//! conversation is a loop over what is heard. In a pipe one line is said after the other, each when the last has its
//! answer. A turn is known by its number: the server counts them up, so whatever comes after the last known one is ours.

mod link;
mod screen;

use super::Failure;
use super::colour::Colour;
use crate::client::Address;
use screen::Screen;
pub(super) use screen::steerless;
use serde_json::{Value, json};
use signal_hook::consts::SIGINT;
use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Server to talk to
    #[arg(long, value_name = "URL", env = "FRAMEWRIGHT_URL", default_value = "http://127.0.0.1:7878", hide_env_values = true)]
    url: String,
    /// Session to talk in; the page uses `default` too
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_SESSION", default_value = "default")]
    session: String,
    /// Token of the user, where the server wants one [default: none]
    #[arg(long, value_name = "TOKEN", env = "FRAMEWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File of certificates in PEM form that are trusted instead of the well-known ones [default: none]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CA")]
    ca: Option<PathBuf>,
    /// Whether to colour; NO_COLOR is heeded
    #[arg(long, value_name = "WHEN", value_enum, env = "FRAMEWRIGHT_COLOR", default_value = "auto")]
    color: Colour,
}

/// Everything that can happen to a conversation.
enum Heard {
    Line(String),
    EndOfLines,
    Interrupt,
    Said(Value),
    Lost,
    Back,
    /// The connection is given up.
    Over(Failure),
}

/// Lines of a pipe that are read ahead.
const LINES_AHEAD_MAX: usize = 16;
/// What may wait until it is shown. Beyond: the server keeps it.
const HEARD_MAX: usize = 4_096;
/// Messages of a person that may have no answer yet, as many as a server usually takes.
const OPEN_MAX: usize = 9;
const HELP: &str = "A number presses that button. /clear begins anew, /stop or Ctrl-C stops the answer, /graph NAME goes on with \
                    another graph, /graph names them all, /quit or Ctrl-D ends.";

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let address = Address::new(&options.url, &options.session, options.token.as_deref(), options.ca.as_deref()).map_err(Failure::config)?;
    let (heard_by, heard) = sync_channel(HEARD_MAX);
    let (say, to_say) = channel();
    link::Link::start(address.clone(), to_say, heard_by.clone())?;
    listen_for_interrupts(heard_by.clone()).map_err(Failure::unavailable)?;
    let (is_asked, is_shown) = (io::stdin().is_terminal(), io::stdout().is_terminal());
    let screen = Screen::new(io::stdout().lock(), is_asked && is_shown, options.color.is_wanted(is_shown));
    let mut chat = Chat::new(address, say, read_lines(heard_by), screen, is_asked)?;
    match chat.talk(&heard) {
        Ok(()) if chat.failed => Err(Failure { code: 1, says: String::new() }),
        Ok(()) => Ok(()),
        Err(Over::Failed(failure)) => Err(failure),
        // Whoever read what we write has gone: there is nobody left to tell.
        Err(Over::Unheard) => Ok(()),
    }
}

/// Reads lines as they are wanted, so that a long pipe does not pile up in memory.
fn read_lines(heard: SyncSender<Heard>) -> SyncSender<()> {
    let (want, wanted) = sync_channel(LINES_AHEAD_MAX);
    let read = move || {
        let mut lines = io::stdin().lock().lines();
        while wanted.recv().is_ok() {
            let next = match lines.next() {
                Some(Ok(line)) => Heard::Line(line),
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Heard::Line(String::new()),
                Some(Err(_)) | None => return drop(heard.send(Heard::EndOfLines)),
            };
            if heard.send(next).is_err() {
                return;
            }
        }
    };
    thread::spawn(read);
    want
}

fn listen_for_interrupts(heard: SyncSender<Heard>) -> io::Result<()> {
    let (mut signals, told) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGINT, told)?;
    let pass_on = move || {
        let mut signal = [0; 1];
        while let Ok(1) = signals.read(&mut signal) {
            if heard.send(Heard::Interrupt).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(pass_on).map(drop)
}

struct Chat<W> {
    address: Address,
    say: Sender<Value>,
    want_lines: SyncSender<()>,
    screen: Screen<W>,
    /// Whether a person writes the lines.
    is_asked: bool,
    /// What was said and has no end yet, the oldest first.
    open: VecDeque<Value>,
    /// While the connection is lost: how much was open then. The rest was not said yet.
    away: Option<usize>,
    /// Whether no line comes any more.
    has_ended: bool,
    /// The last turn that has ended, and the one that is being heard.
    ended: u64,
    running: u64,
    controls: Vec<Value>,
    shown: Vec<Value>,
    was_stopped: bool,
    failed: bool,
}

/// Why a conversation can't go on.
enum Over {
    Failed(Failure),
    Unheard,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Over::Unheard
    }
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    End,
}

impl<W: Write> Chat<W> {
    fn new(address: Address, say: Sender<Value>, want_lines: SyncSender<()>, screen: Screen<W>, is_asked: bool) -> Result<Self, Failure> {
        let result = address.call("/api/result", None).map_err(Failure::unavailable)?;
        let number = number(&result);
        let ended = if result["status"] == "running" && is_asked { number.saturating_sub(1) } else { number };
        Ok(Chat {
            address,
            say,
            want_lines,
            screen,
            is_asked,
            open: VecDeque::new(),
            away: None,
            has_ended: false,
            ended,
            running: 0,
            controls: Vec::new(),
            shown: Vec::new(),
            was_stopped: false,
            failed: false,
        })
    }

    fn talk(&mut self, heard: &Receiver<Heard>) -> Result<(), Over> {
        self.screen.note(HELP)?;
        self.next_line()?;
        while let Ok(heard) = heard.recv() {
            let go = match heard {
                Heard::Line(line) => {
                    self.screen.line_was_entered();
                    self.line(line.trim())?
                }
                Heard::EndOfLines => {
                    self.has_ended = true;
                    if self.is_asked || self.open.is_empty() { Go::End } else { Go::On }
                }
                Heard::Interrupt => self.interrupt()?,
                Heard::Said(said) => self.said(&said)?,
                Heard::Lost => {
                    self.away = Some(self.open.len());
                    self.screen.note("The connection is lost; trying to get it back.")?;
                    Go::On
                }
                Heard::Back => self.back()?,
                Heard::Over(failure) => {
                    self.screen.end_line()?;
                    return Err(Over::Failed(failure));
                }
            };
            if go == Go::End {
                break;
            }
        }
        Ok(self.screen.end_line()?)
    }

    /// Asks for the next line: of a person at any time, of a pipe when nothing is open.
    fn next_line(&mut self) -> Result<(), Over> {
        if self.open.is_empty() && self.running == 0 {
            self.screen.prompt()?;
        }
        // A reader that has ended has told so.
        let _ = self.want_lines.try_send(());
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<Go, Over> {
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "" => {}
            "/quit" => return Ok(Go::End),
            "/help" => self.screen.note(HELP)?,
            "/stop" => self.stop(),
            "/clear" => self.call("/api/clear", &json!({}))?,
            "/graph" if rest.is_empty() => self.name_graphs()?,
            "/graph" => self.call("/api/graph/switch", &json!({ "name": rest }))?,
            _ if word.starts_with('/') && self.is_asked => self.screen.error(&format!("There is no command {word}. {HELP}"))?,
            _ if self.open.len() >= OPEN_MAX => {
                self.screen.error("Too much waits for an answer already: let one of them come, or /stop.")?
            }
            _ => {
                let said = match self.pressed(line) {
                    Some(action) => action,
                    None => json!({ "text": line, "dashboard": self.controls }),
                };
                self.open.push_back(said.clone());
                if self.away.is_none() {
                    self.say(said);
                }
            }
        }
        if self.is_asked || self.open.is_empty() {
            self.next_line()?;
        }
        Ok(Go::On)
    }

    /// A connection that is given up says so itself.
    fn say(&self, said: Value) {
        let _ = self.say.send(said);
    }

    /// The button that a person means by its number.
    fn pressed(&self, line: &str) -> Option<Value> {
        let at = line.parse::<usize>().ok().filter(|_| self.is_asked)?.checked_sub(1)?;
        let button = screen::buttons(&self.controls).nth(at)?;
        Some(json!({ "type": "action", "action": button["action"], "data": button["payload"], "source": button["source"] }))
    }

    fn call(&mut self, path: &str, body: &Value) -> Result<(), Over> {
        match self.address.call(path, Some(body)) {
            Ok(answer) => Ok(self.screen.note(answer["note"].as_str().unwrap_or("Cleared."))?),
            Err(why) => self.complain(&why.to_string()),
        }
    }

    fn name_graphs(&mut self) -> Result<(), Over> {
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
        self.failed = !self.is_asked;
        self.screen.end_line()?;
        Ok(self.screen.error(why)?)
    }

    fn stop(&mut self) {
        self.was_stopped = true;
        self.say(json!({ "type": "stop" }));
    }

    /// The first stops the answer; without one, or once more, it ends the conversation.
    fn interrupt(&mut self) -> Result<Go, Over> {
        if self.was_stopped || (self.open.is_empty() && self.running == 0) {
            return Ok(Go::End);
        }
        self.stop();
        Ok(Go::On)
    }

    fn said(&mut self, said: &Value) -> Result<Go, Over> {
        match said["type"].as_str().unwrap_or_default() {
            "delta" if number(said) > self.ended => {
                self.running = number(said);
                let text = said["content"].as_str().unwrap_or_default();
                if said["kind"] == "progress" { self.screen.progress(text)? } else { self.screen.answer(text)? }
            }
            "controls" => {
                self.controls = said["controls"].as_array().cloned().unwrap_or_default();
                if said["gap"] == true {
                    self.screen.note("A part of the conversation was missed.")?;
                    return self.catch_up();
                }
                if self.open.is_empty() && self.running == 0 {
                    self.show_controls()?;
                    self.screen.prompt()?;
                }
            }
            "done" if said["refused"] == true => {
                self.open.pop_back();
                self.complain(said["error"].as_str().unwrap_or_default())?;
                self.next_line()?;
            }
            "done" if number(said) > self.ended => return self.done(said),
            "cleared" => self.screen.note("The conversation begins anew.")?,
            _ => {}
        }
        Ok(Go::On)
    }

    fn done(&mut self, said: &Value) -> Result<Go, Over> {
        (self.ended, self.running) = (number(said), 0);
        self.open.pop_front();
        self.screen.end_line()?;
        if let Some(why) = said["error"].as_str() {
            self.complain(why)?;
        } else if said["cancelled"] == true {
            self.complain("Stopped.")?;
        }
        let is_over = !self.is_asked && (self.was_stopped || (self.has_ended && self.open.is_empty()));
        self.was_stopped = self.was_stopped && !self.open.is_empty();
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

    /// What was said just before the connection broke may not have arrived: the server's count tells.
    fn back(&mut self) -> Result<Go, Over> {
        self.screen.note("The connection is back.")?;
        let before = self.away.take().unwrap_or(0);
        let latest = self.address.call("/api/result", None).map(|result| number(&result));
        if let Ok(latest) = latest
            && latest < self.ended.max(self.running)
        {
            self.screen.note("The server has begun anew.")?;
            (self.ended, self.running) = (latest, 0);
        }
        let has_begun = self.running != 0 || latest.is_ok_and(|latest| latest > self.ended);
        let again = if has_begun { before } else { 0 };
        self.open.iter().skip(again).for_each(|said| self.say(said.clone()));
        Ok(Go::On)
    }

    /// The end of a turn may be in what was missed.
    fn catch_up(&mut self) -> Result<Go, Over> {
        let Ok(result) = self.address.call("/api/result", None) else { return Ok(Go::On) };
        match result["status"].as_str().unwrap_or_default() {
            "done" | "error" if number(&result) > self.ended => {
                self.screen.end_line()?;
                self.screen.answer(result["response"].as_str().unwrap_or_default())?;
                self.done(&json!({ "id": result["id"], "error": result["detail"] }))
            }
            _ => Ok(Go::On),
        }
    }
}

/// The number of a turn: 7 of `msg_7`, 0 of none.
fn number(of: &Value) -> u64 {
    of["id"].as_str().and_then(|id| id.strip_prefix("msg_")?.parse().ok()).unwrap_or(0)
}
