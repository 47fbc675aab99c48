//! The shape of a node that asks one question and routes by its structured answer.
//!
//! An answer that doesn't fit is asked for once more by the engine; after that the node's own fallback takes its place. To add
//! such a node: copy the nearest file and add a line to [`Asking`].

use super::{Flow, Out, Task, View, director, input, interpreter, memorizer, pa, read};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) trait Asks {
    /// What the model answers.
    type Answer: DeserializeOwned;

    /// Routes by an answer, or says why it doesn't fit.
    fn take(view: &View<'_>, out: &mut Out, answer: Self::Answer) -> Result<Flow, String>;

    /// Stands in for an answer that can't be understood; it always fits.
    fn fallback(view: &View<'_>) -> Self::Answer;
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
        view.ask(Task::Asking(self))
    }

    /// Takes an answer; without one the fallback.
    pub(super) fn resume(self, view: &View<'_>, out: &mut Out, answer: Option<&str>) -> Flow {
        let taken = match self {
            Asking::Input => take::<input::Input>(view, out, answer),
            Asking::Director => take::<director::Director>(view, out, answer),
            Asking::Interpreter => take::<interpreter::Interpreter>(view, out, answer),
            Asking::Pa => take::<pa::Pa>(view, out, answer),
            Asking::Memorizer => take::<memorizer::Memorizer>(view, out, answer),
        };
        taken.unwrap_or_else(|why| Flow::Again { why, task: Task::Asking(self) })
    }
}

fn take<N: Asks>(view: &View<'_>, out: &mut Out, answer: Option<&str>) -> Result<Flow, String> {
    let answer = answer.map_or_else(|| Ok(N::fallback(view)), read)?;
    N::take(view, out, answer)
}
