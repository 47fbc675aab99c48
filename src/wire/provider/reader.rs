//! The reader of one answer.

use super::chunk::{self, Chunk, Delta, says_something};
use super::dialect::Complaint;
use super::lines::{Lines, Said};
use super::thinking::{Manner, Thinking};
use super::tool_calls::ToolCalls;
use crate::contract::{Answer, CallError, Finish, Usage, clip};
use crate::reading::FieldStream;
use serde_json::Value;

/// What one answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of text, and of tool calls.
    pub text_bytes_max: usize,
    /// Bytes of one line, of one event, or of an answer that comes as one document.
    pub piece_bytes_max: usize,
    /// Bytes of everything, reasoning and comments too.
    pub all_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { text_bytes_max: 1 << 20, piece_bytes_max: 4 << 20, all_bytes_max: 32 << 20 }
    }
}

/// Bytes of thoughts that an answer keeps.
const THOUGHTS_BYTES_MAX: usize = 64 << 10;

/// What of an answer's text goes out in pieces while it comes.
#[derive(Debug)]
pub enum Streams<'a> {
    Nothing,
    /// All of it; the answer then holds no text.
    Text,
    /// A field of it. It may have been streamed in part by an earlier try.
    Field(&'a mut FieldStream),
}

/// Reads one answer: feed it until it is [`done`](Self::done) or the bytes end, then [`end`](Self::end) it.
#[derive(Debug)]
pub struct Reader<'a> {
    bounds: Bounds,
    form: Form,
    bytes: usize,
    streams: Streams<'a>,
    thinking: Thinking,
    tool_calls: ToolCalls,
    model: String,
    usage: Usage,
    finish: Option<Finish>,
    /// The stream has said `[DONE]`.
    done: bool,
    has_choice: bool,
    has_begun: bool,
    objects: u64,
    /// The error that the provider reported inside its answer, cut.
    trouble: Option<String>,
}

const TROUBLE_BYTES_MAX: usize = 8 << 10;

