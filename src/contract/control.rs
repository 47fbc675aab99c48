//! Controls, machines and the state that displays bind to: what a session shows beside its text.
//!
//! Nodes and tools say what should change as [`Change`]s; [`Ui::apply`] is the only way in which anything changes.
//!
//! Invariants: a machine's current and initial state exist; every `go` of its buttons names a state of it;
//! `controls()` is derived from the rest and never stored.

use super::{ApprovalControl, CallId, Limits, Name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One thing that the user sees: a button to press, a display to read, or something to approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Control {
    Button(Button),
    Display(Display),
    /// Waits for an answer; the engine shows it, and no model.
    Approval(Box<ApprovalControl>),
}

/// A button. `go` names the next state of its machine and needs no model; `payload` goes along with the action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Button {
    #[serde(rename = "type")]
    kind: ButtonTag,
    pub label: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<String>,
    #[serde(default)]
    pub source: Source,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ButtonTag {
    #[default]
    Button,
}

/// Whom a button belongs to: `thinker`, `machine:<id>`, or `approval:<pid>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    #[default]
    Thinker,
    Machine(String),
    /// The call that waits to be approved.
    Approval(CallId),
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        match source {
            Source::Thinker => "thinker".to_owned(),
            Source::Machine(id) => format!("machine:{id}"),
            Source::Approval(call) => format!("approval:{}", call.0),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Source, &'static str> {
        let call = || text.strip_prefix("approval:").and_then(|pid| pid.parse().ok()).map(CallId);
        match (text.as_str(), text.strip_prefix("machine:")) {
            ("thinker", _) => Ok(Source::Thinker),
            (_, Some(id)) => Ok(Source::Machine(id.to_owned())),
            (_, None) => call().map(Source::Approval).ok_or("`source` must be `thinker`, `machine:<id>` or `approval:<pid>`"),
        }
    }
}

/// Something to read. `key` binds it to an entry of the user interface state; what its kind needs beside is in `rest`:
/// `text`, `value`, `columns` and `rows`, `series`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Display {
    #[serde(rename = "type")]
    pub kind: DisplayKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayKind {
    Text,
    Value,
    Table,
    Chart,
    Progress,
}

impl DisplayKind {
    /// What it shows first: a bound value takes its place.
    fn main_field(self) -> &'static str {
        match self {
            DisplayKind::Text => "text",
            DisplayKind::Value | DisplayKind::Progress => "value",
            DisplayKind::Table => "rows",
            DisplayKind::Chart => "series",
        }
    }
}

/// A little state machine in the chat. States keep the order in which they were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub id: String,
    pub initial: String,
    pub current: String,
    pub states: Arc<Vec<State>>,
}

/// One state: what is shown while the machine is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub name: String,
    pub buttons: Vec<Button>,
    pub content: Vec<Display>,
}

/// A change that a node asks for; the engine applies it when the frame ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Adds to the controls of the answer that is being made.
    Show(Vec<Control>),
    SetState {
        key: String,
        value: Value,
    },
    CreateMachine(Machine),
    AddState {
        id: String,
        state: State,
    },
    Go {
        id: String,
        to: String,
    },
    ResetMachine {
        id: String,
    },
    DestroyMachine {
        id: String,
    },
}

/// Why a change can't be applied, in words for the model that asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UiError {
    NoMachine { id: String },
    MachineExists { id: String },
    NoState { id: String, state: String },
    TwoStates { id: String, state: String },
    TooMany { what: Name, most: usize },
    TooLarge { what: Name, bytes_max: usize },
}

impl fmt::Display for UiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UiError::NoMachine { id } => write!(f, "there is no machine `{id}`: create it first"),
            UiError::MachineExists { id } => write!(f, "there is a machine `{id}` already: destroy it first, or choose another id"),
            UiError::NoState { id, state } => write!(f, "the machine `{id}` has no state `{state}`: add it, or name one that it has"),
            UiError::TwoStates { id, state } => write!(f, "the machine `{id}` has two states `{state}`: rename one, or leave one out"),
            UiError::TooMany { what, most } => write!(f, "too many {what}: at most {most}"),
            UiError::TooLarge { what, bytes_max } => write!(f, "the {what} is too large: at most {bytes_max} bytes of JSON"),
        }
    }
}

