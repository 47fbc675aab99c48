//! What a reload changes: the settings that may change while the server runs. The others wait for the next start.

use super::Arguments;
use super::layers::{Value, Written};
use super::setting::Change;

/// The settings after a reload, and how they differ from those before.
#[derive(Clone, Debug)]
pub struct Changes {
    pub arguments: Arguments,
    pub values: Vec<Value>,
    /// The names of those that change now.
    pub live: Vec<String>,
    /// Those that were changed and need a restart, each with its place: `listen (framewright.toml:3)`.
    pub waiting: Vec<String>,
}

/// Compares what is written now with what runs.
pub fn changes(running: &[Value], written: &Written) -> Changes {
    let (mut live, mut waiting, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (new, old) in written.values.iter().zip(running) {
        debug_assert_eq!(new.setting.id, old.setting.id, "both are in the order of the table");
        let is_changed = new.value != old.value;
        values.push(match new.setting.change {
            Change::Live => {
                live.extend(is_changed.then(|| new.setting.name()));
                new.clone()
            }
            Change::Restart => {
                waiting.extend(is_changed.then(|| format!("{} ({})", new.setting.name(), new.origin)));
                old.clone()
            }
        });
    }
    let of = |id: &str| values.iter().find(|value| value.setting.id == id)?.value.clone();
    Changes { arguments: Arguments::of_values(of), live, waiting, values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::File;
    use crate::config::setting;
    use std::path::Path;

    #[test]
    fn every_limit_and_what_proxies_may_state_counts_from_a_reload_on() {
        let of = |written: &str| {
            Written::of(
                &setting::command().try_get_matches_from([""; 0]).unwrap(),
                vec![File::parse(Path::new("f.toml"), written).unwrap()],
            )
        };
        let running = of("").values;
        for setting in setting::SETTINGS.iter().filter(|setting| setting.section == Some("limits")) {
            let value = match setting.kind {
                setting::Kind::Prices => "'m=1,2'",
                setting::Kind::Amount => "2.5",
                _ => "7777777",
            };
            // Some take no number as large as that.
            let written = [value, "7777", "777", "77", "7"].map(|value| format!("[limits]\n{} = {value}\n", setting.key()));
            let written = written.iter().find(|text| File::parse(Path::new("f.toml"), text).is_ok()).expect("one of them fits");
            let changes = changes(&running, &of(written));
            assert_eq!((changes.live, changes.waiting), (vec![setting.name()], Vec::new()));
        }
        let changes = changes(&running, &of("[auth]\nheader = 'X-User'\ntrusted_proxy = '10.0.0.1'\n"));
        assert_eq!((changes.live.join(", "), changes.waiting), ("auth.header, auth.trusted_proxy".to_owned(), Vec::new()));
    }

    #[test]
    fn settings_change_that_may_and_the_others_wait_for_a_restart() {
        let matches = setting::command().try_get_matches_from(["--shards", "2", "--message-bytes", "4096"]).unwrap();
        let written = |text: &str| Written::of(&matches, vec![File::parse(Path::new("f.toml"), text).unwrap()]);
        let running = written("graph = 'a'\n[llm]\nmodel = 'one'\n").values;
        for (text, live, waiting) in [
            ("graph = 'a'\n[llm]\nmodel = 'one'", "", ""),
            ("graph = 'b'\n[llm]\nmodel = 'one'", "graph", ""),
            ("graph = 'a'", "llm.model", ""),
            // A flag takes precedence over the file, then as now.
            ("graph = 'a'\nshards = 7\n[llm]\nmodel = 'one'\n[limits]\nmessage_bytes = 2048", "", ""),
            (
                "listen = '127.0.0.1:1'\ndata = 'd'\nhost = 'a.example'\ngraph = 'a'\ntests = true\n[llm]\nmodel = 'one'\n[limits]\nworkers = 3",
                "host, limits.workers",
                "listen (f.toml:1), data (f.toml:2), tests (f.toml:5)",
            ),
        ] {
            let changes = changes(&running, &written(text));
            assert_eq!((changes.live.join(", ").as_str(), changes.waiting.join(", ").as_str()), (live, waiting), "{text}");
            assert_eq!(changes.arguments.listen.to_string(), "127.0.0.1:7878", "what needs a restart stays");
            assert_eq!((changes.arguments.tests, changes.arguments.message_bytes), (false, 4096));
        }
    }
}
