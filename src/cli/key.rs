//! `framewright key`: creates, lists and revokes API keys. The file holds their hashes; a running server reads it again by itself.

use super::{Failure, audited, tell};
use crate::auth::{ApiKeys, KEY_PREFIX, KeyHash, Scope, Scopes, is_key_name};
use crate::config::Arguments;
use crate::config::layers::Written;
use crate::runner::write_whole;
use crate::text_file::{self, ReadError};
use clap::ArgMatches;
use data_encoding::BASE64URL_NOPAD;
use jiff::Zoned;
use rustls::crypto::aws_lc_rs;
use std::io;
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 4 << 20;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create an API key and print it once
    Create {
        /// Name of the program that will use it: 1 to 64 letters, digits, `_` and `-`
        name: String,
        /// What it may do: chat (includes read), read, tests, metrics, admin (includes all)
        #[arg(long, value_name = "SCOPE", value_delimiter = ',', default_value = "chat")]
        scopes: Vec<Scope>,
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
    /// List the names and scopes of all keys
    List {
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
    /// Revoke a key; a running server refuses it within seconds
    Revoke {
        /// Name of the key
        name: String,
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
}

pub(super) fn run(command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    let written = Written::read(matches).map_err(Failure::config)?;
    let file = written.arguments.api_keys.ok_or_else(|| {
        Failure::config("no file of API keys is set: pass --api-keys FILE, or set `api_keys` in the section [auth] of framewright.toml")
    })?;
    let file = KeyFile::read(file)?;
    let audit = written.arguments.audit;
    audited::check(audit.as_deref())?;
    match command {
        Command::Create { name, scopes, .. } => {
            file.create(name, scopes)?;
            let scopes = Scopes::of(scopes.iter().copied()).names().join(", ");
            audited::note(audit.as_deref(), &audited::record("key_create", format!("{name} ({scopes})")))
        }
        Command::List { .. } => {
            print!("{}", file.listed());
            Ok(())
        }
        Command::Revoke { name, .. } => {
            file.revoke(name)?;
            audited::note(audit.as_deref(), &audited::record("key_revoke", name.clone()))
        }
    }
}

struct KeyFile {
    path: PathBuf,
    text: String,
    keys: ApiKeys,
}

impl KeyFile {
    /// A file that is not there is empty.
    fn read(path: PathBuf) -> Result<KeyFile, Failure> {
        let wrong = |why: &dyn std::fmt::Display| Failure::config(format!("{}: {why}", path.display()));
        let text = match text_file::read(&path, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(wrong(&error)),
        };
        let keys = ApiKeys::read(&text).map_err(|error| wrong(&error))?;
        Ok(KeyFile { path, text, keys })
    }

    fn has(&self, name: &str) -> bool {
        self.keys.list().iter().any(|key| key.name == name)
    }

    fn create(self, name: &str, scopes: &[Scope]) -> Result<(), Failure> {
        if !is_key_name(name) {
            return Err(Failure::config(format!("`{name}` can't be a key's name: use 1 to 64 letters, digits, `_` and `-`")));
        }
        if self.has(name) {
            return Err(Failure::config(format!("a key `{name}` exists already: revoke it first, or choose another name")));
        }
        let mut secret = [0; 32];
        let random = aws_lc_rs::default_provider().secure_random;
        random.fill(&mut secret).map_err(|_| Failure::unavailable("the system has no random numbers"))?;
        let key = format!("{KEY_PREFIX}{}", BASE64URL_NOPAD.encode(&secret));
        let stated: Vec<String> = scopes.iter().map(|scope| format!("{:?}", scope.name())).collect();
        let gap = if self.text.is_empty() || self.text.ends_with("\n\n") {
            ""
        } else if self.text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        let entry = format!(
            "{gap}[keys.{name}]\nsha256 = \"{}\"\nscopes = [{}]\ncreated = \"{}\"\n",
            KeyHash::of(&key),
            stated.join(", "),
            Zoned::now().date()
        );
        write(&self.path, &(self.text + &entry))?;
        let all = Scopes::of(scopes.iter().copied()).names().join(", ");
        tell(format_args!("created `{name}` ({all}) in {}; keep the key, it is not shown again", self.path.display()));
        println!("{key}");
        Ok(())
    }

    fn listed(&self) -> String {
        let keys = self.keys.list();
        let width = keys.iter().map(|key| key.name.len()).max().unwrap_or(0);
        keys.iter().map(|key| format!("{:width$} {}\n", key.name, key.scopes.names().join(" "))).collect()
    }

    fn revoke(self, name: &str) -> Result<(), Failure> {
        if !self.has(name) {
            return Err(Failure::config(format!("there is no key `{name}`: `framewright key list` names all there are")));
        }
        let text = without(&self.text, name);
        // Written in another way than ours, it would stay.
        let left = ApiKeys::read(&text).map(|keys| keys.list().iter().any(|key| key.name == name));
        if left != Ok(false) {
            return Err(Failure::config(format!("`{name}` could not be found in {}: remove it there by hand", self.path.display())));
        }
        write(&self.path, &text)?;
        tell(format_args!("revoked `{name}`; a running server refuses it within seconds"));
        Ok(())
    }
}

/// The file without one key's table.
fn without(text: &str, name: &str) -> String {
    let mut is_inside = false;
    let keeps = |line: &&str| {
        if line.trim_start().starts_with('[') {
            is_inside = [format!("[keys.{name}]"), format!("[keys.\"{name}\"]")].iter().any(|head| line.trim() == head);
        }
        !is_inside
    };
    text.split_inclusive('\n').filter(keeps).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_whole(path, text).map_err(|error| Failure::config(format!("{} can't be written ({error})", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_taken_out_and_everything_else_stays() {
        let hash = |name: &str| format!("sha256 = \"{}\"\nscopes = [\"chat\"]\n", KeyHash::of(name));
        let text = format!("# ours\n[keys.a]\n{}# of a\n\n[keys.ab]\n{}\n[keys.\"c\"] \n{}", hash("a"), hash("ab"), hash("c"));
        let names = |text: &str| ApiKeys::read(text).unwrap().list().iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&text), "a ab c");
        for (name, left) in [("a", "ab c"), ("ab", "a c"), ("c", "a ab"), ("b", "a ab c")] {
            assert_eq!(names(&without(&text, name)), left, "without {name}");
            assert!(without(&text, name).starts_with("# ours\n"));
        }
    }
}
