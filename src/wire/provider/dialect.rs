//! How a provider's model wants to be asked, and what to change when it refuses or is cut short.
//!
//! Nothing of this is shown to anyone: a refusal's words are read for what can be done about them, and dropped.
//! A dialect only ever gets simpler or roomier, so that asking again in another way comes to an end.

use super::refused;
use crate::contract::CallError;
use serde_json::Value;

/// Where providers and their models differ in what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub format: Format,
    pub longest: Longest,
    /// Tokens beyond those of the visible answer: what the model thinks before it answers counts as its answer on the wire.
    /// None: no limit is sent.
    pub room: Option<u32>,
    /// Whether a schema may be called strict.
    pub strict: bool,
    /// Whether the usage may be asked for.
    pub usage: bool,
    /// Ask a gateway for those of its hosts only that take all of a request.
    pub require_parameters: bool,
    /// Its template opens the first thought itself, so that an answer may begin with a thought that nothing opens.
    pub opens_thoughts: bool,
}

/// How a shape is asked for, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As a JSON Schema.
    Schema,
    /// As any JSON object, with the schema in the prompt.
    Object,
    /// As the arguments of a tool that has to be called.
    Tool,
}

/// The name under which the longest answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Longest {
    MaxTokens,
    /// As OpenAI's own models want it.
    MaxCompletionTokens,
    Unsaid,
}

/// How a provider is asked of which nothing is known.
const PLAIN: Dialect = Dialect {
    format: Format::Schema,
    longest: Longest::MaxTokens,
    room: Some(0),
    strict: true,
    usage: true,
    require_parameters: false,
    opens_thoughts: false,
};

impl Default for Dialect {
    fn default() -> Self {
        PLAIN
    }
}

/// What a model that thinks is given at least.
const ROOM: u32 = 4_096;

impl Longest {
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Longest::MaxTokens => Some("max_tokens"),
            Longest::MaxCompletionTokens => Some("max_completion_tokens"),
            Longest::Unsaid => None,
        }
    }

    fn next(self) -> Longest {
        match self {
            Longest::MaxTokens => Longest::MaxCompletionTokens,
            Longest::MaxCompletionTokens | Longest::Unsaid => Longest::Unsaid,
        }
    }
}

/// What a provider says against a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Complaint {
    status: u16,
    /// The parameter that it names, where it names one.
    parameter: String,
    words: String,
}

const WORDS_BYTES_MAX: usize = 8 << 10;

impl Complaint {
    /// Reads the body of an answer with this status, whatever it is.
    pub fn read(status: u16, body: &[u8]) -> Complaint {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let named = ["/error/param", "/0/error/param", "/param"].iter().find_map(|path| value.pointer(path)?.as_str());
        let words = String::from_utf8_lossy(&body[..body.len().min(WORDS_BYTES_MAX)]).to_lowercase();
        Complaint { status, parameter: named.unwrap_or_default().to_lowercase(), words }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the refusal means to us.
    pub fn error(&self) -> CallError {
        if matches!(self.status, 400 | 403 | 429) && self.is_about_money() { CallError::QuotaExhausted } else { refused(self.status) }
    }

    /// Whether the account is used up: waiting doesn't help. Some providers name the quota where only a minute's is meant.
    fn is_about_money(&self) -> bool {
        const MONEY: &[&str] = &[
            "insufficient_quota",
            "insufficient credit",
            "insufficient balance",
            "insufficient_balance",
            "credit balance",
            "billing_not_active",
            "billing_hard_limit",
            "exceeded your current quota",
        ];
        const HASTE: &[&str] = &["rate_limit", "retrydelay", "per minute", "perminute"];
        let says = |words: &[&str]| words.iter().any(|word| self.words.contains(word));
        says(MONEY) && !says(HASTE)
    }

    /// Whether the longest answer that was asked for doesn't fit beside the prompt.
    fn is_about_context(&self) -> bool {
        ["context_length", "context size", "context length"].iter().any(|words| self.words.contains(words))
    }

    fn names(&self, parameter: &str) -> bool {
        match self.parameter.is_empty() {
            true => self.words.contains(parameter),
            false => self.parameter.starts_with(parameter),
        }
    }

    /// Whether another way to ask for a shape may help.
    fn may_be_about_format(&self) -> bool {
        const FORMAT: &[&str] = &["format", "json_schema", "json_object", "schema", "structured", "grammar", "tool"];
        const OTHER: &[&str] = &["api key", "api_key"];
        let text = if self.parameter.is_empty() { &self.words } else { &self.parameter };
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        says(FORMAT) || (self.parameter.is_empty() && self.status != 404 && !says(OTHER) && !self.is_about_context())
    }
}

impl Dialect {
    /// What is known of a provider before it is asked.
    pub fn of(host: &str) -> Dialect {
        let dialect = Dialect::default();
        match host {
            "api.openai.com" => Dialect { longest: Longest::MaxCompletionTokens, ..dialect },
            "openrouter.ai" => Dialect { require_parameters: true, ..dialect },
            // It takes `response_format` and pays no heed to it.
            "api.anthropic.com" => Dialect { format: Format::Tool, ..dialect },
            _ => dialect,
        }
    }

