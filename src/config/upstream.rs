//! Who answers: chosen once, at the start, from what was said and what is there.
//!
//! In this order: what a flag says; a base address or a key in the environment; a model server on this machine; the demo.

use super::secrets::KEY;
use super::{Arguments, ConfigError};
use crate::work::demo::{self, Demo};
use crate::work::openai::{Deadlines, Key, OpenAi, Provider};
use crate::work::probe::Local;
use crate::work::{Models, Retries};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;
use ureq::http::Uri;

/// Who answers, and why it was chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Upstream {
    Demo { word_pause: Duration, why: &'static str },
    Provider { provider: Box<Provider>, why: Why },
}

/// What led to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The flag or the variable that names it.
    Told(&'static str),
    /// The program that runs on this machine.
    Found(&'static str),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Told(name) => f.write_str(name),
            Why::Found(program) => write!(f, "{program}, found on this machine"),
        }
    }
}

/// A provider that a key alone is enough for.
struct Known {
    key: &'static str,
    url: &'static str,
    model: &'static str,
}

/// In the order in which their keys are looked for.
const KNOWN: &[Known] = &[
    Known { key: "OPENAI_API_KEY", url: "https://api.openai.com/v1", model: "gpt-4.1-mini" },
    Known { key: "OPENROUTER_API_KEY", url: "https://openrouter.ai/api/v1", model: "openai/gpt-4.1-mini" },
    Known { key: "ANTHROPIC_API_KEY", url: "https://api.anthropic.com/v1", model: "claude-haiku-4-5" },
];

impl Known {
    /// Whose server this is; anyone's that is not known takes the first one's key, as most clients have it.
    fn of(url: &Uri) -> &'static Known {
        let own = |known: &&Known| known.url.parse::<Uri>().is_ok_and(|own| own.host() == url.host());
        KNOWN.iter().find(own).unwrap_or(&KNOWN[0])
    }
}

pub(super) fn choose(
    arguments: &Arguments,
    environment: impl Fn(&str) -> Option<String>,
    local: impl FnOnce(Option<&str>) -> Option<Local>,
) -> Result<Upstream, ConfigError> {
    let word_pause = Duration::from_millis(u64::from(arguments.demo_delay_ms));
    let model = arguments.model.clone();
    if model.as_deref() == Some(demo::NAME) {
        return Ok(Upstream::Demo { word_pause, why: "as told" });
    }
    let by_flag = arguments.llm_url.clone().map(|url| ("--llm-url", url));
    let by_url = by_flag.or_else(|| environment("OPENAI_BASE_URL").map(|url| ("OPENAI_BASE_URL", url)));
    let by_key = || KNOWN.iter().find(|known| environment(known.key).is_some());
    let (url, otherwise, why) = if let Some((name, url)) = by_url {
        let url = address(name, &url)?;
        let known = Known::of(&url);
        let is_known = known.url.parse::<Uri>().is_ok_and(|own| own.host() == url.host());
        (url, is_known.then(|| known.model.to_owned()), Why::Told(name))
    } else if environment(KEY).is_some() {
        (address("the default", KNOWN[0].url)?, Some(KNOWN[0].model.to_owned()), Why::Told(KEY))
    } else if let Some(known) = by_key() {
        (address("the default", known.url)?, Some(known.model.to_owned()), Why::Told(known.key))
    } else if let Some(found) = if arguments.offline { None } else { local(model.as_deref()) } {
        (address("the default", &found.url)?, Some(found.model), Why::Found(found.program))
    } else {
        return match model {
            Some(model) => Err(ConfigError::NoProvider { model }),
            None => Ok(Upstream::Demo { word_pause, why: "no key found" }),
        };
    };
    let strong = model.or(otherwise).ok_or_else(|| ConfigError::NoModel { url: url.to_string() })?;
    let provider = Provider {
        key: key(Known::of(&url).key, &environment)?,
        fast: arguments.fast_model.clone().unwrap_or_else(|| strong.clone()),
        fallback: arguments.fallback_model.clone(),
        deadlines: deadlines(arguments, &url),
        prices: super::quotas::prices(arguments)?,
        retries: Retries { retries_max: u32::from(arguments.retries), ..Retries::default() },
        strong,
        url,
    };
    Ok(Upstream::Provider { provider: Box::new(provider), why })
}

