//! A field of a structured answer, read while the model is still writing the answer.
//!
//! [`FieldStream`] takes the answer's text in pieces of any size and returns what each adds to the field that [`StreamedField`] names: a
//! string at the top level of the first object that has it. Prose and fences around the object, its other fields, and fields
//! of that name further in are never returned. It decodes as [`read`](super::read) does; where the text stops being JSON it
//! returns nothing more. How the text was cut into pieces changes nothing.

use crate::contract::StreamedField;

/// Bytes kept of the name of a field, or of the value of [`Says::unless`].
const WORD_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub struct FieldStream {
    says: StreamedField,
    at: At,
    /// Nothing that was seen of the current object excludes the field.
    may_say: bool,
    /// All that was returned.
    said: String,
    /// How much of that the answer has repeated since it started over; `None` once it differs.
    repeated: Option<usize>,
}

/// Where in the answer the next character stands.
#[derive(Debug)]
enum At {
    /// Outside of any object.
    Prose,
    /// Before the name of a field.
    Field,
    Name(Letters, String),
    /// Between the name and the colon.
    Colon(String),
    /// Before the value.
    Value(String),
    /// In the text that is returned.
    Said(Letters),
    /// In the text that excludes it.
    Unless(Letters, String),
    /// In or behind a value that is skipped.
    Other {
        depth: u32,
        in_text: bool,
        is_escaped: bool,
    },
    /// The field is complete, or broken.
    Over,
}

const SKIPPED: At = At::Other { depth: 0, in_text: false, is_escaped: false };

impl FieldStream {
    pub fn new(says: &StreamedField) -> FieldStream {
        FieldStream { says: says.clone(), at: At::Prose, may_say: false, said: String::new(), repeated: Some(0) }
    }

    /// The answer starts over, because it was asked for again or what came so far was a thought. From here on only what goes
    /// beyond the text returned before is returned, and nothing once it differs from that.
    pub fn start_over(&mut self) {
        (self.at, self.repeated) = (At::Prose, Some(0));
    }

    /// What the next piece of the answer adds to the field.
    pub fn take(&mut self, piece: &str) -> &str {
        let mut new = String::new();
        for letter in piece.chars() {
            self.step(letter, &mut new);
        }
        let from = self.said.len();
        if let Some(repeated) = self.repeated {
            let known = &self.said[repeated..];
            self.repeated = match new.strip_prefix(known) {
                Some(rest) => {
                    self.said.push_str(rest);
                    Some(self.said.len())
                }
                None => known.starts_with(&new).then_some(repeated + new.len()),
            };
        }
        &self.said[from..]
    }

    fn step(&mut self, letter: char, new: &mut String) {
        self.at = match std::mem::replace(&mut self.at, At::Over) {
            at @ (At::Field | At::Colon(_) | At::Value(_)) if letter.is_ascii_whitespace() => at,
            At::Field if letter == '"' => At::Name(Letters::default(), String::new()),
            At::Colon(name) if letter == ':' => At::Value(name),
            At::Prose | At::Field | At::Colon(_) => self.outside(letter),
            At::Name(mut letters, mut name) => match letters.take(letter, &mut name) {
                Taken::More => At::Name(letters, short(name)),
                Taken::End => At::Colon(name),
                Taken::Broken => At::Prose,
            },
            At::Value(name) => self.value(&name, letter),
            At::Said(mut letters) => match letters.take(letter, new) {
                Taken::More => At::Said(letters),
                Taken::End | Taken::Broken => At::Over,
            },
            At::Unless(mut letters, mut word) => match letters.take(letter, &mut word) {
                Taken::More => At::Unless(letters, short(word)),
                Taken::End => {
                    self.may_say = matches!(word.trim(), "" | "null");
                    SKIPPED
                }
                Taken::Broken => At::Prose,
            },
            At::Other { depth, in_text, is_escaped } => skip(depth, in_text, is_escaped, letter),
            At::Over => At::Over,
        };
    }

    /// An object begins where a `{` stands, if the name of a field follows.
    fn outside(&mut self, letter: char) -> At {
        if letter != '{' {
            return At::Prose;
        }
        self.may_say = self.says.unless.is_none();
        At::Field
    }

