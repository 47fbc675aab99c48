//! A suite's file as steps and items.

use super::check::Check;
use super::pattern::Choice;

#[derive(Clone, Debug)]
pub struct Suite {
    pub title: String,
    /// What is done before the first step.
    pub before: Vec<Item>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub title: String,
    pub line: usize,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub line: usize,
    /// As it stands in the file, without its dash.
    pub text: String,
    pub does: Does,
}

#[derive(Clone, Debug)]
pub enum Does {
    Graph(String),
    Clear,
    Send(String),
    /// Uses the first control whose label or action matches.
    Action(Choice),
    Expect(Check),
}

/// What can't be read, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SuiteError {
    pub line: usize,
    pub what: Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("a suite begins with a title: `# <title>`")]
    NoTitle,
    #[error("a suite has steps: `## <step>`")]
    NoSteps,
    #[error("there is no item `{key}`; use graph, clear, send, action or expect <what>")]
    UnknownKey { key: String },
    #[error("`{key}:` needs {what}")]
    Needs { key: String, what: String },
    #[error("a check speaks of the last `send` or `action`, and nothing was sent before it")]
    NothingSent,
    #[error("this would be skipped as prose; an item stands at the start of its line as `- key: value`")]
    NotAnItem,
    #[error("a block of code begins here and is never closed, so what follows would be skipped")]
    OpenCode,
}

impl Suite {
    pub fn parse(text: &str) -> Result<Suite, SuiteError> {
        let mut suite = Suite { title: String::new(), before: Vec::new(), steps: Vec::new() };
        let (mut code, mut is_sent, mut last) = (None, false, 0);
        // Some editors begin a file with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, text) in (1..).zip(text.lines()) {
            last = line;
            if text.trim_start().starts_with("```") {
                code = if code.is_some() { None } else { Some(line) };
            } else if code.is_some() {
                continue;
            } else if let Some(title) = text.strip_prefix("# ") {
                suite.title = title.trim().to_owned();
            } else if let Some(title) = text.strip_prefix("## ") {
                suite.steps.push(Step { title: title.trim().to_owned(), line, items: Vec::new() });
            } else if let Some(item) = item(line, text).map_err(|what| SuiteError { line, what })? {
                match &item.does {
                    Does::Send(_) | Does::Action(_) => is_sent = true,
                    Does::Expect(_) if !is_sent => return Err(SuiteError { line, what: Wrong::NothingSent }),
                    Does::Graph(_) | Does::Clear | Does::Expect(_) => {}
                }
                suite.steps.last_mut().map_or(&mut suite.before, |step| &mut step.items).push(item);
            }
        }
        if let Some(line) = code {
            return Err(SuiteError { line, what: Wrong::OpenCode });
        }
        let wrong = |what| Err(SuiteError { line: last.max(1), what });
        match (suite.title.is_empty(), suite.steps.is_empty()) {
            (true, _) => wrong(Wrong::NoTitle),
            (_, true) => wrong(Wrong::NoSteps),
            (false, false) => Ok(suite),
        }
    }

    /// Its checks that fit.
    pub fn count(&self, fits: impl Fn(&Check) -> bool) -> usize {
        let items = self.before.iter().chain(self.steps.iter().flat_map(|step| &step.items));
        items.filter(|item| matches!(&item.does, Does::Expect(check) if fits(check))).count()
    }
}

/// What items begin with.
const KEYS: [&str; 5] = ["graph", "clear", "send", "action", "expect"];

/// Whether a line that is no item was meant as one.
fn looks_like_an_item(text: &str) -> bool {
    let Some(text) = text.trim_start().strip_prefix(['-', '*', '+']) else { return false };
    let first = text.trim_start().split(|sign: char| !sign.is_alphabetic()).next().unwrap_or_default();
    KEYS.iter().any(|key| first.eq_ignore_ascii_case(key))
}

