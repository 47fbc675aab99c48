//! A file of settings: TOML, read into what is said in which line. What no setting is called is an error.

use super::setting::{self, Kind, SETTINGS, Setting};
use crate::text_file::{self, ReadError};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// So many mistakes are shown at once.
const WRONG_MAX: usize = 20;
/// A file larger than this holds something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, Default)]
pub struct File {
    pub path: PathBuf,
    pub entries: Vec<Entry>,
}

/// One setting, as a file says it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub setting: &'static Setting,
    /// As a flag would say it.
    pub value: String,
    pub line: usize,
}

/// Everything that is wrong with a file, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct FileError(Vec<String>);

impl FileError {
    pub(super) fn missing(path: &Path) -> Self {
        FileError(vec![format!("{}: there is no such file: `framewright config init` writes one", path.display())])
    }
}

impl File {
    /// Reads a file; nothing if there is none.
    pub fn read(path: &Path) -> Result<Option<File>, FileError> {
        let wrong = |why: &dyn fmt::Display| FileError(vec![format!("{}: {why}", path.display())]);
        match text_file::read(path, FILE_BYTES_MAX) {
            Ok(text) => File::parse(path, &text).map(Some),
            Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(&error)),
        }
    }

    /// Reads a file's text. Paths in it are meant from its folder.
    pub fn parse(path: &Path, text: &str) -> Result<File, FileError> {
        let mut reading = Reading { path, text, entries: Vec::new(), wrong: Vec::new() };
        match DeTable::parse(text) {
            Ok(table) => reading.table(table.get_ref(), ""),
            Err(error) => reading.complain(error.span().map_or(0, |span| span.start), error.message().lines().next().unwrap_or_default()),
        }
        match reading.wrong.is_empty() {
            true => Ok(File { path: path.to_owned(), entries: reading.entries }),
            false => Err(FileError(reading.wrong)),
        }
    }
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
    wrong: Vec<String>,
}