/// What a session shows beside its text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ui {
    /// The controls of the last answer.
    pub thinker: Vec<Control>,
    /// In the order of their creation.
    pub machines: Vec<Machine>,
    /// What displays bind to by `key`.
    pub state: BTreeMap<String, Value>,
}

impl Button {
    pub fn new(label: impl Into<String>, action: impl Into<String>) -> Self {
        Button { kind: ButtonTag::Button, label: label.into(), action: action.into(), payload: None, go: None, source: Source::Thinker }
    }
}

impl Ui {
    /// All that is shown now: the last answer's controls, then each machine's content and buttons. A display with a `key`
    /// shows what the state holds under it.
    pub fn controls(&self) -> Vec<Control> {
        let bound = |control: &Control| match control {
            Control::Button(button) => Control::Button(button.clone()),
            Control::Display(display) => Control::Display(self.bound(display)),
            Control::Approval(approval) => Control::Approval(approval.clone()),
        };
        let mut controls: Vec<Control> = self.thinker.iter().map(bound).collect();
        for machine in &self.machines {
            let state = machine.state();
            controls.extend(state.content.iter().map(|display| Control::Display(self.bound(display))));
            controls.extend(state.buttons.iter().cloned().map(Control::Button));
        }
        controls
    }

    fn bound(&self, display: &Display) -> Display {
        let mut display = display.clone();
        match display.key.as_ref().and_then(|key| self.state.get(key)) {
            None => {}
            Some(Value::Object(fields)) => {
                let fields = fields.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
                display.rest.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
            }
            Some(value) => {
                display.rest.insert(display.kind.main_field().to_owned(), value.clone());
            }
        }
        display
    }

    /// The button that an action means: machines first, then the last answer's, unless `source` says whose it is.
    pub fn button(&self, action: &str, source: Option<&Source>) -> Option<&Button> {
        let of_machines = self.machines.iter().flat_map(|machine| &machine.state().buttons);
        let of_answer = self.thinker.iter().filter_map(|control| match control {
            Control::Button(button) => Some(button),
            Control::Display(_) | Control::Approval(_) => None,
        });
        of_machines.chain(of_answer).find(|button| button.action == action && source.is_none_or(|source| *source == button.source))
    }

    /// Applies one change or says why it can't be. A refused change leaves everything as it was.
    pub fn apply(&mut self, change: Change, limits: &Limits) -> Result<(), UiError> {
        // A step of a machine shows what was checked when the machine was made, unless displays bind what has changed since.
        if matches!(change, Change::Go { .. } | Change::ResetMachine { .. } | Change::DestroyMachine { .. }) && self.state.is_empty() {
            return self.change(change, limits);
        }
        let mut changed = self.clone();
        changed.change(change, limits)?;
        small("whole of what is shown", &changed.controls(), limits.shown_bytes_max)?;
        *self = changed;
        Ok(())
    }

    fn change(&mut self, change: Change, limits: &Limits) -> Result<(), UiError> {
        match change {
            Change::Show(mut controls) => {
                // One that is shown once more, corrected, takes the place of the first.
                self.thinker.retain(|before| !controls.iter().any(|control| control.replaces(before)));
                few("controls", self.thinker.len() + controls.len(), limits.controls_max)?;
                for control in &controls {
                    small("control", control, limits.ui_bytes_max)?;
                }
                let taken: Vec<String> = self.thinker.iter().filter_map(Control::action).map(str::to_owned).collect();
                tidy(controls.iter_mut(), taken);
                self.thinker.extend(controls);
            }
            Change::SetState { key, value } => {
                let mut state = self.state.clone();
                state.insert(key, value);
                small("user interface state", &state, limits.ui_bytes_max)?;
                self.state = state;
            }
            Change::CreateMachine(mut machine) => {
                if self.machines.iter().any(|known| known.id == machine.id) {
                    return Err(UiError::MachineExists { id: machine.id });
                }
                few("machines", self.machines.len() + 1, limits.machines_max)?;
                Arc::make_mut(&mut machine.states).iter_mut().for_each(State::tidy);
                machine.check(limits)?;
                self.machines.push(machine);
            }
            Change::AddState { id, mut state } => {
                state.tidy();
                let machine = self.machine(&id)?;
                let mut changed = machine.clone();
                let states = Arc::make_mut(&mut changed.states);
                match states.iter_mut().find(|known| known.name == state.name) {
                    Some(known) => *known = state,
                    None => states.push(state),
                }
                changed.check(limits)?;
                *machine = changed;
            }
            Change::Go { id, to } => {
                let machine = self.machine(&id)?;
                machine.has(&to)?;
                machine.current = to;
            }
            Change::ResetMachine { id } => {
                let machine = self.machine(&id)?;
                machine.current = machine.initial.clone();
            }
            Change::DestroyMachine { id } => {
                self.machine(&id)?;
                self.machines.retain(|machine| machine.id != id);
            }
        }
        Ok(())
    }

