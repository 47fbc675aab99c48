//! What changed between a recorded turn and the same turn on another graph.

use super::play::{NewCall, Played};
use super::seen::Seen;
use clap::ValueEnum;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeSet;
use std::time::Duration;

/// In which way a turn changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// It took another path through its nodes
    Path,
    /// It used other tools, or other arguments
    Tools,
    /// It sent other statements to a database
    Sql,
    /// Its answer has other words
    Text,
    /// It fails, or gives less than it should, and did not, or for another reason
    Error,
    /// It needs a call that was not recorded, whether that was made or not
    Call,
}

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Changes {
    pub(super) kinds: BTreeSet<Kind>,
    pub(super) was: Seen,
    pub(super) is: Seen,
    pub(super) calls: Vec<NewCall>,
    /// A call was needed and not made: what comes behind it is not known.
    pub(super) is_short: bool,
}

impl Changes {
    pub(super) fn of(was: Seen, played: Played) -> Changes {
        let Played { seen: is, calls, is_short } = played;
        let mut kinds = BTreeSet::new();
        if !calls.is_empty() {
            kinds.insert(Kind::Call);
        }
        // Of a turn that broke off only what it did so far is known.
        if is.has_ended {
            let differences = [
                (Kind::Path, (&was.path, &was.frames) != (&is.path, &is.frames)),
                (Kind::Tools, was.tools != is.tools),
                (Kind::Sql, was.sql != is.sql),
                (Kind::Text, was.text != is.text),
                (Kind::Error, is.error.is_some() && was.error != is.error),
            ];
            kinds.extend(differences.into_iter().filter(|(_, differs)| *differs).map(|(kind, _)| kind));
        }
        Changes { kinds, was, is, calls, is_short }
    }

    /// Whether the turn did the same, whatever calls that took.
    pub(super) fn is_same(&self) -> bool {
        !self.is_short && self.kinds.iter().all(|kind| *kind == Kind::Call)
    }
}

/// How long words are compared before the rest counts as changed.
const DIFF_TIME: Duration = Duration::from_secs(2);
/// What is shown of a piece that did not change.
const SAME_CHARS: usize = 40;

/// Both texts word for word: `the same [-before-]{+after+} the same`.
pub(super) fn words(was: &str, is: &str) -> String {
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_words(was, is);
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    let last = runs.len().saturating_sub(1);
    let shown = runs.iter().enumerate().map(|(place, (tag, text))| match tag {
        ChangeTag::Delete => format!("[-{text}-]"),
        ChangeTag::Insert => format!("{{+{text}+}}"),
        ChangeTag::Equal => shortened(text, place > 0, place < last),
    });
    shown.collect()
}

/// The ends of a text that stands beside changes.
fn shortened(text: &str, is_behind: bool, is_before: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (head, tail) = (if is_behind { SAME_CHARS } else { 0 }, if is_before { SAME_CHARS } else { 0 });
    if chars.len() <= head + tail + 1 || !(is_behind || is_before) {
        return text.to_owned();
    }
    let piece = |chars: &[char]| chars.iter().collect::<String>();
    format!("{}…{}", piece(&chars[..head]), piece(&chars[chars.len() - tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_are_marked_and_long_same_pieces_cut() {
        let long = "word ".repeat(40);
        for (was, is, shown) in [
            ("The sky is blue.", "The sky is azure.", "The sky is [-blue.-]{+azure.+}".to_owned()),
            ("", "new", "{+new+}".to_owned()),
            ("old", "", "[-old-]".to_owned()),
            ("same", "same", "same".to_owned()),
        ] {
            assert_eq!(words(was, is), shown);
        }
        let shown = words(&format!("{long}blue {long}"), &format!("{long}red {long}"));
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("word [-blue-]{+red+} word"), "{shown}");
        assert!(shown.chars().count() < 120, "{shown}");
    }

    fn changes(was: Seen, is: Seen, is_short: bool) -> Changes {
        Changes::of(was, Played { seen: is, calls: Vec::new(), is_short })
    }

    #[test]
    fn each_way_in_which_a_turn_changes_is_named_and_what_is_not_known_is_not_compared() {
        let seen = || Seen { path: "director".into(), text: "Yes.".into(), has_ended: true, ..Seen::default() };
        for (is, kinds) in [
            (seen(), &[][..]),
            (Seen { tokens_in: 9, ..seen() }, &[]),
            (Seen { path: "reflex".into(), ..seen() }, &[Kind::Path]),
            (Seen { frames: vec!["input".into()], ..seen() }, &[Kind::Path]),
            (Seen { tools: vec!["query({})".into()], sql: vec!["SELECT 1".into()], ..seen() }, &[Kind::Tools, Kind::Sql]),
            (Seen { error: Some("no".into()), text: String::new(), ..seen() }, &[Kind::Text, Kind::Error]),
            (Seen { has_ended: false, ..Seen::default() }, &[]),
        ] {
            let found = changes(seen(), is, false);
            assert_eq!(found.kinds.iter().copied().collect::<Vec<_>>(), kinds);
        }
        let failed = || Seen { error: Some("no".into()), ..seen() };
        assert!(changes(failed(), failed(), false).is_same() && changes(failed(), seen(), false).is_same());
        assert!(!changes(seen(), Seen::default(), true).is_same(), "what broke off is not the same");
    }
}
