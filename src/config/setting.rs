//! What a setting is called everywhere: its flag, its variable, its key in a file, its default.
//!
//! All of it follows from the one place that defines it, a field of [`Arguments`](super::Arguments): the variable is named
//! there, the heading of the help is the section of the file, and the key is the flag without it. So `--llm-url` is
//! `FRAMEWRIGHT_LLM_URL` is `url` in `[llm]`, and none of them can say something else than the others.

use super::Arguments;
use clap::{Arg, Args, Command};
use std::any::TypeId;
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As clap knows it.
    pub id: String,
    pub flag: String,
    pub variable: String,
    /// The table of the file that it stands in; none: above all tables.
    pub section: Option<String>,
    pub key: String,
    pub kind: Kind,
    pub default: Option<String>,
    pub help: String,
}

/// How a value is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Switch,
    Number,
    Path,
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Switch => "true or false",
            Kind::Number => "a whole number",
            Kind::Path | Kind::Text => "a text in quotes",
        })
    }
}

/// The command that has the settings for flags, and nothing else.
pub fn command() -> Command {
    Arguments::augment_args(Command::new("framewright").no_binary_name(true).disable_help_flag(true))
}

/// Every setting that a file may hold, in the order of the help; sections hang together.
pub fn all() -> Vec<Setting> {
    let mut all: Vec<Setting> = command().get_arguments().filter(|arg| arg.get_id() != NAMES_THE_FILE).map(Setting::of).collect();
    let sections: Vec<Option<String>> = all.iter().map(|setting| setting.section.clone()).collect();
    let place = |section: &Option<String>| match section {
        None => 0,
        Some(_) => 1 + sections.iter().position(|known| known == section).unwrap_or(0),
    };
    all.sort_by_key(|setting| place(&setting.section));
    all
}

/// The one flag that a file can't hold.
const NAMES_THE_FILE: &str = "config";

impl Setting {
    fn of(arg: &Arg) -> Self {
        let flag = arg.get_long().expect("every setting has a flag").to_owned();
        let section = arg.get_help_heading().map(str::to_ascii_lowercase);
        let name = flag.replace('-', "_");
        let key = section.as_ref().and_then(|section| name.strip_prefix(section.as_str())?.strip_prefix('_')).unwrap_or(&name);
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        Setting {
            id: arg.get_id().to_string(),
            variable: arg.get_env().expect("every setting has a variable").to_string_lossy().into_owned(),
            key: key.to_owned(),
            kind: kind(arg),
            default: arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned()),
            help,
            flag,
            section,
        }
    }

    /// The key with its section: `llm.url`.
    pub fn name(&self) -> String {
        match &self.section {
            Some(section) => format!("{section}.{}", self.key),
            None => self.key.clone(),
        }
    }

    /// A value as a file holds it. Values of switches and numbers are checked already.
    pub fn written(&self, value: &str) -> String {
        match self.kind {
            Kind::Switch | Kind::Number => value.to_owned(),
            Kind::Path | Kind::Text => toml::Value::String(value.to_owned()).to_string(),
        }
    }
}

fn kind(arg: &Arg) -> Kind {
    let value = arg.get_value_parser().type_id();
    let is_one_of = |types: &[TypeId]| types.iter().any(|known| value == *known);
    if is_one_of(&[TypeId::of::<bool>()]) {
        Kind::Switch
    } else if is_one_of(&[TypeId::of::<u8>(), TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()]) {
        Kind::Number
    } else if is_one_of(&[TypeId::of::<PathBuf>()]) {
        Kind::Path
    } else {
        Kind::Text
    }
}

/// The name that someone may have meant, if one is near.
pub fn nearest(written: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let leaf = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let plain = written.replace('-', "_").to_ascii_lowercase();
    let nearness = |name: &str| {
        let lower = name.to_ascii_lowercase();
        strsim::jaro_winkler(&plain, &lower).max(strsim::jaro_winkler(&plain, &lower.replace('.', "_"))).max(
            // The right word in the wrong section.
            strsim::jaro_winkler(&leaf(&plain), &leaf(&lower)) - 0.01,
        )
    };
    let near = names.into_iter().map(|name| (nearness(&name), name)).filter(|(nearness, _)| *nearness > 0.82);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_setting_is_called_the_same_everywhere() {
        let all = all();
        for setting in &all {
            let from_flag = format!("FRAMEWRIGHT_{}", setting.flag.replace('-', "_").to_ascii_uppercase());
            assert_eq!(setting.variable, from_flag, "--{}", setting.flag);
            assert!(!setting.help.is_empty(), "--{} is explained", setting.flag);
        }
        let names: BTreeSet<String> = all.iter().map(Setting::name).collect();
        assert_eq!(names.len(), all.len(), "no two settings have one key");
        for name in ["listen", "llm.url", "llm.model", "llm.key_file", "limits.workers"] {
            assert!(names.contains(name), "{name} is none of {names:?}");
        }
    }

    #[test]
    fn what_was_meant_is_found_and_nothing_far_away() {
        for (written, meant) in [
            ("lissten", Some("listen")),
            ("llm.modell", Some("llm.model")),
            ("llm-url", Some("llm.url")),
            ("workers", Some("limits.workers")),
            ("llm.workers", Some("limits.workers")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, all().iter().map(Setting::name)).as_deref(), meant, "{written}");
        }
    }
}
