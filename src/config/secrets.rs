//! Secrets: from the environment, a file of their own, or the credentials of a systemd unit; never from a flag or the file of
//! settings, and never shown.

use super::{Arguments, ConfigError};
use crate::text_file;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

/// The variable that holds the key of the model's server, whosever it is.
pub const KEY: &str = "FRAMEWRIGHT_LLM_KEY";
/// The variables that hold the key of one provider.
pub const KEYS: &[&str] = &["OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY"];
/// The variable that holds the secret of webhooks.
pub const WEBHOOK_SECRET: &str = "FRAMEWRIGHT_WEBHOOK_SECRET";
/// What stands before a credential's name where the unit loads a folder of them: `LoadCredential=framewright:/FOLDER`.
const CREDENTIALS: &str = "framewright_";
const SECRET_BYTES_MAX: u64 = 16 << 10;

/// The environment without blank variables, and behind it the credentials of a systemd unit. The key of the model's server may
/// also be in a file of its own.
pub(super) fn beside<E: Fn(&str) -> Option<String>>(
    arguments: &Arguments,
    environment: E,
) -> Result<impl Fn(&str) -> Option<String> + use<E>, ConfigError> {
    let given = move |name: &str| environment(name).filter(|value| !value.trim().is_empty());
    let mut credentials = given("CREDENTIALS_DIRECTORY").map_or_else(|| Ok(BTreeMap::new()), |folder| read_all(Path::new(&folder)))?;
    if let Some(path) = arguments.llm_key_file.as_ref().filter(|_| given(KEY).is_none()) {
        credentials.insert(credential(KEY), read(path)?);
    }
    if let Some(path) = arguments.webhook_secret_file.as_ref().filter(|_| given(WEBHOOK_SECRET).is_none()) {
        credentials.insert(credential(WEBHOOK_SECRET), read(path)?);
    }
    Ok(move |name: &str| given(name).or_else(|| credentials.get(&credential(name)).cloned()))
}

/// The credential that stands for a variable: `llm_key` for `FRAMEWRIGHT_LLM_KEY`.
fn credential(variable: &str) -> String {
    variable.strip_prefix("FRAMEWRIGHT_").unwrap_or(variable).to_lowercase()
}

/// The credentials that are ours, by name; others may be in the folder too.
fn read_all(folder: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for path in entries.map_while(Result::ok).map(|entry| entry.path()) {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        let name = name.strip_prefix(CREDENTIALS).unwrap_or(name);
        let is_key = [KEY, WEBHOOK_SECRET].iter().chain(KEYS).any(|key| credential(key) == name);
        if is_key || name.starts_with("database_") {
            all.insert(name.to_owned(), read(&path)?);
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let wrong = |why: String| ConfigError::KeyFile { path: path.to_owned(), why };
    let text = text_file::read(path, SECRET_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
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
    fn a_credential_stands_behind_its_variable_and_before_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        // Loaded one by one, and as a folder.
        for (name, text) in
            [("llm_key", "of-llm\n"), ("framewright_openai_api_key", "of-openai"), ("framewright_database_shop", "mysql://u:p@h/shop")]
        {
            write(name, text);
        }
        write("unknown", "");
        let environment = |set: &'static str| {
            let folder = folder.path().display().to_string();
            move |name: &str| match name {
                "CREDENTIALS_DIRECTORY" => Some(folder.clone()),
                name if name == set => Some("of-environment".to_owned()),
                _ => None,
            }
        };
        let key_file = folder.path().join("key");
        std::fs::write(&key_file, "of-file").unwrap();
        let with_file = format!("--llm-key-file {}", key_file.display());
        for (line, set, name, expected) in [
            ("", "", KEY, Some("of-llm")),
            ("", KEY, KEY, Some("of-environment")),
            (with_file.as_str(), "", KEY, Some("of-file")),
            (with_file.as_str(), KEY, KEY, Some("of-environment")),
            ("", "", "OPENAI_API_KEY", Some("of-openai")),
            ("", "OPENAI_API_KEY", "OPENAI_API_KEY", Some("of-environment")),
            ("", "", "FRAMEWRIGHT_DATABASE_SHOP", Some("mysql://u:p@h/shop")),
            ("", "", "ANTHROPIC_API_KEY", None),
            ("", "", "UNKNOWN", None),
        ] {
            let secrets = beside(&Arguments::of(line).unwrap(), environment(set)).unwrap();
            assert_eq!(secrets(name).as_deref(), expected, "{line} {set} {name}");
        }
        write("llm_key", " \n");
        let wrong = beside(&Arguments::of("").unwrap(), environment("")).err().unwrap().to_string();
        assert!(wrong.contains("llm_key") && wrong.contains("it is empty"), "{wrong}");
    }

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