#[derive(Debug)]
enum Form {
    /// Only blanks so far, or the beginning of a byte order mark.
    Unknown(Vec<u8>),
    Stream(Lines),
    Document(Vec<u8>),
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<'a> Reader<'a> {
    pub fn new(bounds: Bounds, manner: Manner, streams: Streams<'a>) -> Self {
        Reader {
            bounds,
            form: Form::Unknown(Vec::new()),
            bytes: 0,
            streams,
            thinking: Thinking::new(manner, bounds.text_bytes_max),
            tool_calls: ToolCalls::default(),
            model: String::new(),
            usage: Usage::default(),
            finish: None,
            done: false,
            has_choice: false,
            has_begun: false,
            objects: 0,
            trouble: None,
        }
    }

    /// Nothing that still comes matters.
    pub fn done(&self) -> bool {
        self.done
    }

    /// The model has finished its answer: only counts may still come.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Objects read: what grows while a model works, be it on text, a tool call or a thought. Comments don't count.
    pub fn progress(&self) -> u64 {
        self.objects
    }

    /// Whether the model has made a first token, be it of a thought. From then on asking again would be a second answer.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether its template has opened the first thought itself: only the end of the thought came.
    pub fn opens_itself(&self) -> bool {
        self.thinking.has_opened_itself
    }

    /// Tokens counted so far: they are used up whatever becomes of the answer.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The error that the provider reported inside its answer, as it wrote it. It may repeat a message.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Takes the next bytes; `say` gets each piece of the answer's text as it comes.
    pub fn feed(&mut self, bytes: &[u8], say: &mut dyn FnMut(&str)) -> Result<(), CallError> {
        self.bytes += bytes.len();
        if self.bytes > self.bounds.all_bytes_max {
            return Err(CallError::TooLarge);
        }
        let begun;
        let mut rest = bytes;
        if let Form::Unknown(held) = &mut self.form {
            held.extend_from_slice(bytes);
            let blank = held.len() - without_blanks(held).len();
            held.drain(..blank);
            let Some(first) = held.first().filter(|_| !BYTE_ORDER_MARK.starts_with(held)) else { return Ok(()) };
            let form = match first {
                b'{' | b'[' | b'<' | b'"' => Form::Document(Vec::new()),
                _ => Form::Stream(Lines::new(self.bounds.piece_bytes_max)),
            };
            begun = std::mem::take(held);
            rest = &begun;
            self.form = form;
        }
        if let Form::Document(document) = &mut self.form {
            if document.len() + rest.len() > self.bounds.piece_bytes_max {
                return Err(CallError::TooLarge);
            }
            document.extend_from_slice(rest);
            return Ok(());
        }
        while let Form::Stream(lines) = &mut self.form
            && !rest.is_empty()
            && !self.done
        {
            let (after, said) = lines.take(rest).map_err(|_| CallError::TooLarge)?;
            rest = after;
            if let Some(said) = said {
                self.hear(said, say)?;
            }
        }
        Ok(())
    }

    /// The bytes have ended, or enough have come.
    pub fn end(&mut self, say: &mut dyn FnMut(&str)) -> Result<Answer, CallError> {
        match &mut self.form {
            Form::Unknown(_) => return Err(CallError::Truncated),
            Form::Document(document) => {
                let document = std::mem::take(document);
                self.object(&document, say)?;
                self.done = true;
            }
            Form::Stream(lines) => {
                for said in lines.end().into_iter().flatten() {
                    if !self.done {
                        self.hear(said, say)?;
                    }
                }
            }
        }
        let finish = match self.finish.unwrap_or_default() {
            _ if self.finish.is_none() && !self.done => Finish::Length,
            Finish::Stop if !self.tool_calls.is_empty() => Finish::ToolCalls,
            finish => finish,
        };
        self.thinking.end(finish);
        self.say(say)?;
        if self.finish.is_none() && !self.done {
            return Err(CallError::Truncated);
        }
        if !self.has_choice {
            return Err(CallError::Unreadable);
        }
        let tool_calls = std::mem::take(&mut self.tool_calls).end().ok_or(CallError::Unreadable)?;
        let (answer, thoughts) = (std::mem::take(&mut self.thinking.answer), std::mem::take(&mut self.thinking.thoughts));
        let is_streamed = matches!(self.streams, Streams::Text);
        let is_retold = is_streamed && self.thinking.is_taken_back;
        let hidden = self.usage.reasoning_tokens;
        let thoughts = match answer.trim().is_empty() && thoughts.is_empty() && hidden > 0 {
            true => format!("({hidden} tokens that the provider doesn't show)"),
            false => clip(&thoughts, THOUGHTS_BYTES_MAX),
        };
        let text = if is_streamed && !is_retold { String::new() } else { answer };
        let model = std::mem::take(&mut self.model);
        Ok(Answer { text, is_retold, thoughts, tool_calls, finish, model, ..Answer::default() })
    }

    fn hear(&mut self, said: Said, say: &mut dyn FnMut(&str)) -> Result<(), CallError> {
        match said {
            Said::Data(data) => match data.trim_ascii() {
                b"[DONE]" => self.done = true,
                b"" => {}
                data => self.object(data, say)?,
            },
            Said::Error(error) => {
                self.note(&error);
                let error = serde_json::from_slice(&error).unwrap_or_default();
                return Err(meant(Value::get(&error, "error").unwrap_or(&error)));
            }
            Said::Bare(line) => {
                if let Some(error) = Chunk::read(&line).as_ref().and_then(Chunk::trouble) {
                    self.note(&line);
                    return Err(meant(error));
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, trouble: &[u8]) {
        self.trouble = Some(String::from_utf8_lossy(&trouble[..trouble.len().min(TROUBLE_BYTES_MAX)]).into_owned());
    }

    fn object(&mut self, json: &[u8], say: &mut dyn FnMut(&str)) -> Result<(), CallError> {
        self.objects += 1;
        let Some(chunk) = Chunk::read(json) else {
            self.note(json);
            return Err(unreadable(json));
        };
        if let Some(error) = chunk.trouble() {
            self.note(json);
            return Err(meant(error));
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(chunk::usage) {
            self.usage = usage;
        }
        if let Some(model) = chunk.model.0.filter(|_| self.model.is_empty()) {
            self.model = clip(&model, 200);
        }
        // One answer is asked for, so the first choice is all there is.
        let Some(choice) = chunk.choices.into_iter().flatten().find_map(|choice| choice.0) else { return Ok(()) };
        self.has_choice = true;
        let finish = choice.finish();
        if let Some(delta) = choice.delta() {
            self.delta(delta, say)?;
        }
        self.finish = finish?.or(self.finish);
        Ok(())
    }

    fn delta(&mut self, mut delta: Delta, say: &mut dyn FnMut(&str)) -> Result<(), CallError> {
        self.has_begun |= delta.has_token();
        for thought in delta.thoughts().filter(|thought| !thought.is_empty()) {
            self.thinking.think(&thought);
        }
        for fragment in delta.tool_calls.0 {
            if !self.tool_calls.take(fragment) || self.tool_calls.bytes() > self.bounds.text_bytes_max {
                return Err(CallError::TooLarge);
            }
        }
        self.thinking.take(&delta.content.text);
        // A refusal is an answer too.
        self.thinking.take(&delta.refusal.0.unwrap_or_default());
        self.say(say)
    }

    fn say(&mut self, say: &mut dyn FnMut(&str)) -> Result<(), CallError> {
        if self.thinking.answer.len() > self.bounds.text_bytes_max {
            return Err(CallError::TooLarge);
        }
        let news = match &mut self.streams {
            Streams::Nothing => "",
            Streams::Text => self.thinking.news(),
            Streams::Field(field_stream) => {
                if self.thinking.starts_over() {
                    field_stream.start_over();
                }
                field_stream.take(self.thinking.news())
            }
        };
        if !news.is_empty() {
            say(news);
        }
        Ok(())
    }
}

/// An answer without what may stand before it and means nothing.
fn without_blanks(mut begun: &[u8]) -> &[u8] {
    loop {
        begun = begun.trim_ascii_start();
        match begun.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => begun = rest,
            None => return begun,
        }
    }
}

/// An object that doesn't read as a chunk may still say what went wrong.
fn unreadable(json: &[u8]) -> CallError {
    match serde_json::from_slice::<Value>(json) {
        Ok(object) => object.get("error").filter(|error| says_something(error)).map_or(CallError::Unreadable, meant),
        Err(_) => CallError::Unreadable,
    }
}

/// What an error object, or an error text, means to us. Codes come as numbers, as digits, or as words.
fn meant(error: &Value) -> CallError {
    let number = |field: &str| {
        let code = error.get(field)?;
        code.as_u64().or_else(|| code.as_str()?.parse().ok()).and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 300)
    };
    let words = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    let says = |part: &str| words("code").contains(part) || words("type").contains(part);
    if let Some(status) = number("code").or_else(|| number("status")) {
        return Complaint::read(status, error.to_string().as_bytes()).error();
    }
    if says("insufficient_quota") {
        CallError::QuotaExhausted
    } else if says("rate_limit") || says("quota") {
        CallError::RateLimited
    } else if says("overloaded") {
        CallError::Busy
    } else if says("not_found") {
        CallError::NotFound
    } else if says("api_key") || says("authentication") || says("permission") {
        CallError::Unauthorized
    } else if says("invalid_request") || says("context_length") {
        CallError::Rejected { status: 400 }
    } else {
        CallError::Failed { status: 500 }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
