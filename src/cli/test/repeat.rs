//! The command that plays one suite again, as it was played.

use crate::config::without_password;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};

/// What has nothing to do with how a suite goes, and what nobody else may read.
const LEFT_OUT: &[&str] = &["files", "token", "jobs", "junit", "results", "coverage", "color", "record"];

/// `matches`: what was said on the command line that `command` reads.
pub(super) fn command(command: &Command, matches: &ArgMatches, file: &str) -> String {
    let mut words = vec!["framewright".to_owned(), "test".to_owned(), quoted(file)];
    for arg in command.get_arguments().filter(|arg| !LEFT_OUT.contains(&arg.get_id().as_str())) {
        let id = arg.get_id().as_str();
        let Some(long) = arg.get_long().filter(|_| matches.value_source(id) == Some(ValueSource::CommandLine)) else { continue };
        let flag = format!("--{long}");
        let values: Vec<String> = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
        match arg.get_action() {
            ArgAction::SetTrue => words.push(flag),
            _ if arg.is_require_equals_set() => words.push(quoted(&format!("{flag}={}", values.join(" ")))),
            _ => words.extend([flag, quoted(&without_password(&values.join(" ")))]),
        }
    }
    words.join(" ")
}

/// A word as every shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;
    use clap::Args;

    #[test]
    fn what_was_said_is_said_again_but_for_secrets_and_files() {
        for (line, again) in [
            (&["a.md", "b.md"][..], "framewright test a.md"),
            (&["a.md", "--jobs", "4", "--junit=x", "--coverage", "--strict-time"], "framewright test a.md --strict-time"),
            (&["a.md", "--url", "http://h:1", "--token", "secret"], "framewright test a.md --url http://h:1"),
            (&["--graph", "it's mine", "a.md"], r"framewright test a.md --graph 'it'\''s mine'"),
            (&["a.md", "--offline", "--development=false"], "framewright test a.md --development=false --offline=true"),
            (&["a.md", "--database", "x=mysql://u:secret@h/x"], "framewright test a.md --database 'x=mysql://•••@h/x'"),
        ] {
            let command = Options::augment_args(Command::new("test"));
            let matches = command.clone().no_binary_name(true).get_matches_from(line);
            assert_eq!(super::command(&command, &matches, "a.md"), again, "{line:?}");
        }
        for (word, quoted) in [("", "''"), ("a b", "'a b'"), ("$x", "'$x'"), ("--graph=v3-framed", "--graph=v3-framed")] {
            assert_eq!(super::quoted(word), quoted);
        }
    }
}