fn key(name: &'static str, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Key>, ConfigError> {
    let name = if environment(KEY).is_some() { KEY } else { name };
    let key = environment(name).map(|key| key.trim().to_owned());
    match key.as_ref().is_none_or(|key| key.chars().all(|sign| sign.is_ascii_graphic())) {
        true => Ok(key.map(Key)),
        false => Err(ConfigError::Key { name }),
    }
}

fn deadlines(arguments: &Arguments, url: &Uri) -> Deadlines {
    let usual = Deadlines::for_host(url);
    let milliseconds = |count: u32| Duration::from_millis(u64::from(count));
    Deadlines {
        connection: milliseconds(arguments.connect_ms),
        first_word: arguments.first_token_ms.map_or(usual.first_word, milliseconds),
        next_word: milliseconds(arguments.next_token_ms),
    }
}

fn address(name: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let wrong = || ConfigError::Url { name, url: text.to_owned() };
    let url: Uri = text.trim().parse().map_err(|_| wrong())?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
    let is_plain =
        url.query().is_none() && !text.contains('#') && url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if is_http && is_plain { Ok(url) } else { Err(wrong()) }
}

impl Upstream {
    /// What everyone may know of the model: no address, no key.
    pub fn about(&self) -> Value {
        match self {
            Upstream::Demo { why, .. } => json!({ "name": demo::NAME, "demo": true, "source": why }),
            Upstream::Provider { provider, why: Why::Told(name) } => {
                json!({ "name": provider.strong, "demo": false, "source": format!("chosen by {name}") })
            }
            Upstream::Provider { provider, why } => json!({ "name": provider.strong, "demo": false, "source": why.to_string() }),
        }
    }

    /// The model server of this machine that was found, where one was.
    pub fn found(&self) -> Option<Local> {
        match self {
            Upstream::Provider { provider, why: Why::Found(program) } => {
                Some(Local { program, url: provider.url.to_string(), model: provider.strong.clone() })
            }
            Upstream::Provider { .. } | Upstream::Demo { .. } => None,
        }
    }

    /// Whether the same models of the same server are called with the same key. Deadlines, retries and prices may differ.
    pub fn has_models_of(&self, other: &Upstream) -> bool {
        match (self, other) {
            (Upstream::Demo { .. }, Upstream::Demo { .. }) => true,
            (Upstream::Provider { provider: own, .. }, Upstream::Provider { provider: others, .. }) => {
                let named = |provider: &Provider| [Some(provider.strong.clone()), Some(provider.fast.clone()), provider.fallback.clone()];
                own.url == others.url && own.key == others.key && named(own) == named(others)
            }
            (Upstream::Demo { .. }, Upstream::Provider { .. }) | (Upstream::Provider { .. }, Upstream::Demo { .. }) => false,
        }
    }

    /// The models that cost something, by the names that they are called with. The demo costs nothing.
    pub fn models_called(&self) -> impl Iterator<Item = &str> {
        let provider = if let Upstream::Provider { provider, .. } = self { Some(provider) } else { None };
        provider
            .into_iter()
            .flat_map(|provider| [&provider.strong, &provider.fast].into_iter().chain(&provider.fallback))
            .map(String::as_str)
    }

    /// Whose models answer, as metrics and traces name it.
    pub fn provider(&self) -> String {
        match self {
            Upstream::Demo { .. } => demo::NAME.to_owned(),
            Upstream::Provider { why: Why::Found(program), .. } => program.to_ascii_lowercase().replace(' ', "_"),
            Upstream::Provider { provider, .. } => {
                let host = provider.url.host().unwrap_or_default();
                let known = KNOWN.iter().find(|known| known.url.parse::<Uri>().is_ok_and(|own| own.host() == Some(host)));
                known.map_or(host, |known| known.key.trim_end_matches("_API_KEY")).to_ascii_lowercase()
            }
        }
    }

