//! What a check looks for: words with `or` and `and`, a regular expression, a comparison.
//!
//! Case never matters, and neither does where a line is broken. `and` binds more closely than `or`; words may be quoted, and what is
//! quoted is one word.
//!
//! Invariant: all behind a verb is one choice of words or of numbers. What reads like a second check is refused, because whoever
//! wrote it would think that it is made.

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

/// `>= 2 and < 5 or == 9`
#[derive(Clone, Debug, PartialEq)]
pub struct Count(pub Vec<Vec<Comparison>>);

/// `>= 2`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
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

const OPS: [(&str, Op); 7] =
    [("==", Op::Equal), ("!=", Op::NotEqual), (">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::More), ("<", Op::Less), ("=", Op::Equal)];

/// What a check says begins with one of these.
const VERBS: [&str; 5] = ["has", "contains", "matches", "is", "exists"];
/// These begin one too where something follows; alone they are words as any other.
const OPENERS: [&str; 6] = ["not", "length", "count", "rows", "columns", "kind"];

/// What can be said of a text, as a sentence lists it.
pub(super) const OF_TEXT: &str = "one of `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`, `exists`, `not exists`";

impl Choice {
    /// Reads words; the error says what is needed.
    pub fn parse(text: &str) -> Result<Choice, String> {
        let words = words(text).ok_or("a closing `\"`")?;
        let parts = alternatives(&words);
        if let Some(part) = parts.iter().flatten().skip(1).find(|part| reads_like_a_check(part)) {
            let part = joined(part);
            return Err(format!("words, and `{part}` reads like a check of its own: write a second line for it, or put it in quotes"));
        }
        let choice: Vec<Vec<String>> = parts.iter().map(|all| all.iter().map(|part| plain(&joined(part))).collect()).collect();
        match choice.iter().flatten().any(String::is_empty) {
            true if choice.iter().flatten().count() > 1 => Err("words on both sides of each `or` and `and`".to_owned()),
            true => Err("words".to_owned()),
            false => Ok(Choice(choice)),
        }
    }

    /// Reads what is a name and nothing else.
    pub(super) fn of_names(text: &str) -> Result<Choice, String> {
        match words(text).is_some_and(|words| reads_like_a_check(&words)) {
            true => Err("a name alone, such as `reflex` or `reflex or director`".to_owned()),
            false => Choice::parse(text),
        }
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

#[derive(Clone, Copy)]
enum Word<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

impl Word<'_> {
    /// Whether it is this one, and not in quotes.
    fn is(self, word: &str) -> bool {
        matches!(self, Word::Bare(bare) if bare.eq_ignore_ascii_case(word))
    }
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

/// What stands between each `or`, and in it between each `and`.
fn alternatives<'a, 'b>(words: &'b [Word<'a>]) -> Vec<Vec<&'b [Word<'a>]>> {
    words.split(|word| word.is("or")).map(|all| all.split(|word| word.is("and")).collect()).collect()
}

fn joined(part: &[Word<'_>]) -> String {
    let texts = part.iter().map(|word| match word {
        Word::Bare(text) | Word::Quoted(text) => *text,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// Whether a part begins as a check does.
fn reads_like_a_check(part: &[Word<'_>]) -> bool {
    match part {
        [Word::Bare(first)] => begins_a_check(first),
        [Word::Bare(first), ..] => begins_a_check(first) || is_one_of(first, &OPENERS),
        [] | [Word::Quoted(_), ..] => false,
    }
}

/// Whether a word is a verb, or an operator with or without its number.
pub(super) fn begins_a_check(word: &str) -> bool {
    let is_number = |rest: &str| rest.is_empty() || rest.parse::<f64>().is_ok();
    is_one_of(word, &VERBS) || OPS.iter().any(|(sign, _)| word.strip_prefix(sign).is_some_and(is_number))
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

/// The words behind a verb.
pub(super) fn words_behind(verb: &str, rest: &str) -> Result<Choice, String> {
    if rest.is_empty() { Err(format!("words behind `{verb}`")) } else { Choice::parse(rest) }
}

impl Sought {
    /// Reads what is said of a text; the error says what is needed.
    pub fn parse(text: &str) -> Result<Sought, String> {
        let (verb, rest) = verb(text);
        match verb {
            "contains" => words_behind(verb, rest).map(Sought::Contains),
            "not contains" => words_behind(verb, rest).map(Sought::NotContains),
            "is" => words_behind(verb, rest).map(Sought::Is),
            "matches" => pattern(rest).map(Sought::Matches),
            "length" => Count::parse(rest, "", "length > 0").map(Sought::Length),
            "exists" if rest.is_empty() => Ok(Sought::Exists),
            "not exists" if rest.is_empty() => Ok(Sought::NotExists),
            _ => Err(OF_TEXT.to_owned()),
        }
    }

    pub fn holds(&self, text: Option<&str>) -> bool {
        let said = text.unwrap_or_default();
        match self {
            Sought::Contains(choice) => choice.is_in(said),
            Sought::NotContains(choice) => !choice.is_in(said),
            Sought::Is(choice) => choice.is(said),
            Sought::Matches(pattern) => pattern.is_match(said),
            Sought::Length(count) => count.holds(length(said)),
            Sought::Exists => text.is_some(),
            Sought::NotExists => text.is_none(),
        }
    }

    /// What there is to say of a text that it does not hold of.
    pub(super) fn of(&self, text: Option<&str>) -> String {
        match (self, text) {
            (_, None) => "nothing".to_owned(),
            (Sought::Length(_), Some(text)) => format!("{}: {text:?}", length(text)),
            (_, Some(text)) => format!("{text:?}"),
        }
    }
}

/// In characters.
fn length(text: &str) -> f64 {
    text.chars().count() as f64
}

fn pattern(text: &str) -> Result<Regex, String> {
    // An empty one would hold of everything.
    let pattern = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|pattern| !pattern.is_empty());
    let pattern = pattern.ok_or("a pattern between slashes: `matches /re/`")?;
    if ["/ or ", "/ and "].iter().any(|join| pattern.contains(join)) {
        return Err("one pattern between slashes: `|` in it means or, and what has to match as well has a line of its own".to_owned());
    }
    Regex::new(&format!("(?i){pattern}")).map_err(|error| format!("a regular expression ({error})"))
}

/// The first word of a check, with the `not` before it, and what follows.
pub(super) fn verb(text: &str) -> (&str, &str) {
    let text = text.trim();
    let begin = if text.starts_with("not ") { 4 } else { 0 };
    let end = text[begin..].find(char::is_whitespace).map_or(text.len(), |end| begin + end);
    (&text[..end], text[end..].trim())
}

impl Count {
    /// Reads `>= 2`, with `or` and `and` between several; a bare number means that it is exactly that. A unit may stand behind a
    /// number. The error says what is needed, such as this.
    pub(super) fn parse(text: &str, unit: &str, such_as: &str) -> Result<Count, String> {
        let needed = |words: &[Word<'_>]| match alternatives(words).concat().len() {
            0 | 1 => format!("a comparison such as `{such_as}`"),
            _ => format!("comparisons such as `{such_as}` on both sides of each `or` and `and`: write a second line for anything else"),
        };
        let words = words(text).ok_or("a closing `\"`")?;
        let all = |all: &Vec<&[Word<'_>]>| all.iter().map(|part| Comparison::parse(&joined(part), unit)).collect::<Option<Vec<_>>>();
        let read: Option<Vec<_>> = alternatives(&words).iter().map(all).collect();
        read.map(Count).ok_or_else(|| needed(&words))
    }

    pub fn holds(&self, number: f64) -> bool {
        self.0.iter().any(|all| all.iter().all(|comparison| comparison.holds(number)))
    }

    /// Whether none at all is what it asks for: not where one would do as well.
    pub(super) fn is_none(&self) -> bool {
        let holds = |all: &[Comparison], number| all.iter().all(|comparison| comparison.holds(number));
        self.0.iter().any(|all| holds(all, 0.0) && !holds(all, 1.0))
    }
}

impl Comparison {
    fn parse(text: &str, unit: &str) -> Option<Comparison> {
        let (op, rest) = OPS.iter().find_map(|(sign, op)| Some((*op, text.strip_prefix(sign)?))).unwrap_or((Op::Equal, text));
        let number = rest.strip_suffix(unit).unwrap_or(rest).trim();
        number.parse().ok().filter(|than: &f64| than.is_finite()).map(|than| Comparison { op, than })
    }

    fn holds(self, number: f64) -> bool {
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
            ("hello OR hi And there", "Well, hi there", true),
        ] {
            assert_eq!(Choice::parse(choice).unwrap().is_in(text), holds, "{choice}: {text}");
        }
        for (choice, needed) in [
            ("", "words"),
            ("\" \"", "words"),
            ("red or", "words on both sides of each `or` and `and`"),
            ("and red", "words on both sides of each `or` and `and`"),
            ("red and OR blue", "words on both sides of each `or` and `and`"),
            ("\"red", "a closing `\"`"),
            ("red or \"blue", "a closing `\"`"),
        ] {
            assert_eq!(Choice::parse(choice), Err(needed.to_owned()), "{choice}");
        }
    }

    #[test]
    fn a_second_check_is_never_taken_for_words() {
        for (choice, read) in [
            ("red and not has yellow", "not has yellow"),
            ("Here AND Not Contains zebra", "Not Contains zebra"),
            ("red or blue and not yellow", "not yellow"),
            ("here and not contains \"a b\"", "not contains a b"),
            ("hello and length > 100", "length > 100"),
            ("hello and > 3", "> 3"),
            ("hello or >=3", ">=3"),
            ("ort and rows == 3", "rows == 3"),
            ("hello and exists", "exists"),
            ("hello or matches /x/", "matches /x/"),
        ] {
            let error = Choice::parse(choice).unwrap_err();
            let says = format!("words, and `{read}` reads like a check of its own: write a second line for it, or put it in quotes");
            assert_eq!(error, says, "{choice}");
        }
        for choice in
            ["no or not or none", "not here or there", "name and count", "a or \"not b\"", "x or <b>", "\"is\" or \"> 3\"", "5 or 6"]
        {
            assert!(Choice::parse(choice).is_ok(), "{choice}");
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
        for sought in ["", "has a", "contains", "matches abc", "matches /(/", "matches //", "matches /a/ or /b/", "length many", "exists x"]
        {
            assert!(Sought::parse(sought).is_err(), "{sought}");
        }
    }

    #[test]
    fn numbers_are_compared() {
        for (count, number, holds) in [
            ("== 2", 2.0, true),
            ("2", 2.0, true),
            ("!=2", 2.0, false),
            (">= 2", 3.0, true),
            ("<2", 2.0, false),
            ("== 2 or == 4", 4.0, true),
            ("2 or 4", 3.0, false),
            ("> 2 and < 4 or == 9", 3.0, true),
            ("> 2 and < 4 or == 9", 4.0, false),
            ("< 5 ms and > 3ms", 4.0, true),
        ] {
            assert_eq!(Count::parse(count, "ms", "< 5 ms").unwrap().holds(number), holds, "{count} {number}");
        }
        for (count, needed) in [
            ("", "a comparison such as `> 0`"),
            ("> two", "a comparison such as `> 0`"),
            ("!= nan", "a comparison such as `> 0`"),
            ("< inf", "a comparison such as `> 0`"),
            ("> 1e999", "a comparison such as `> 0`"),
            ("> 5 s", "a comparison such as `> 0`"),
            ("> 1 and contains x", "comparisons such as `> 0` on both sides of each `or` and `and`: write a second line for anything else"),
        ] {
            assert_eq!(Count::parse(count, "ms", "> 0"), Err(needed.to_owned()), "{count}");
        }
    }

    #[test]
    fn none_at_all_has_to_be_asked_for() {
        for (count, is_none) in [("== 0", true), ("< 1", true), ("0 or > 5", true), ("< 5", false), ("!= 3", false), (">= 0", false)] {
            assert_eq!(Count::parse(count, "", "== 4").unwrap().is_none(), is_none, "{count}");
        }
    }
}