    fn machine(&mut self, id: &str) -> Result<&mut Machine, UiError> {
        self.machines.iter_mut().find(|machine| machine.id == id).ok_or_else(|| UiError::NoMachine { id: id.to_owned() })
    }
}

impl Machine {
    /// The state that the machine is in.
    pub fn state(&self) -> &State {
        let state = self.states.iter().find(|state| state.name == self.current);
        state.expect("a machine's current state exists: checked when it was made and at every step")
    }

    fn has(&self, name: &str) -> Result<(), UiError> {
        match self.states.iter().any(|state| state.name == name) {
            true => Ok(()),
            false => Err(UiError::NoState { id: self.id.clone(), state: name.to_owned() }),
        }
    }

    fn check(&self, limits: &Limits) -> Result<(), UiError> {
        few("states", self.states.len(), limits.controls_max)?;
        self.has(&self.initial)?;
        self.has(&self.current)?;
        for (place, state) in self.states.iter().enumerate() {
            if self.states[..place].iter().any(|before| before.name == state.name) {
                return Err(UiError::TwoStates { id: self.id.clone(), state: state.name.clone() });
            }
            few("controls", state.buttons.len() + state.content.len(), limits.controls_max)?;
            for button in &state.buttons {
                if let Some(go) = &button.go {
                    self.has(go)?;
                }
            }
        }
        small("machine", self, limits.ui_bytes_max)
    }
}

impl State {
    fn tidy(&mut self) {
        self.content.iter_mut().for_each(Display::tidy);
        distinct(self.buttons.iter_mut(), Vec::new());
    }
}

impl Display {
    /// What only a control's own fields may say is not taken from a model's further ones.
    fn tidy(&mut self) {
        self.rest.retain(|name, _| !RESERVED.contains(&name.as_str()));
    }
}

impl Control {
    /// Whether a display is another try at one that is shown: the same, or of the same kind and name.
    fn replaces(&self, before: &Control) -> bool {
        match (self, before) {
            (Control::Display(new), Control::Display(old)) => {
                let is_named = new.label.is_some() || new.key.is_some();
                new == old || (is_named && (new.kind, &new.label, &new.key) == (old.kind, &old.label, &old.key))
            }
            (Control::Button(_) | Control::Approval(_), _) | (_, Control::Button(_) | Control::Approval(_)) => false,
        }
    }

    fn action(&self) -> Option<&str> {
        match self {
            Control::Button(button) => Some(&button.action),
            Control::Display(_) | Control::Approval(_) => None,
        }
    }
}

/// Fields with a meaning of their own.
const RESERVED: &[&str] = &["type", "label", "key", "source", "action", "go", "payload"];

fn tidy<'a>(controls: impl Iterator<Item = &'a mut Control>, taken: Vec<String>) {
    let mut buttons = Vec::new();
    for control in controls {
        match control {
            Control::Button(button) => buttons.push(button),
            Control::Display(display) => display.tidy(),
            Control::Approval(_) => {}
        }
    }
    distinct(buttons.into_iter(), taken);
}

/// Gives each button that stands beside another of the same action one of its own: an action means one button.
fn distinct<'a>(buttons: impl Iterator<Item = &'a mut Button>, mut taken: Vec<String>) {
    for button in buttons {
        let named = button.action.clone();
        for number in 2.. {
            if !taken.contains(&button.action) {
                break;
            }
            button.action = format!("{named}_{number}");
        }
        taken.push(button.action.clone());
    }
}

fn few(what: &'static str, count: usize, most: usize) -> Result<(), UiError> {
    if count > most { Err(UiError::TooMany { what: what.into(), most }) } else { Ok(()) }
}

fn small(what: &'static str, thing: &impl Serialize, bytes_max: usize) -> Result<(), UiError> {
    let bytes = serde_json::to_vec(thing).map_or(usize::MAX, |json| json.len());
    if bytes > bytes_max { Err(UiError::TooLarge { what: what.into(), bytes_max }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