    /// The first character of a field's value.
    fn value(&mut self, name: &str, letter: char) -> At {
        if self.says.unless.as_deref() == Some(name) {
            self.may_say = letter == 'n';
            if letter == '"' {
                return At::Unless(Letters::default(), String::new());
            }
        }
        match letter == '"' && name == self.says.field && self.may_say {
            true => At::Said(Letters::default()),
            false => skip(0, false, false, letter),
        }
    }
}

/// A value that is skipped ends at the comma or bracket behind it.
fn skip(depth: u32, in_text: bool, is_escaped: bool, letter: char) -> At {
    let (depth, in_text, is_escaped) = match letter {
        _ if is_escaped => (depth, in_text, false),
        '\\' => (depth, in_text, in_text),
        '"' => (depth, !in_text, false),
        _ if in_text => (depth, in_text, false),
        ',' if depth == 0 => return At::Field,
        '}' | ']' if depth == 0 => return At::Prose,
        '{' | '[' => (depth + 1, false, false),
        '}' | ']' => (depth - 1, false, false),
        _ => (depth, false, false),
    };
    At::Other { depth, in_text, is_escaped }
}

fn short(mut word: String) -> String {
    word.truncate(word.floor_char_boundary(WORD_BYTES_MAX));
    word
}

/// Decodes the characters of a JSON text.
#[derive(Debug, Default)]
struct Letters {
    escape: Escape,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    Unit {
        digits: u8,
        unit: u16,
    },
}

enum Taken {
    More,
    /// The closing quote.
    End,
    /// An escape that JSON doesn't have.
    Broken,
}

impl Letters {
    fn take(&mut self, letter: char, text: &mut String) -> Taken {
        match self.escape {
            Escape::None if letter == '\\' => self.escape = Escape::Begun,
            Escape::None => {
                self.end_half(text);
                match letter {
                    '"' => return Taken::End,
                    '\n' | '\r' | '\t' | ' '.. => text.push(letter),
                    '\0'..='\u{1f}' => text.push(char::REPLACEMENT_CHARACTER),
                }
            }
            Escape::Begun if letter == 'u' => self.escape = Escape::Unit { digits: 0, unit: 0 },
            Escape::Begun => {
                self.escape = Escape::None;
                self.end_half(text);
                text.push(match letter {
                    '"' | '\\' | '/' => letter,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    _ => return Taken::Broken,
                });
            }
            Escape::Unit { digits, unit } => {
                let Some(digit) = letter.to_digit(16) else { return Taken::Broken };
                let unit = (unit << 4) | digit as u16;
                match digits {
                    3 => self.unit(unit, text),
                    _ => self.escape = Escape::Unit { digits: digits + 1, unit },
                }
            }
        }
        Taken::More
    }

