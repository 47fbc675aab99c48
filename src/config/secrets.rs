//! Secrets: from the environment, a file of their own, or the credentials of a systemd unit; never from a flag or the file of
//! settings, and never shown.

use super::{Arguments, ConfigError};
use crate::text_file;
use regex_lite::Regex;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The variable that holds the key of the model's server, whosever it is.
pub const KEY: &str = "FRAMEWRIGHT_LLM_KEY";
/// The variables that hold the key of one provider.
pub const KEYS: &[&str] = &["OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY"];
/// The credential's name, as `LoadCredential=` of a unit gives it.
const CREDENTIAL: &str = "llm_key";
const KEY_BYTES_MAX: u64 = 16 << 10;

/// The environment, without blank variables, and with the key where a file or a credential holds it.
pub(super) fn beside<E: Fn(&str) -> Option<String>>(
    arguments: &Arguments,
    environment: E,
) -> Result<impl Fn(&str) -> Option<String> + use<E>, ConfigError> {
    let given = move |name: &str| environment(name).filter(|value| !value.trim().is_empty());
    let key = match (given(KEY), &arguments.llm_key_file) {
        (Some(key), _) => Some(key),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => match given("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(CREDENTIAL)) {
            Some(path) if path.is_file() => Some(read(&path)?),
            _ => None,
        },
    };
    Ok(move |name: &str| if name == KEY { key.clone() } else { given(name) })
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let wrong = |why: String| ConfigError::KeyFile { path: path.to_owned(), why };
    let text = text_file::read(path, KEY_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".to_owned())),
        key => Ok(key.to_owned()),
    }
}

/// Addresses such as `http://user:password@host` without what stands before the `@`.
pub fn without_password(value: &str) -> String {
    // A database's password may hold any character.
    const SECRET: &str = r"((?:mysql|mariadb)://)\S*@|(://)[^\s/]*@";
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(SECRET).expect("a pattern of our own"));
    PATTERN.replace_all(value, "$1$2•••@").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        for (value, shown) in [
            ("http://u:p@h/v1", "http://•••@h/v1"),
            ("http://h/a@b", "http://h/a@b"),
            ("a=mysql://u:p/w@h/x b=mysql://u:p@h/y", "a=mysql://•••@h/x b=mysql://•••@h/y"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_password(value), shown);
        }
    }
}