    /// The longest answer to ask for; nothing where there is no limit.
    pub fn limit(self, tokens_max: u32) -> Option<u32> {
        let room = self.room.filter(|_| tokens_max > 0 && self.longest != Longest::Unsaid)?;
        Some(tokens_max.saturating_add(room))
    }

    /// How to ask again after an answer that was cut before it could be read, for the first time, or the second: with a larger
    /// limit, then with none.
    pub fn roomier(self, cuts: u32) -> Option<Dialect> {
        let room = match cuts {
            1 => self.room.map(|room| room.saturating_mul(4).max(ROOM)),
            _ => None,
        };
        (self.room.is_some() && self.longest != Longest::Unsaid).then_some(Dialect { room, ..self })
    }

    /// The same with room for so many tokens of thought, twice.
    pub fn with_room_for(self, reasoning_tokens: u64) -> Dialect {
        let needed = match u32::try_from(reasoning_tokens) {
            Ok(0) => Some(0),
            Ok(tokens) => Some(tokens.saturating_mul(2).max(ROOM)),
            Err(_) => None,
        };
        Dialect { room: self.room.and_then(|room| Some(needed?.max(room))), ..self }
    }

    /// How to ask again after a refusal; nothing, if no other way of asking would help. `has_shape`: a shape was asked for.
    pub fn after(self, complaint: &Complaint, has_shape: bool) -> Option<Dialect> {
        if !matches!(complaint.status, 400 | 404 | 405 | 415 | 422) || complaint.is_about_money() {
            return None;
        }
        let is_about_longest = self.longest.name().is_some_and(|name| complaint.names(name));
        if self.room.is_some_and(|room| room > 0) && (is_about_longest || complaint.is_about_context()) {
            return Some(Dialect { room: None, ..self });
        }
        if is_about_longest {
            return Some(Dialect { longest: self.longest.next(), ..self });
        }
        if self.usage && complaint.names("stream_options") {
            return Some(Dialect { usage: false, ..self });
        }
        if !has_shape {
            return None;
        }
        if self.require_parameters && complaint.status == 404 {
            return Some(Dialect { require_parameters: false, ..self });
        }
        if self.strict && self.format == Format::Schema && complaint.words.contains("strict") {
            return Some(Dialect { strict: false, ..self });
        }
        if !complaint.may_be_about_format() {
            return None;
        }
        match self.format {
            Format::Schema => Some(Dialect { format: Format::Object, ..self }),
            Format::Object => Some(Dialect { format: Format::Tool, ..self }),
            Format::Tool => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_answered_by_asking_in_a_simpler_way() {
        let object = Dialect { format: Format::Object, ..PLAIN };
        let completion = Dialect { longest: Longest::MaxCompletionTokens, ..PLAIN };
        let gateway = Dialect { require_parameters: true, ..PLAIN };
        let unbounded = Dialect { room: None, ..PLAIN };
        for (before, status, body, after) in [
            (
                PLAIN,
                400,
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
                Some(completion),
            ),
            (PLAIN, 422, r#"{"detail":[{"loc":["body","max_tokens"],"msg":"Extra inputs are not permitted"}]}"#, Some(completion)),
            (
                completion,
                400,
                r#"{"error":{"message":"Unrecognized request argument supplied: max_completion_tokens"}}"#,
                Some(Dialect { longest: Longest::Unsaid, ..PLAIN }),
            ),
            (PLAIN, 400, r#"{"error":{"message":"unknown field","param":"stream_options"}}"#, Some(Dialect { usage: false, ..PLAIN })),
            (
                PLAIN,
                400,
                r#"{"error":{"message":"strict schemas are not supported","param":"response_format"}}"#,
                Some(Dialect { strict: false, ..PLAIN }),
            ),
            (PLAIN, 400, r#"{"error":{"message":"no","param":"response_format.json_schema"}}"#, Some(object)),
            (PLAIN, 400, r#"{"message":"json_schema is not available for this model","code":400}"#, Some(object)),
            (PLAIN, 422, "<html>Unprocessable</html>", Some(object)),
            (
                object,
                400,
                r#"{"error":"'response_format.type' must be 'json_schema' or 'text'"}"#,
                Some(Dialect { format: Format::Tool, ..PLAIN }),
            ),
            (
                gateway,
                404,
                r#"{"error":{"message":"No endpoints found that can handle the requested parameters","code":404}}"#,
                Some(PLAIN),
            ),
            (Dialect { room: Some(9), ..PLAIN }, 400, r#"{"error":{"message":"max_tokens is too large: 4396"}}"#, Some(unbounded)),
            (
                Dialect { room: Some(9), ..PLAIN },
                400,
                r#"{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 4700 tokens"}}"#,
                Some(unbounded),
            ),
            (PLAIN, 404, r#"{"error":{"message":"model `x` does not exist","code":"model_not_found"}}"#, None),
            (PLAIN, 400, r#"{"error":{"message":"too long","param":"messages","code":"context_length_exceeded"}}"#, None),
            (PLAIN, 400, r#"{"error":{"message":"the request exceeds the available context size"}}"#, None),
            (Dialect { format: Format::Tool, ..PLAIN }, 400, r#"{"error":{"message":"tools are not supported"}}"#, None),
            (PLAIN, 400, r#"{"error":{"message":"Your credit balance is too low to access the API."}}"#, None),
            (PLAIN, 401, r#"{"error":{"param":"response_format"}}"#, None),
            (PLAIN, 429, r#"{"error":{"param":"max_tokens"}}"#, None),
            (PLAIN, 500, r#"{"error":{"param":"response_format"}}"#, None),
        ] {
            assert_eq!(before.after(&Complaint::read(status, body.as_bytes()), true), after, "{status} {body}");
        }
        let refused = Complaint::read(400, br#"{"error":{"param":"response_format"}}"#);
        assert_eq!(PLAIN.after(&refused, false), None, "no shape was asked for");
    }

    #[test]
    fn asking_in_another_way_comes_to_an_end() {
        let body = "max_tokens max_completion_tokens stream_options strict response_format";
        for status in [400, 404] {
            let complaint = Complaint::read(status, body.as_bytes());
            let mut dialect = Dialect { require_parameters: true, room: Some(9), ..PLAIN };
            let mut asked = 0;
            while let Some(next) = dialect.after(&complaint, true) {
                (dialect, asked) = (next, asked + 1);
                assert!(asked < 10);
            }
        }
    }

    #[test]
    fn room_grows_once_and_then_has_no_limit() {
        let at = |room| Dialect { room, ..PLAIN };
        for (dialect, limit) in [(PLAIN, Some(300)), (at(Some(4_096)), Some(4_396)), (at(None), None)] {
            assert_eq!((dialect.limit(300), dialect.limit(0)), (limit, None));
        }
        assert_eq!(Dialect { longest: Longest::Unsaid, ..PLAIN }.limit(300), None);
        for (dialect, cuts, next) in [
            (PLAIN, 1, Some(at(Some(4_096)))),
            (at(Some(4_096)), 1, Some(at(Some(16_384)))),
            (at(Some(4_096)), 2, Some(at(None))),
            (at(None), 1, None),
            (at(None), 3, None),
            (Dialect { longest: Longest::Unsaid, ..PLAIN }, 1, None),
        ] {
            assert_eq!(dialect.roomier(cuts), next, "{dialect:?} {cuts}");
        }
    }

    #[test]
    fn thoughts_that_are_counted_make_room_for_the_next_ones() {
        let at = |room| Dialect { room, ..PLAIN };
        for (before, reasoning_tokens, after) in [
            (Some(0), 0, Some(0)),
            (Some(0), 9, Some(4_096)),
            (Some(0), 5_000, Some(10_000)),
            (Some(9_000), 9, Some(9_000)),
            (None, 9, None),
        ] {
            assert_eq!(at(before).with_room_for(reasoning_tokens), at(after));
        }
        assert_eq!(PLAIN.with_room_for(u64::MAX), at(None));
    }

    #[test]
    fn a_used_up_account_is_told_from_haste() {
        let used_up = r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details."}}"#;
        for (status, body, error) in [
            (429, used_up, CallError::QuotaExhausted),
            (402, r#"{"error":{"code":402,"message":"Insufficient credits"}}"#, CallError::QuotaExhausted),
            (400, r#"{"error":{"message":"Your credit balance is too low to access the API."}}"#, CallError::QuotaExhausted),
            (429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, CallError::RateLimited),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded","message":"Rate limit reached. To go faster add a payment method: https://example.com/account/billing"}}"#,
                CallError::RateLimited,
            ),
            (
                429,
                r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"retryDelay":"38s"}]}}"#,
                CallError::RateLimited,
            ),
            (429, "", CallError::RateLimited),
            (401, used_up, CallError::Unauthorized),
            (404, "", CallError::NotFound),
            (503, "", CallError::Busy),
            (529, "", CallError::Busy),
            (500, "", CallError::Failed { status: 500 }),
            (400, "", CallError::Rejected { status: 400 }),
        ] {
            assert_eq!(Complaint::read(status, body.as_bytes()).error(), error, "{body}");
        }
    }
}
