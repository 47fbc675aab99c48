//! Prompts: Markdown files of fixed text and named slots, read once when the graph is loaded.
//!
//! `{{message}}` is a slot; a line `=== user` divides what the system says from what changes with every turn, so that the
//! beginning stays the same and a provider's prompt cache hits. `{{tools}}` is fixed text: the signatures of the node's tools.

use super::slots::{self, Slot};
use super::{View, tools};
use crate::contract::{ChatMessage, Part, Role, Text, ToolSpec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the system says stands above this line, what changes with every turn below it.
const DIVIDER: &str = "=== user";
/// What a slot's heading begins with.
const HEADING: &str = "## ";

/// A prompt, ready to be filled.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    messages: Vec<(Role, Vec<Block>)>,
    /// Every slot that the file names, those of fixed text included.
    slots: BTreeSet<String>,
}

/// A heading with what stands below it; what stands before the first heading is one of its own.
type Block = Vec<Piece>;

#[derive(Clone, Debug)]
enum Piece {
    Fixed(Arc<str>),
    Slot(&'static Slot),
}

/// What is wrong in a prompt file, and in which line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    #[error("there is no slot `{name}`; use one of tools, experts, {}", slots::ALL.iter().map(|slot| slot.name).collect::<Vec<_>>().join(", "))]
    UnknownSlot { line: usize, name: String },
    #[error("a slot is opened with `{{{{` and not closed; write `{{{{name}}}}`")]
    OpenSlot { line: usize },
    #[error("`{found}` divides nothing; a prompt is divided once, by the line `{DIVIDER}`")]
    Divider { line: usize, found: String },
    #[error("the line `{DIVIDER}` is missing; write what never changes above it, and the slots below it")]
    NoDivider { line: usize },
    #[error("nothing stands below `{DIVIDER}`; write the slots that the node needs there")]
    NoUser { line: usize },
}

impl PromptError {
    pub fn line(&self) -> usize {
        match self {
            PromptError::UnknownSlot { line, .. }
            | PromptError::OpenSlot { line }
            | PromptError::Divider { line, .. }
            | PromptError::NoDivider { line }
            | PromptError::NoUser { line } => *line,
        }
    }
}

impl Prompt {
    /// `experts` is what `{{experts}}` becomes: the names and descriptions of those that the node knows.
    pub fn parse(text: &str, tools: &[ToolSpec], experts: &str) -> Result<Prompt, PromptError> {
        let mut messages = vec![(Role::System, vec![Block::new()])];
        let (mut fixed, mut slots, mut divided) = (String::new(), BTreeSet::new(), None);
        for (line, text) in (1..).zip(text.split_inclusive('\n')) {
            match text.trim_end() {
                DIVIDER if divided.is_none() => {
                    close(&mut messages, &mut fixed);
                    messages.push((Role::User, vec![Block::new()]));
                    divided = Some(line);
                    continue;
                }
                heading if divided.is_some() && heading.starts_with(HEADING) => {
                    close(&mut messages, &mut fixed);
                    messages.last_mut().expect("the system's message comes first").1.push(Block::new());
                }
                found if is_meant_as_divider(found) => return Err(PromptError::Divider { line, found: found.to_owned() }),
                _ => {}
            }
            let mut rest = text;
            while let Some((before, after)) = rest.split_once("{{") {
                let (name, after) = after.split_once("}}").ok_or(PromptError::OpenSlot { line })?;
                let name = name.trim();
                fixed.push_str(before);
                match name {
                    "tools" => fixed.push_str(&tools::signatures(tools)),
                    "experts" => fixed.push_str(experts),
                    name => {
                        let slot = slots::named(name).ok_or_else(|| PromptError::UnknownSlot { line, name: name.to_owned() })?;
                        close(&mut messages, &mut fixed);
                        last(&mut messages).push(Piece::Slot(slot));
                    }
                }
                slots.insert(name.to_owned());
                rest = after;
            }
            fixed.push_str(rest);
        }
        close(&mut messages, &mut fixed);
        let line = divided.ok_or(PromptError::NoDivider { line: 1 })?;
        messages.iter_mut().for_each(|(_, blocks)| blocks.retain(|block| !block.is_empty()));
        messages.retain(|(_, blocks)| !blocks.is_empty());
        if messages.last().is_none_or(|(role, _)| *role != Role::User) {
            return Err(PromptError::NoUser { line });
        }
        Ok(Prompt { messages, slots })
    }

    /// Whether the file names a slot.
    pub fn has(&self, slot: &str) -> bool {
        self.slots.contains(slot)
    }

    /// The messages for this turn: fixed text is shared, slots are filled from the view. A heading below which nothing stands
    /// is left out.
    pub fn fill(&self, view: &View<'_>) -> Vec<ChatMessage> {
        self.filled(|slot, parts| slot.fill(view, parts))
    }

