//! The demo model: what answers when no real model is configured.
//!
//! It follows rules from data files and draws nothing at random. It stands behind the same interface as any model and reads the
//! same text, so nothing around it knows that it is the demo; [`Demo::answer`] is pure, so it can also speak over HTTP.

mod arithmetic;
mod experts;
mod figures;
mod questions;
mod roles;
mod rules;
mod slots;
mod template;

use super::{Call, Ended, Model};
use crate::contract::{Answer, CallError, ChatMessage, Finish, ModelRequest, ToolCall, Usage};
use crate::reading::FieldStream;
use rules::Rules;
use std::sync::Arc;
use std::time::Duration;

pub use slots::{Asked, slots_of};

pub const NAME: &str = "demo";

#[derive(Clone, Debug)]
pub struct Demo {
    rules: Arc<Rules>,
    /// Between two words of an answer, so that it can be seen to stream.
    word_pause: Duration,
}

/// An answer as a whole.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub text: String,
    pub tool_calls: Vec<ToolCall>,
    pub usage: Usage,
}

impl Demo {
    pub fn new(word_pause: Duration) -> Demo {
        Demo { rules: Arc::new(Rules::load().expect("the built-in rules are read by a test")), word_pause }
    }

    /// Answers a request from its text alone.
    pub fn answer(&self, messages: &[ChatMessage], may_call_tools: bool) -> Said {
        let (text, tool_calls) = roles::answer(&self.rules, slots_of(messages), may_call_tools);
        let words = |text: &str| text.split_whitespace().count() as u64;
        let prompt_tokens = messages.iter().map(|message| words(&message.text.to_string())).sum();
        let completion_tokens = words(&text) + tool_calls.iter().map(|call| words(&call.args.to_string())).sum::<u64>();
        let total_tokens = prompt_tokens + completion_tokens;
        let usage = Usage { prompt_tokens, completion_tokens, total_tokens, ..Usage::NONE };
        Said { text, tool_calls, usage }
    }
}

impl Model for Demo {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        let Said { text, tool_calls, usage } = Demo::answer(self, &request.messages, !request.tools.is_empty());
        let finish = if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        let mut answer = Answer { tool_calls, finish, model: NAME.to_owned(), ..Answer::default() };
        let mut field_stream = request.streamed_field.as_ref().map(FieldStream::new);
        let mut shown: Vec<String> = match &mut field_stream {
            Some(field_stream) => words(&text).map(|word| field_stream.take(word).to_owned()).filter(|word| !word.is_empty()).collect(),
            None if request.stream => words(&text).map(str::to_owned).collect(),
            None => Vec::new(),
        };
        if shown.is_empty() {
            // Nobody sees it grow, so it takes the time of one word.
            shown.push(String::new());
        }
        for (said, word) in shown.iter().enumerate() {
            if !call.cancel.pause(self.word_pause) {
                let completion_tokens = said as u64;
                let usage = Usage { completion_tokens, total_tokens: usage.prompt_tokens + completion_tokens, ..usage };
                return Ended { usage, outcome: Err(CallError::Cancelled) };
            }
            call.say(word);
        }
        if !request.stream {
            answer.text = text;
        }
        Ended { usage, outcome: Ok(answer) }
    }
}

/// A text in words, each with the space behind it.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

#[cfg(test)]
#[path = "demo_tests.rs"]
mod tests;
