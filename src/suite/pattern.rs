//! What a check looks for: words with `or` and `and`, a regular expression, a count.
//!
//! Case never matters, and neither does where a line is broken. `and` binds more closely than `or`; words may be quoted, and what is quoted is one word.

use regex_lite::Regex;

/// `A or B and C`: holds where all words of one alternative do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice(pub Vec<Vec<String>>);

/// What is said of a text.
#[derive(Clone, Debug)]
pub enum Sought {
    Contains(Choice),
    NotContains(Choice),
    Matches(Regex),
    Is(Choice),
    Length(Count),
    Exists,
    NotExists,
}

/// `>= 2`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    pub op: Op,
    pub than: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Choice {
    pub fn parse(text: &str) -> Option<Choice> {
        let mut alternatives = vec![vec![String::new()]];
        for word in words(text)? {
            let all = alternatives.last_mut()?;
            match word {
                Word::Bare("or") => alternatives.push(vec![String::new()]),
                Word::Bare("and") => all.push(String::new()),
                Word::Bare(word) | Word::Quoted(word) => {
                    let last = all.last_mut()?;
                    if !last.is_empty() {
                        last.push(' ');
                    }
                    last.push_str(&plain(word));
                }
            }
        }
        alternatives.iter().flatten().all(|word| !word.is_empty()).then_some(Choice(alternatives))
    }

    pub fn holds(&self, of: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|all| all.iter().all(|word| of(word)))
    }

    /// Whether a text holds the words, in any case of its letters and however its lines are broken.
    pub fn is_in(&self, text: &str) -> bool {
        let text = plain(text);
        self.holds(|word| text.contains(word))
    }

    fn is(&self, text: &str) -> bool {
        let text = plain(text);
        self.holds(|word| text == word)
    }
}

/// In small letters, on one line.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

enum Word<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

/// None where a quote is opened and never closed: nothing would ever match it.
fn words(text: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after = match rest.strip_prefix('"') {
            Some(inner) => {
                let (word, after) = inner.split_once('"')?;
                words.push(Word::Quoted(word));
                after
            }
            None => {
                let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                words.push(Word::Bare(word));
                after
            }
        };
        rest = after.trim_start();
    }
    Some(words)
}

/// What is needed behind a word where no choice can be read.
pub(super) fn needed(verb: &str, rest: &str) -> String {
    if words(rest).is_some() { format!("words behind `{verb}`") } else { format!("a closing `\"` behind `{verb}`") }
}

impl Sought {
    /// Reads `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`, `exists`, `not exists`.
    pub fn parse(text: &str) -> Result<Sought, String> {
        let (verb, rest) = verb(text);
        let choice = || Choice::parse(rest).ok_or_else(|| needed(verb, rest));
        match verb {
            "contains" => choice().map(Sought::Contains),
            "not contains" => choice().map(Sought::NotContains),
            "is" => choice().map(Sought::Is),
            "matches" => {
                // An empty one would hold of everything.
                let pattern = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|pattern| !pattern.is_empty());
                let pattern = pattern.ok_or("a pattern between slashes: `matches /re/`")?;
                Regex::new(&format!("(?i){pattern}")).map(Sought::Matches).map_err(|error| format!("a regular expression ({error})"))
            }
            "length" => Count::parse(rest).map(Sought::Length).ok_or_else(|| "a comparison such as `length > 0`".to_owned()),
            "exists" if rest.is_empty() => Ok(Sought::Exists),
            "not exists" if rest.is_empty() => Ok(Sought::NotExists),
            _ => Err("one of `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`".to_owned()),
        }
    }

    pub fn holds(&self, text: Option<&str>) -> bool {
        let said = text.unwrap_or_default();
        match self {
            Sought::Contains(choice) => choice.is_in(said),
            Sought::NotContains(choice) => !choice.is_in(said),
            Sought::Is(choice) => choice.is(said),
            Sought::Matches(pattern) => pattern.is_match(said),
            Sought::Length(count) => count.holds(said.chars().count() as f64),
            Sought::Exists => text.is_some(),
            Sought::NotExists => text.is_none(),
        }
    }
}

/// The first word of a check, with the `not` before it, and what follows.
pub(super) fn verb(text: &str) -> (&str, &str) {
    let text = text.trim();
    let begin = if text.starts_with("not ") { 4 } else { 0 };
    let end = text[begin..].find(char::is_whitespace).map_or(text.len(), |end| begin + end);
    (&text[..end], text[end..].trim())
}

impl Count {
    /// Reads `>= 2`; a bare number means that it is exactly that.
    pub fn parse(text: &str) -> Option<Count> {
        let text = text.trim();
        const OPS: [(&str, Op); 7] = [
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            (">=", Op::AtLeast),
            ("<=", Op::AtMost),
            (">", Op::More),
            ("<", Op::Less),
            ("=", Op::Equal),
        ];
        let (op, rest) = OPS.iter().find_map(|(sign, op)| Some((*op, text.strip_prefix(sign)?))).unwrap_or((Op::Equal, text));
        rest.trim().parse().ok().filter(|than: &f64| than.is_finite()).map(|than| Count { op, than })
    }

    pub fn holds(&self, number: f64) -> bool {
        match self.op {
            Op::Equal => number == self.than,
            Op::NotEqual => number != self.than,
            Op::Less => number < self.than,
            Op::AtMost => number <= self.than,
            Op::More => number > self.than,
            Op::AtLeast => number >= self.than,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_with_or_and_and_and_quotes() {
        for (choice, text, holds) in [
            ("hello or hi", "Well, HI there", true),
            ("hello or hi", "Well", false),
            ("red and blue or green", "green", true),
            ("red and blue or green", "red", false),
            ("\"red or blue\"", "red or blue", true),
            ("\"red or blue\"", "red", false),
            ("two words", "Two words here", true),
        ] {
            assert_eq!(Choice::parse(choice).unwrap().is_in(text), holds, "{choice}: {text}");
        }
        for choice in ["", "red or", "and red", "red and or blue", "\" \"", "\"red", "red or \"blue"] {
            assert_eq!(Choice::parse(choice), None, "{choice}");
        }
    }

    #[test]
    fn what_is_said_of_a_text_holds_or_not() {
        for (sought, text, holds) in [
            ("contains a", Some("ABC"), true),
            ("not contains a", Some("ABC"), false),
            ("not contains x or y", Some("ABC"), true),
            ("matches /^a.c$/", Some("ABC"), true),
            ("length > 3", Some("ABC"), false),
            ("is abc or x", Some(" ABC "), true),
            ("is ab", Some("ABC"), false),
            ("is a b or x", Some("A\n  B\n"), true),
            ("contains \"b c\"", Some("a b\nc"), true),
            ("exists", Some(""), true),
            ("exists", None, false),
            ("not exists", None, true),
            ("contains a", None, false),
        ] {
            assert_eq!(Sought::parse(sought).unwrap().holds(text), holds, "{sought}: {text:?}");
        }
        for sought in ["", "has a", "contains", "matches abc", "matches /(/", "matches //", "length many", "exists x"] {
            assert!(Sought::parse(sought).is_err(), "{sought}");
        }
    }

    #[test]
    fn numbers_are_compared() {
        for (count, number, holds) in [("== 2", 2.0, true), ("2", 2.0, true), ("!=2", 2.0, false), (">= 2", 3.0, true), ("<2", 2.0, false)]
        {
            assert_eq!(Count::parse(count).unwrap().holds(number), holds, "{count} {number}");
        }
        for count in ["> two", "!= nan", "< inf", "> 1e999"] {
            assert_eq!(Count::parse(count), None, "{count}");
        }
    }
}