    /// The messages as `slot` fills them.
    pub(super) fn filled(&self, slot: impl Fn(&'static Slot, &mut Vec<Part>)) -> Vec<ChatMessage> {
        let message = |(role, blocks): &(Role, Vec<Block>)| {
            let mut parts = Vec::with_capacity(blocks.iter().map(Vec::len).sum::<usize>() + 1);
            for block in blocks {
                let begin = parts.len();
                for piece in block {
                    match piece {
                        Piece::Fixed(text) => parts.push(Part::Fixed(text.clone())),
                        Piece::Slot(name) => slot(name, &mut parts),
                    }
                }
                if says_nothing(&parts[begin..]) {
                    parts.truncate(begin);
                }
            }
            ChatMessage::new(*role, Text(parts))
        };
        self.messages.iter().map(message).collect()
    }
}

/// Whether a line is almost the divider, such as `=== User`, or divides in a way that there is not, such as `=== assistant`.
fn is_meant_as_divider(line: &str) -> bool {
    let name = line.trim_matches(|sign: char| sign == '=' || sign.is_whitespace());
    (line.trim_start().starts_with('=') && name.eq_ignore_ascii_case("user")) || (line.trim_start().starts_with("===") && !name.is_empty())
}

/// Whether slots stand below a heading, all of them empty, and nothing else does. The message is never left out.
fn says_nothing(parts: &[Part]) -> bool {
    let [Part::Fixed(heading), rest @ ..] = parts else { return false };
    let is_blank = |part: &Part| match part {
        Part::Slot(name, _) if name == "message" => false,
        part => matches!(part.text().trim(), "" | "[]"),
    };
    heading.starts_with(HEADING) && heading.trim_end().lines().count() == 1 && !rest.is_empty() && rest.iter().all(is_blank)
}

fn last(messages: &mut [(Role, Vec<Block>)]) -> &mut Block {
    messages.last_mut().and_then(|(_, blocks)| blocks.last_mut()).expect("the system's message comes first")
}

fn close(messages: &mut [(Role, Vec<Block>)], fixed: &mut String) {
    if !fixed.trim().is_empty() || (!fixed.is_empty() && !last(messages).is_empty()) {
        last(messages).push(Piece::Fixed(std::mem::take(fixed).into()));
    }
    fixed.clear();
}

#[cfg(test)]
mod tests {
    use super::super::{Packet, Sensed, testing::Fixture};
    use super::*;

    #[test]
    fn names_the_line_and_what_to_do_when_a_prompt_is_wrong() {
        for (text, line, says) in [
            ("one\ntwo {{mesage}}\n", 2, "there is no slot `mesage`"),
            ("one\n{{message\n", 2, "not closed"),
            ("\n \n", 1, "the line `=== user` is missing"),
            ("one\n{{message}}\n", 1, "the line `=== user` is missing"),
            ("one\n=== User\n{{message}}\n", 2, "`=== User` divides nothing; a prompt is divided once, by the line `=== user`"),
            ("one\n===user\n{{message}}\n", 2, "`===user` divides nothing"),
            ("one\n == user\n{{message}}\n", 2, "` == user` divides nothing"),
            ("one\n=== user ===\n{{message}}\n", 2, "`=== user ===` divides nothing"),
            ("one\n=== assistant\n=== user\n{{message}}\n", 2, "`=== assistant` divides nothing"),
            ("one\n=== user\n{{message}}\n=== user\n", 4, "`=== user` divides nothing"),
            ("one {{message}}\n=== user \n\n", 2, "nothing stands below `=== user`"),
        ] {
            let error = Prompt::parse(text, &[], "").unwrap_err();
            assert_eq!(error.line(), line, "{text:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn what_changes_by_itself_is_marked_and_reads_as_before() {
        let sensed = Sensed { passing: "local time: now".to_owned(), screen: "\nscreen: a lamp went on".to_owned() };
        let packet = Packet { sensed, ..Packet::default() };
        let prompt = Prompt::parse("# input\n=== user\n## sensed\n{{sensed}}\n## message\n{{message}}\n", &[], "").unwrap();
        let message = prompt.fill(&Fixture::default().view(&packet)).remove(1);
        let passing: Vec<&str> =
            message.text.0.iter().filter_map(|part| if let Part::Passing(_, text) = part { Some(&**text) } else { None }).collect();
        assert_eq!(passing, ["local time: now"]);
        let told = "## sensed\nlocal time: now\nscreen: a lamp went on\n## message\na message\n";
        assert_eq!(message.text.to_string(), told);
    }

    #[test]
    fn a_heading_below_which_nothing_stands_is_left_out() {
        let text = "# input\n=== user\nRead.\n## history\n{{history}}\n\n## dashboard\n{{dashboard}}\n\n## results\nall: {{results}}\n\n## message\n{{message}}\n";
        let prompt = Prompt::parse(text, &[], "").unwrap();
        let (mut fixture, packet) = (Fixture::default(), Packet::default());
        let told = |fixture: &Fixture| prompt.fill(&fixture.view(&packet)).remove(1).text.to_string();
        let rest = "## results\nall: []\n\n## message\na message\n";
        assert_eq!(told(&fixture), format!("Read.\n{rest}"));
        fixture.history.push_back(crate::contract::Message::new(Role::User, "Hi", crate::contract::TurnId(9)));
        assert_eq!(told(&fixture), format!("Read.\n## history\nuser: Hi\n\n{rest}"));
    }

    #[test]
    fn a_line_divides_the_system_from_the_user() {
        let prompt = Prompt::parse("# input\nBe brief.\n=== user\n## message\n{{message}}\n", &[], "").unwrap();
        let roles: Vec<Role> = prompt.messages.iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, [Role::System, Role::User]);
        assert_eq!(prompt.messages[1].1[0].len(), 3, "text, slot, text");
        assert!(prompt.has("message") && !prompt.has("history"));
        let heading = Prompt::parse("Title\n=====\na == b\n=== user\r\n{{ message }}\n", &[], "").unwrap();
        assert_eq!(heading.messages.len(), 2, "an underline is none, nor is an end of line of Windows");
    }
}