    fn unit(&mut self, unit: u16, text: &mut String) {
        self.escape = Escape::None;
        if let 0xD800..=0xDBFF = unit {
            self.end_half(text);
            self.high = Some(unit);
        } else {
            let units = self.high.take().into_iter().chain([unit]);
            text.extend(char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
    }

    /// What follows is no second half.
    fn end_half(&mut self, text: &mut String) {
        text.extend(self.high.take().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Routing {
        #[serde(default)]
        answer: Option<String>,
    }

    fn says(unless: bool) -> StreamedField {
        StreamedField { field: "answer".into(), unless: unless.then(|| "expert".into()) }
    }

    /// What is returned of a text that comes in these pieces.
    fn told<'a>(unless: bool, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut stream = FieldStream::new(&says(unless));
        pieces.into_iter().map(|piece| stream.take(piece).to_owned()).collect()
    }

    /// Texts, and what is read of each.
    const TEXTS: &[(&str, &str)] = &[
        (r#"{"answer":"Hi."}"#, "Hi."),
        ("Sure:\n```json\n{ \"expert\" : null , \"answer\" : \"Hi.\" }\n```\nDone: {\"answer\":\"no\"}", "Hi."),
        (r#"{"answer":"\ud83c\udfb2 \u00dc\u006E \"q\" \\ \/ \b\f\n\r\t é 🎲"}"#, "🎲 Ün \"q\" \\ / \u{8}\u{c}\n\r\t é 🎲"),
        (r#"{"answer":"\ud83c!\ud83c\ud83c\udfb2\udfb2\ud83c\n\ud83c"}"#, "\u{fffd}!\u{fffd}🎲\u{fffd}\u{fffd}\n\u{fffd}"),
        ("{\"answer\":\"a\nb\tc\u{1}d\"}", "a\nb\tc\u{fffd}d"),
        (r#"{"a":{"answer":"no"},"b":[{"answer":"no"},"]}"],"c":"\"answer\":\"no\"","n":-1.5e3,"answer":"yes","d":1}"#, "yes"),
        (r#"{"answer":null,"x":"y"}"#, ""),
        (r#"Use {braces} or {{slots}} or { } freely: {"answer":"yes"}"#, "yes"),
        (r#"{"x":1} {"y":[]} {"answer":"yes",}"#, "yes"),
        (r#"{"answer":""}"#, ""),
        (r#"{"answ\u0065r":"yes"}"#, "yes"),
        ("no object", ""),
    ];

    #[test]
    fn however_a_text_is_cut_the_field_is_the_same_and_what_is_read_in_the_end() {
        for (text, field) in TEXTS {
            assert_eq!(told(false, [*text]), *field, "{text}");
            let read = super::super::read::<Routing>(text).ok().and_then(|routing| routing.answer).unwrap_or_default();
            assert_eq!(read, *field, "{text}");
            let cuts: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            for first in &cuts {
                for second in cuts.iter().filter(|second| *second >= first) {
                    let pieces = [&text[..*first], &text[*first..*second], &text[*second..]];
                    assert_eq!(told(false, pieces), *field, "{pieces:?}");
                }
            }
            assert_eq!(told(false, text.split_inclusive(|_| true)), *field, "{text} letter by letter");
        }
    }

    #[test]
    fn what_excludes_the_field_hides_it_and_so_does_its_absence() {
        for (head, is_said) in [
            (r#""expert":null,"#, true),
            (r#""expert":"","#, true),
            (r#""expert" : " null " ,"#, true),
            (r#""expert":"eras","#, false),
            (r#""expert":["eras"],"#, false),
            (r#""expert":{"name":null},"#, false),
            (r#""expert":false,"#, false),
            (r#""x":{"expert":null},"#, false),
            ("", false),
        ] {
            let text = format!(r#"{{{head}"job":"j","answer":"Hi."}}"#);
            assert_eq!(told(true, [&*text]), if is_said { "Hi." } else { "" }, "{text}");
        }
        assert_eq!(told(true, [r#"{"expert":null} {"answer":"Hi."}"#]), "", "each object speaks for itself");
    }

    #[test]
    fn where_the_text_stops_being_json_nothing_more_is_said() {
        for (text, field) in [
            (r#"{"answer":"a\dz","answer":"b"}"#, "a"),
            (r#"{"answer":"a\u00g0z"}"#, "a"),
            (r#"{"x" "answer":"a"}"#, ""),
            (r#"{"answer""a"}"#, ""),
            (r#"{"answer":"cut her"#, "cut her"),
            (r#"{"answer":"cut \ud83c\udf"#, "cut "),
        ] {
            assert_eq!(told(false, [text]), field, "{text}");
        }
        let long = format!(r#"{{"{}":1,"answer":"a"}}"#, "n".repeat(10_000));
        assert_eq!(told(false, [&*long]), "a");
    }

    #[test]
    fn an_answer_that_starts_over_goes_on_where_it_was_if_it_says_the_same() {
        for (tellings, news) in [
            (&["Hello wor", "Hello world."][..], &["Hello wor", "ld."][..]),
            (&["Hello wor", "Hello", "Hello world."], &["Hello wor", "", "ld."]),
            (&["Hello", "Good evening.", "Hello!"], &["Hello", "", "!"]),
            (&["", "Hello"], &["", "Hello"]),
        ] {
            let mut stream = FieldStream::new(&says(false));
            for (telling, new) in tellings.iter().zip(news) {
                stream.start_over();
                let text = format!(r#"hm {{"answer":"{telling}"#);
                let said: String = text.split_inclusive(|_| true).map(|piece| stream.take(piece).to_owned()).collect();
                assert_eq!(said, *new, "{tellings:?}");
            }
        }
    }
}