/// The item that a line is, if it is one.
fn item(line: usize, text: &str) -> Result<Option<Item>, Wrong> {
    let prose = || if looks_like_an_item(text) { Err(Wrong::NotAnItem) } else { Ok(None) };
    let Some(text) = text.strip_prefix("- ").map(str::trim) else { return prose() };
    if text == "clear" {
        return Ok(Some(Item { line, text: text.to_owned(), does: Does::Clear }));
    }
    let Some((key, value)) = text.split_once(':') else { return prose() };
    let (key, value) = (key.trim(), value.trim());
    let needs = |what: String| Wrong::Needs { key: key.to_owned(), what };
    let given = || if value.is_empty() { Err(needs("a value".to_owned())) } else { Ok(value.to_owned()) };
    let does = match key.split_once(' ') {
        None if key == "graph" => Does::Graph(given()?),
        None if key == "send" => Does::Send(given()?),
        None if key == "action" => Does::Action(Choice::parse(&given()?).map_err(needs)?),
        Some(("expect", about)) => Does::Expect(Check::parse(about.trim(), &given()?).map_err(needs)?),
        Some(_) | None => return Err(Wrong::UnknownKey { key: key.to_owned() }),
    };
    Ok(Some(Item { line, text: text.to_owned(), does }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "# Smoke\nProse.\n\n- graph: v3-framed\n\n## 1. A greeting\nMore prose: with a colon.\n- clear\n- send: hello: you\n- a bullet\n- expect path: reflex\n- expect time: < 10 ms\n\n```\n- nothing: here\n```\n## 2. Buttons\n- action: red or rot\n- expect frames: == 2\n";

    #[test]
    fn a_suite_reads_as_steps_of_items_with_their_lines() {
        let suite = Suite::parse(SUITE).unwrap();
        let steps: Vec<(&str, usize, Vec<usize>)> =
            suite.steps.iter().map(|step| (step.title.as_str(), step.line, step.items.iter().map(|item| item.line).collect())).collect();
        assert_eq!(steps, [("1. A greeting", 6, vec![8, 9, 11, 12]), ("2. Buttons", 17, vec![18, 19])]);
        assert_eq!((suite.title.as_str(), suite.before.len(), suite.count(|check| !check.is_reported())), ("Smoke", 1, 2));
        assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"));
    }

    #[test]
    fn how_an_editor_writes_lines_changes_nothing() {
        for text in [SUITE.replace('\n', "\r\n"), format!("\u{feff}{SUITE}"), SUITE.trim_end().to_owned()] {
            let suite = Suite::parse(&text).unwrap();
            assert_eq!((suite.title.as_str(), suite.steps.len(), suite.count(|check| !check.is_reported())), ("Smoke", 2, 2), "{text:?}");
            assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"), "{text:?}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_named_with_its_line() {
        for (text, says) in [
            ("## 1\n- send: x\n", "line 2: a suite begins with a title: `# <title>`"),
            ("# Title\n", "line 1: a suite has steps: `## <step>`"),
            ("# T\n## 1\n- sned: x\n", "line 3: there is no item `sned`; use graph, clear, send, action or expect <what>"),
            ("# T\n## 1\n- send:\n", "line 3: `send:` needs a value"),
            ("# T\n## 1\n- expect path: pa\n", "line 3: a check speaks of the last `send` or `action`, and nothing was sent before it"),
            ("# T\n## 1\n- action: red or\n", "line 3: `action:` needs words on both sides of each `or` and `and`"),
            (
                "# T\n## 1\n- send: x\n- expect response contains x\n",
                "line 4: this would be skipped as prose; an item stands at the start of its line as `- key: value`",
            ),
            ("# T\n## 1\n```\n- send: x\n", "line 3: a block of code begins here and is never closed, so what follows would be skipped"),
        ] {
            assert_eq!(Suite::parse(text).unwrap_err().to_string(), says, "{text:?}");
        }
    }

    #[test]
    fn what_a_check_needs_is_told() {
        let of_text = "one of `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`, `exists`, `not exists`";
        let of_state = &*format!("a key first and what is said of it, such as `user_name is Ada`: {of_text}");
        let own =
            |part: &str| format!("words, and `{part}` reads like a check of its own: write a second line for it, or put it in quotes");
        let of_name = "a name alone, such as `reflex` or `reflex or director`";
        for (check, needs) in [
            ("weather: fine", "one of response, actions, state, trace, frames, path, calls, progress, table, chart, time, judge"),
            ("response: hello", of_text),
            ("response: contains", "words behind `contains`"),
            ("response: not contains \"a b", "a closing `\"`"),
            ("response: not contains Here and not contains zebra", &own("not contains zebra")),
            ("response: is hello and length > 100", &own("length > 100")),
            (
                "response: length > 3 and contains x",
                "comparisons such as `length > 0` on both sides of each `or` and `and`: write a second line for anything else",
            ),
            ("actions: not has red and not has yellow", &own("not has yellow")),
            ("actions: red", "one of `has A`, `not has A`, `count >= N`"),
            ("trace: not has perceived and not has decided", &own("not has decided")),
            ("trace: not has \"a\" or \"b", "a closing `\"`"),
            ("state: is x", of_state),
            ("state: not exists", of_state),
            ("state: user_name", of_state),
            ("state: user_name Ada", of_state),
            ("state: user_name is", "words behind `is`"),
            ("path: pa or", "words on both sides of each `or` and `and`"),
            ("path: is reflex", of_name),
            ("path: not pa", of_name),
            ("path: == pa", of_name),
            ("frames: many", "a comparison such as `== 4`"),
            ("calls: == 0", "a kind first and then a comparison, such as `db <= 1`"),
            ("calls: db", "a kind first and then a comparison, such as `db <= 1`"),
            ("time: < 5 s", "a comparison such as `< 500 ms`"),
            ("table: 3 rows", "one of `rows OP N`, `columns has A`, `kind is A`"),
        ] {
            let error = Suite::parse(&format!("# T\n## 1\n- send: x\n- expect {check}\n")).unwrap_err();
            let about = check.split(':').next().unwrap();
            assert_eq!(error.to_string(), format!("line 4: `expect {about}:` needs {needs}"), "{check}");
        }
    }

    #[test]
    fn a_line_that_was_meant_as_an_item_is_not_passed_over() {
        for line in ["* send: x", "  - send: x", "-send: x", "+ expect path: pa", "- expect path pa", "- Clear", "- clear it"] {
            let error = Suite::parse(&format!("# T\n## 1\n{line}\n")).unwrap_err();
            assert_eq!(error, SuiteError { line: 3, what: Wrong::NotAnItem }, "{line}");
        }
        for line in ["a clear day", "- a bullet", "* sending is fine", "--- ", "- expected"] {
            assert!(Suite::parse(&format!("# T\n## 1\n{line}\n")).is_ok(), "{line}");
        }
    }
}