impl Reading<'_> {
    fn table(&mut self, table: &DeTable<'_>, section: &str) {
        let mut rows: Vec<_> = table.iter().collect();
        rows.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in rows {
            if self.wrong.len() >= WRONG_MAX {
                return;
            }
            let name = format!("{section}{}", key.get_ref());
            let has = |section: &str| SETTINGS.iter().any(|known| known.section == Some(section));
            let at = key.span().start;
            match (SETTINGS.iter().find(|known| known.name() == name), value.get_ref()) {
                (Some(setting), _) => self.entry(setting, value, at),
                (None, DeValue::Table(inner)) if name == DATABASES => self.databases(inner, at),
                (None, DeValue::Table(inner)) if name == PRICES => self.prices(inner, at),
                (None, DeValue::Table(inner)) if section.is_empty() && has(&name) => self.table(inner, &format!("{name}.")),
                (None, _) if SECRETS.contains(&name.as_str()) => {
                    self.complain(
                        at,
                        &format!("a secret does not belong into this file: write the name of a file that holds it as `{name}_file`"),
                    );
                }
                (None, _) => self.unknown(&name, at),
            }
        }
    }

    fn entry(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>, at: usize) {
        let read = match (setting.kind, value.get_ref()) {
            (Kind::Switch, DeValue::Boolean(is_on)) => Ok(is_on.to_string()),
            (Kind::Number(..), DeValue::Integer(number)) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                read.map(|number| number.to_string()).map_err(|_| format!("`{}` is too large a number", setting.name()))
            }
            (kind, DeValue::String(text)) if kind.is_list() => Ok(self.list(kind, text.split_whitespace())),
            (kind, DeValue::Array(items)) if kind.is_list() && items.iter().all(|item| item.get_ref().is_str()) => {
                Ok(self.list(kind, items.iter().filter_map(|item| item.get_ref().as_str())))
            }
            (Kind::Amount, DeValue::Integer(number)) => Ok(number.as_str().to_owned()),
            (Kind::Amount, DeValue::Float(number)) => Ok(number.as_str().to_owned()),
            (Kind::Path, DeValue::String(text)) if text.is_empty() => Ok(String::new()),
            (Kind::Path, DeValue::String(text)) => Ok(self.folder().join(text.as_ref()).to_string_lossy().into_owned()),
            (
                Kind::Text
                | Kind::Url
                | Kind::Address
                | Kind::TcpAddress
                | Kind::Mode
                | Kind::Filter
                | Kind::Choice(_)
                | Kind::Issuer
                | Kind::Header,
                DeValue::String(text),
            ) => Ok(text.to_string()),
            (kind, _) => Err(format!("`{}` must be {kind}", setting.name())),
        };
        match read.and_then(|value| check(setting, &value).map(|()| value)) {
            Ok(value) => self.keep(setting, value, at),
            Err(why) => self.complain(at, &why),
        }
    }

    /// The words of a list, with a space between.
    fn list<'t>(&self, kind: Kind, words: impl Iterator<Item = &'t str>) -> String {
        let place = |word: &str| if kind == Kind::Databases { self.with_its_place(word) } else { word.to_owned() };
        words.map(place).collect::<Vec<_>>().join(" ")
    }

    /// `[databases]` with a line `name = "URL"` for each is what the flag says in one text.
    fn databases(&mut self, table: &DeTable<'_>, at: usize) {
        let Some(setting) = SETTINGS.iter().find(|known| known.kind == Kind::Databases) else { return };
        let mut all = Vec::new();
        for (key, value) in table.iter() {
            let database = value.get_ref().as_str().ok_or_else(|| "must be an address in quotes".to_owned());
            match database.and_then(|url| setting::check_database(key.get_ref(), url)) {
                Ok(said) => all.push(self.with_its_place(&said)),
                Err(why) => self.complain(key.span().start, &format!("`databases.{}` {why}", key.get_ref())),
            }
        }
        self.keep(setting, all.join(" "), at);
    }

    /// `[prices]` with a line `"MODEL" = { input = …, output = … }` for each is what the flag says in one text.
    fn prices(&mut self, table: &DeTable<'_>, at: usize) {
        let Some(setting) = SETTINGS.iter().find(|known| known.kind == Kind::Prices) else { return };
        let mut all = Vec::new();
        for (model, value) in table.iter() {
            let said = price(value.get_ref()).map(|price| format!("{}={price}", model.get_ref()));
            match said.filter(|said| !said.contains(char::is_whitespace) && setting.kind.check(said).is_ok()) {
                Some(said) => all.push(said),
                None => self.complain(
                    model.span().start,
                    &format!(
                        "`prices.{}` is no price: write \"MODEL\" = {{ input = 0.40, cached_input = 0.10, output = 1.60 }}, for a \
                         million tokens, with the model's name in quotes",
                        model.get_ref()
                    ),
                ),
            }
        }
        self.keep(setting, all.join(" "), at);
    }

    /// The folder that paths are meant from.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// A database, its file meant from there.
    fn with_its_place(&self, said: &str) -> String {
        match said.split_once("=sqlite:").map(|(name, path)| (name, path.strip_prefix("//").unwrap_or(path))) {
            Some((name, path)) if !path.is_empty() => format!("{name}=sqlite:{}", self.folder().join(path).display()),
            Some(_) | None => said.to_owned(),
        }
    }

    fn keep(&mut self, setting: &'static Setting, value: String, at: usize) {
        if self.entries.iter().any(|entry| entry.setting.id == setting.id) {
            return self.complain(at, &format!("`{}` is said in two ways: keep one of them", setting.name()));
        }
        let line = self.line(at);
        self.entries.push(Entry { setting, value, line });
    }

    fn unknown(&mut self, name: &str, at: usize) {
        let names = SETTINGS.iter().flat_map(|known| [Some(known.name()), known.section.map(str::to_owned)]).flatten();
        let advice = match setting::nearest(name, names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`framewright config init` writes a file with all there are".to_owned(),
        };
        self.complain(at, &format!("there is no setting `{name}`: {advice}"));
    }

    fn complain(&mut self, at: usize, why: &str) {
        self.wrong.push(format!("{}:{}: {why}", self.path.display(), self.line(at)));
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// The section that has a key for each database.
const DATABASES: &str = "databases";
/// The section that has a key for each model.
const PRICES: &str = "prices";

/// What is kept out of files that people pass around.
const SECRETS: &[&str] = &["llm.key", "otlp.headers"];

/// The prices of one model, as a flag would say them.
fn price(value: &DeValue<'_>) -> Option<String> {
    let table = value.as_table()?;
    let amount = |name: &str| match table.get(name)?.get_ref() {
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    };
    let all = ["input", "cached_input", "output"].map(|name| (name, amount(name)));
    let is_known = |key: &str| all.iter().any(|(name, amount)| *name == key && amount.is_some());
    let is_whole = table.iter().all(|(key, _)| is_known(key.get_ref())) && is_known("input") && is_known("output");
    is_whole.then(|| all.into_iter().filter_map(|(_, amount)| amount).collect::<Vec<_>>().join(","))
}

fn check(setting: &Setting, value: &str) -> Result<(), String> {
    let words: Vec<&str> = if setting.kind.is_list() { value.split_whitespace().collect() } else { vec![value] };
    let checked = words.into_iter().filter(|word| !word.is_empty()).try_for_each(|word| setting.kind.check(word));
    checked.map_err(|why| format!("`{}` can't be `{value}`: {why}", setting.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, FileError> {
        File::parse(Path::new("etc/f.toml"), text)
    }

    #[test]
    fn what_is_said_is_read_with_its_line() {
        let file =
            parse("listen = '127.0.0.1:1'\n\n# more\n[llm]\nurl = \"http://h/v1\"\nkey_file = 'key'\n[limits]\nworkers = 0x10\n").unwrap();
        let read: Vec<_> = file.entries.iter().map(|entry| (entry.setting.name(), entry.value.as_str(), entry.line)).collect();
        let expected =
            [("listen", "127.0.0.1:1", 1), ("llm.url", "http://h/v1", 5), ("llm.key_file", "etc/key", 6), ("limits.workers", "16", 8)];
        assert_eq!(read, expected.map(|(name, value, line)| (name.to_owned(), value, line)));
        for (text, value) in [
            ("[databases]\nb = 'sqlite:b.db'\na = 'sqlite:///var/a.db'\nc = ''", "a=sqlite:/var/a.db b=sqlite:etc/b.db c="),
            ("databases = { a = 'sample' }", "a=sample"),
            ("[databases]", ""),
            ("database = 'a=sqlite:a.db b=sample'", "a=sqlite:etc/a.db b=sample"),
            ("database = ['a=sqlite:a.db', 'b=sample']", "a=sqlite:etc/a.db b=sample"),
            ("allow_origin = ['https://a.example', 'https://b.example:8443']", "https://a.example https://b.example:8443"),
            ("host = 'a.example'", "a.example"),
            ("[limits]\nday_cost = 2.50", "2.50"),
            ("[limits]\nday_cost = 5", "5"),
            (
                "[prices]\n\"gpt-4.1-mini\" = { input = 0.40, cached_input = 0.10, output = 1.60 }\nqwen3 = { output = 0, input = 0 }",
                "gpt-4.1-mini=0.40,0.10,1.60 qwen3=0,0",
            ),
            ("[limits]\nprice = ['a=1,2', 'b=3,4']", "a=1,2 b=3,4"),
        ] {
            assert_eq!(parse(text).unwrap().entries[0].value, value, "{text}");
        }
        assert!(parse("").unwrap().entries.is_empty() && parse("limits = {}").unwrap().entries.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_to_do() {
        for (text, says) in [
            ("\nlissten = 'x'", "etc/f.toml:2: there is no setting `lissten`: did you mean `listen`?"),
            ("workers = 3", "etc/f.toml:1: there is no setting `workers`: did you mean `limits.workers`?"),
            ("[lmits]\nworkers = 3", "etc/f.toml:1: there is no setting `lmits`: did you mean `limits`?"),
            ("[llm]\n\nmodle = 'x'", "etc/f.toml:3: there is no setting `llm.modle`: did you mean `llm.model`?"),
            ("zebra = 1", "etc/f.toml:1: there is no setting `zebra`: `framewright config init` writes a file with all there are"),
            ("config = 'x'", "etc/f.toml:1: there is no setting `config`"),
            (
                "[llm]\nkey = 'sk-1'",
                "etc/f.toml:2: a secret does not belong into this file: write the name of a file that holds it as `llm.key_file`",
            ),
            ("[limits]\nworkers = '3'", "etc/f.toml:2: `limits.workers` must be a whole number"),
            ("[limits]\nworkers = 0", "etc/f.toml:2: `limits.workers` can't be `0`: 0 is not in 1..=4096"),
            ("[limits]\nworkers = 3.5", "etc/f.toml:2: `limits.workers` must be a whole number"),
            ("[limits]\nworkers = 99999999999999999999", "etc/f.toml:2: `limits.workers` is too large a number"),
            ("listen = 7878", "etc/f.toml:1: `listen` must be a text in quotes"),
            ("listen = 'here'", "etc/f.toml:1: `listen` can't be `here`: write an address with its port"),
            ("socket_mode = '999'", "etc/f.toml:1: `socket_mode` can't be `999`: write permissions in octal"),
            (
                "host = ['a.example', 'b.example:80']",
                "etc/f.toml:1: `host` can't be `a.example b.example:80`: write a host name without a port",
            ),
            ("host = [1]", "etc/f.toml:1: `host` must be a text in quotes, or an array of them"),
            ("log = 'loud'", "etc/f.toml:1: `log` can't be `loud`: `loud` is no level; use off, error"),
            ("[limits]\nmessage_bytes = 1", "etc/f.toml:2: `limits.message_bytes` can't be `1`: 1 is not in 1024..=1048576"),
            ("development = 'yes'", "etc/f.toml:1: `development` must be true or false"),
            ("[databases]\n\na = 3", "etc/f.toml:3: `databases.a` must be an address in quotes"),
            ("[databases]\na = 'x y'", "etc/f.toml:2: `databases.a` can't hold a space"),
            ("[databases]\na = 'postgres://u:sk-1@h/x'", "etc/f.toml:2: `databases.a` is wrong: a database's address begins with mysql://"),
            ("[databases]\n'a b' = ''", "etc/f.toml:2: `databases.a b` can't hold a space"),
            ("database = 'a=sample'\n[databases]\nb = 'sample'", "etc/f.toml:2: `database` is said in two ways: keep one of them"),
            ("databases = 'a=sample'", "etc/f.toml:1: there is no setting `databases`: did you mean `database`?"),
            ("[limits]\nday_cost = -1.5", "etc/f.toml:2: `limits.day_cost` can't be `-1.5`: write an amount such as 2.50"),
            ("[limits]\nday_cost = '5'", "etc/f.toml:2: `limits.day_cost` must be a number such as 2.50"),
            ("[prices]\ngpt-4.1-mini = { input = 1, output = 1 }", "etc/f.toml:2: `prices.gpt-4` is no price: write \"MODEL\" ="),
            ("[prices]\nm = { input = 1 }", "etc/f.toml:2: `prices.m` is no price"),
            ("[prices]\nm = { input = 1, output = 1, cached = 1 }", "etc/f.toml:2: `prices.m` is no price"),
            ("[prices]\nm = { input = '1', output = 1 }", "etc/f.toml:2: `prices.m` is no price"),
            ("[prices]\nm = { input = 1e-3, output = 1 }", "etc/f.toml:2: `prices.m` is no price"),
            ("[prices]\nm = 3", "etc/f.toml:2: `prices.m` is no price"),
            ("[limits]\nprice = 'a=1,2'\n[prices]\nb = { input = 1, output = 1 }", "etc/f.toml:3: `limits.price` is said in two ways"),
            ("\n\nlisten", "etc/f.toml:3: "),
            ("listen = '127.0.0.1:1'\nlisten = '127.0.0.1:2'", "etc/f.toml:2: duplicate key"),
        ] {
            let said = parse(text).unwrap_err().to_string();
            assert!(said.starts_with(says), "{text:?}: {said}");
            assert!(!said.contains("sk-1"), "{said}");
        }
        let many: String = (0..100).map(|number| format!("zebra{number} = 1\n")).collect();
        assert_eq!(parse(&many).unwrap_err().to_string().lines().count(), WRONG_MAX);
        let both = parse("a1 = 1\n[llm]\nb2 = 2\n").unwrap_err().to_string();
        assert_eq!(both.lines().count(), 2, "all that is wrong is told at once: {both}");
    }
}