    /// The models for fast and for strong calls, and the one that stands in for them.
    pub fn model_names(&self) -> (&str, &str, Option<&str>) {
        match self {
            Upstream::Demo { .. } => (demo::NAME, demo::NAME, None),
            Upstream::Provider { provider, .. } => (&provider.fast, &provider.strong, provider.fallback.as_deref()),
        }
    }

    pub(super) fn models(&self) -> Box<Models> {
        match self {
            Upstream::Demo { word_pause, .. } => {
                let demo = Demo::new(*word_pause);
                Box::new(move || Box::new(demo.clone()))
            }
            Upstream::Provider { provider, .. } => {
                let provider = OpenAi::new((**provider).clone());
                Box::new(move || provider.line())
            }
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Demo { why, .. } => write!(f, "{} ({why})", demo::NAME),
            Upstream::Provider { provider, why } => {
                let host = provider.url.authority().map_or("", |authority| authority.as_str());
                write!(f, "{} at {host} ({why})", provider.strong)?;
                if provider.fast != provider.strong {
                    write!(f, ", fast: {}", provider.fast)?;
                }
                match &provider.fallback {
                    Some(fallback) => write!(f, ", fallback: {fallback}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    /// What is chosen on this command line, with these variables set, where these servers run.
    fn chosen(line: &str, variables: &[(&str, &str)], found: Option<&str>) -> Result<Config, String> {
        let arguments = Arguments::of(line).map_err(|error| error.to_string())?;
        let environment = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let local = |wanted: Option<&str>| {
            let model = found.filter(|found| wanted.is_none_or(|wanted| wanted == *found))?;
            Some(Local { program: "Ollama", url: "http://127.0.0.1:11434/v1".to_owned(), model: model.to_owned() })
        };
        Config::new(arguments, environment, local).map_err(|error| error.to_string())
    }

    #[test]
    fn models_are_others_with_another_name_key_or_server_and_not_with_other_deadlines_or_prices() {
        let of = |line: &str, key: &str| chosen(line, &[("OPENAI_API_KEY", key)], None).unwrap().upstream;
        let running = of("--model big --fast-model small", "sk-1");
        for (line, key, is_same) in [
            ("--model big --fast-model small --connect-ms 7 --retries 0 --price big=1,2", "sk-1", true),
            ("--model big --fast-model small", "sk-2", false),
            ("--model big", "sk-1", false),
            ("--model big --fast-model small --fallback-model big", "sk-1", false),
            ("--model big --fast-model small --llm-url http://127.0.0.1:1/v1", "sk-1", false),
            ("--model demo", "", false),
        ] {
            assert_eq!(running.has_models_of(&of(line, key)), is_same, "{line}");
        }
        assert!(of("--model demo", "").has_models_of(&of("--model demo --demo-delay-ms 7", "")));
    }

    #[test]
    fn the_model_follows_from_what_is_said_and_what_is_there() {
        let (openai, router, anthropic) = (("OPENAI_API_KEY", "sk-1"), ("OPENROUTER_API_KEY", "sk-2"), ("ANTHROPIC_API_KEY", "sk-3"));
        let base = ("OPENAI_BASE_URL", "http://127.0.0.1:1234/v1");
        for (line, variables, found, says) in [
            ("", &[][..], None, "demo (no key found)"),
            ("", &[("OPENAI_API_KEY", " ")], None, "demo (no key found)"),
            ("--model demo", &[openai], Some("qwen3"), "demo (as told)"),
            ("", &[openai, router, anthropic], Some("qwen3"), "gpt-4.1-mini at api.openai.com (OPENAI_API_KEY)"),
            ("", &[anthropic, router], None, "openai/gpt-4.1-mini at openrouter.ai (OPENROUTER_API_KEY)"),
            ("", &[anthropic], None, "claude-haiku-4-5 at api.anthropic.com (ANTHROPIC_API_KEY)"),
            ("--model big --fast-model small", &[openai], None, "big at api.openai.com (OPENAI_API_KEY), fast: small"),
            ("--fallback-model other", &[openai], None, "gpt-4.1-mini at api.openai.com (OPENAI_API_KEY), fallback: other"),
            ("--llm-url http://127.0.0.1:11434/v1 --model qwen", &[openai], None, "qwen at 127.0.0.1:11434 (--llm-url)"),
            ("--llm-url https://openrouter.ai/api/v1", &[openai, router], None, "openai/gpt-4.1-mini at openrouter.ai (--llm-url)"),
            ("--model qwen", &[base], None, "qwen at 127.0.0.1:1234 (OPENAI_BASE_URL)"),
            ("", &[], Some("qwen3"), "qwen3 at 127.0.0.1:11434 (Ollama, found on this machine)"),
            ("--model qwen3", &[], Some("qwen3"), "qwen3 at 127.0.0.1:11434 (Ollama, found on this machine)"),
            ("--offline", &[], Some("qwen3"), "demo (no key found)"),
        ] {
            let config = chosen(line, variables, found).unwrap();
            assert_eq!(config.upstream.to_string(), says, "{line} {variables:?} {found:?}");
        }
    }

    #[test]
    fn a_provider_is_named_by_what_it_is_or_its_host() {
        for (line, variables, found, name) in [
            ("", &[][..], None, "demo"),
            ("", &[("OPENROUTER_API_KEY", "sk-2")], None, "openrouter"),
            ("--llm-url https://api.anthropic.com/v1", &[("ANTHROPIC_API_KEY", "sk-3")], None, "anthropic"),
            ("--llm-url http://llm.example:8000/v1 --model m", &[], None, "llm.example"),
            ("", &[], Some("qwen3"), "ollama"),
        ] {
            assert_eq!(chosen(line, variables, found).unwrap().upstream.provider(), name, "{line}");
        }
    }

    #[test]
    fn everyone_may_know_who_answers_and_why() {
        for (variables, found, source) in [
            (&[("OPENAI_API_KEY", "sk-1")][..], None, "chosen by OPENAI_API_KEY"),
            (&[], Some("qwen3"), "Ollama, found on this machine"),
            (&[], None, "no key found"),
        ] {
            let about = chosen("", variables, found).unwrap().upstream.about();
            assert_eq!((&about["source"], &about["demo"]), (&json!(source), &json!(source == "no key found")));
        }
    }

    #[test]
    fn each_server_gets_its_own_key_and_no_other() {
        let keys = [("OPENAI_API_KEY", "sk-1"), ("OPENROUTER_API_KEY", "sk-2"), ("ANTHROPIC_API_KEY", "sk-3")];
        for (line, key) in [
            ("", "sk-1"),
            ("--llm-url https://openrouter.ai/api/v1", "sk-2"),
            ("--llm-url https://api.anthropic.com/v1/", "sk-3"),
            ("--llm-url http://127.0.0.1:8000/v1 --model m", "sk-1"),
        ] {
            let Upstream::Provider { provider, .. } = chosen(line, &keys, None).unwrap().upstream else { panic!("{line}: a provider") };
            assert_eq!(provider.key.unwrap().0, key, "{line}");
        }
    }

    #[test]
    fn deadlines_are_settings_and_a_local_model_has_time_to_load() {
        let deadlines = |line: &str| {
            let config = chosen(&format!("--model m --llm-url {line}"), &[], None).unwrap();
            let Upstream::Provider { provider, .. } = config.upstream else { panic!("{line}: a provider") };
            let Deadlines { connection, first_word, next_word } = provider.deadlines;
            [connection, first_word, next_word, config.call_time].map(|time| time.as_millis())
        };
        assert_eq!(deadlines("https://host/v1"), [5_000, 60_000, 60_000, 600_000]);
        assert_eq!(deadlines("http://127.0.0.1:1/v1"), [5_000, 300_000, 60_000, 600_000]);
        let told = "http://127.0.0.1:1/v1 --connect-ms 1 --first-token-ms 2 --next-token-ms 3 --call-ms 4";
        assert_eq!(deadlines(told), [1, 2, 3, 4]);
    }
}
