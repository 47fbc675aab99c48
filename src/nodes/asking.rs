//! The shape of a node that asks one question and routes by its structured answer.
//!
//! The engine asks once more for an answer that doesn't fit; after that the node takes its default route, which makes nothing
//! up. To add such a node: copy the nearest file and add a line to [`Asking`].

use super::{Flow, Out, Task, Unfit, View, director, input, interpreter, memorizer, pa, read};
use crate::contract::{ModelRequest, Request, StreamedField};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) trait Asks {
    /// What the model answers.
    type Answer: DeserializeOwned;

    /// The field of the answer that the user reads while it is made.
    fn streamed_field() -> Option<StreamedField> {
        None
    }

    /// Routes by an answer, or says why it doesn't fit.
    fn take(view: &View<'_>, out: &mut Out, answer: Self::Answer) -> Result<Flow, Unfit>;

    /// The default route, where no answer could be understood.
    fn give_up(view: &View<'_>, out: &mut Out) -> Flow;
}

/// The node that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Asking {
    Input,
    Director,
    Interpreter,
    Pa,
    Memorizer,
}

impl Asking {
    /// The question, in the node's own prompt.
    pub(super) fn begin(self, view: &View<'_>) -> Flow {
        let streamed_field = match self {
            Asking::Input => input::Input::streamed_field(),
            Asking::Director => director::Director::streamed_field(),
            Asking::Interpreter => interpreter::Interpreter::streamed_field(),
            Asking::Pa => pa::Pa::streamed_field(),
            Asking::Memorizer => memorizer::Memorizer::streamed_field(),
        };
        Flow::Ask(Request::Model(ModelRequest { streamed_field, ..view.request(view.node.prompt.fill(view), false) }), Task::Asking(self))
    }

    pub(super) fn resume(self, view: &View<'_>, out: &mut Out, answer: &str) -> Flow {
        let taken = match self {
            Asking::Input => take::<input::Input>(view, out, answer),
            Asking::Director => take::<director::Director>(view, out, answer),
            Asking::Interpreter => take::<interpreter::Interpreter>(view, out, answer),
            Asking::Pa => take::<pa::Pa>(view, out, answer),
            Asking::Memorizer => take::<memorizer::Memorizer>(view, out, answer),
        };
        taken.unwrap_or_else(|why| Flow::Again { why, task: Task::Asking(self) })
    }

    pub(super) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        out.summary = "not understood".to_owned();
        match self {
            Asking::Input => input::Input::give_up(view, out),
            Asking::Director => director::Director::give_up(view, out),
            Asking::Interpreter => interpreter::Interpreter::give_up(view, out),
            Asking::Pa => pa::Pa::give_up(view, out),
            Asking::Memorizer => memorizer::Memorizer::give_up(view, out),
        }
    }
}

fn take<N: Asks>(view: &View<'_>, out: &mut Out, answer: &str) -> Result<Flow, Unfit> {
    N::take(view, out, read(answer)?)
}
