//! nginx's configuration as a tree of directives, with the files that it includes in their place.

use crate::text_file;
use std::fs;
use std::path::{Component, Path, PathBuf};

#[derive(Debug)]
pub(super) struct Directive {
    /// Its name, then its arguments, without quotes.
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Directive>>,
    /// `FILE:LINE`.
    pub(super) place: String,
}

const FILE_BYTES_MAX: u64 = 4 << 20;
const FILES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 64;

/// Reads a file and those that it includes.
///
/// # Errors
/// With a sentence that names the file, and the line if there is one.
pub(super) fn read(path: &Path) -> Result<Vec<Directive>, String> {
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    let mut reading = Reading { folder, files: 0 };
    let directives = reading.file(path)?;
    reading.with_includes(directives, 0)
}

impl Directive {
    pub(super) fn name(&self) -> &str {
        &self.words[0]
    }

    /// The argument at this place, from 1 on.
    pub(super) fn argument(&self, place: usize) -> &str {
        self.words.get(place).map_or("", String::as_str)
    }
}

struct Reading {
    /// What the names of included files are relative to.
    folder: PathBuf,
    files: usize,
}

impl Reading {
    fn file(&mut self, path: &Path) -> Result<Vec<Directive>, String> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(format!("{} and its includes are more than {FILES_MAX} files", path.display()));
        }
        let text = text_file::read(path, FILE_BYTES_MAX).map_err(|error| format!("{} can't be read ({error})", path.display()))?;
        let file = path.display().to_string();
        let mut tokens = Tokens { rest: text.chars().peekable(), line: 1 };
        level(&mut tokens, &file, 0)
    }

    fn with_includes(&mut self, directives: Vec<Directive>, depth: usize) -> Result<Vec<Directive>, String> {
        let mut all = Vec::new();
        for mut directive in directives {
            if depth > DEPTH_MAX {
                return Err(format!("{}: too many blocks or includes within one another", directive.place));
            }
            if directive.name() == "include" && directive.block.is_none() {
                for path in matching(&self.folder.join(directive.argument(1))) {
                    let included = self.file(&path)?;
                    all.extend(self.with_includes(included, depth + 1)?);
                }
                continue;
            }
            if let Some(block) = directive.block.take() {
                directive.block = Some(self.with_includes(block, depth + 1)?);
            }
            all.push(directive);
        }
        Ok(all)
    }
}

/// The files that a pattern with `*` and `?` names, in order; none where there is none.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) => name.to_string_lossy().into_owned(),
            other => {
                found.iter_mut().for_each(|path| path.push(other));
                continue;
            }
        };
        if !name.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(&name));
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let names = fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let is_hidden = |other: &str| other.starts_with('.') && !name.starts_with('.');
            next.extend(names.filter(|other| !is_hidden(other) && fits(&name, other)).map(|name| folder.join(name)));
        }
        next.sort();
        found = next;
    }
    found.retain(|path| path.is_file());
    found
}

/// Whether a name fits a pattern with `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| fits(rest.as_str(), &name[at..])),
        Some(sign) => {
            let mut others = name.chars();
            others.next().is_some_and(|other| sign == '?' || sign == other) && fits(rest.as_str(), others.as_str())
        }
    }
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
}

struct Tokens<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

/// Reads directives up to the end of a block, or of the file.
fn level(tokens: &mut Tokens<'_>, file: &str, depth: usize) -> Result<Vec<Directive>, String> {
    let (mut all, mut words, mut place) = (Vec::new(), Vec::new(), String::new());
    if depth > DEPTH_MAX {
        return Err(format!("{file}:{}: too many blocks within one another", tokens.line));
    }
    loop {
        let token = tokens.next().map_err(|what| format!("{file}:{}: {what}", tokens.line))?;
        match token {
            Some(Token::Word(word)) => {
                if words.is_empty() {
                    place = format!("{file}:{}", tokens.line);
                }
                words.push(word);
            }
            Some(Token::End) if !words.is_empty() => {
                all.push(Directive { words: std::mem::take(&mut words), block: None, place: std::mem::take(&mut place) });
            }
            Some(Token::Open) if words.last().is_some_and(|word: &String| word.ends_with("_by_lua_block")) => {
                tokens.skip_block();
                words.clear();
            }
            Some(Token::Open) if !words.is_empty() => {
                let (words, place) = (std::mem::take(&mut words), std::mem::take(&mut place));
                let block = Some(level(tokens, file, depth + 1)?);
                all.push(Directive { words, block, place });
            }
            Some(Token::Close) if words.is_empty() && depth > 0 => return Ok(all),
            None if words.is_empty() && depth == 0 => return Ok(all),
            Some(Token::End | Token::Open | Token::Close) => return Err(format!("{file}:{}: `;`, `{{` or `}}` stands alone", tokens.line)),
            None => return Err(format!("{file}:{}: the file ends within a directive or block", tokens.line)),
        }
    }
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, &'static str> {
        while let Some(sign) = self.take() {
            match sign {
                ';' => return Ok(Some(Token::End)),
                '{' => return Ok(Some(Token::Open)),
                '}' => return Ok(Some(Token::Close)),
                '#' => while self.take().is_some_and(|sign| sign != '\n') {},
                '"' | '\'' => return self.quoted(sign).map(|word| Some(Token::Word(word))),
                sign if sign.is_whitespace() => {}
                sign => return Ok(Some(Token::Word(self.word(sign)))),
            }
        }
        Ok(None)
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(sign) = self.rest.peek().copied() {
            let is_variable = sign == '{' && word.ends_with('$');
            if sign.is_whitespace() || sign == ';' || (sign == '{' && !is_variable) {
                break;
            }
            word.extend(self.take());
            if sign == '\\' {
                word.extend(self.take());
            }
        }
        word
    }

    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        let mut word = String::new();
        loop {
            match self.take() {
                Some('\\') => word.extend(self.take()),
                Some(sign) if sign == quote => return Ok(word),
                Some(sign) => word.push(sign),
                None => return Err("a quote has no end"),
            }
        }
    }

    /// Skips code of another language up to its closing brace.
    fn skip_block(&mut self) {
        let mut open = 1;
        while open > 0
            && let Some(sign) = self.take()
        {
            open += i32::from(sign == '{') - i32::from(sign == '}');
        }
    }

    fn take(&mut self) -> Option<char> {
        let sign = self.rest.next();
        self.line += usize::from(sign == Some('\n'));
        sign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(directives: &[Directive]) -> String {
        let one = |directive: &Directive| match &directive.block {
            Some(block) => format!("{}{{{}}}", directive.words.join("|"), shown(block)),
            None => format!("{};", directive.words.join("|")),
        };
        directives.iter().map(one).collect()
    }

    #[test]
    fn reads_directives_blocks_quotes_and_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.conf");
        for (text, expected) in [
            ("a b c; # d;\ne { f 'g h' \"i\\\"j\"; k{} }", "a|b|c;e{f|g h|i\"j;k{}}"),
            ("a ${b}c $d; location ~ ^/x\\.y$ { z; }", "a|${b}c|$d;location|~|^/x\\.y${z;}"),
            ("a { content_by_lua_block { if x then y = {1} end } b; }", "a{b;}"),
            ("a b", "f.conf:1: the file ends within a directive or block"),
            ("a {\n b;\n", "f.conf:3: the file ends within a directive or block"),
            ("a;\n}", "f.conf:2: `;`, `{` or `}` stands alone"),
            ("a 'b;\n", "f.conf:2: a quote has no end"),
        ] {
            fs::write(&path, text).unwrap();
            let said = read(&path).map_or_else(|error| error, |directives| shown(&directives));
            assert!(said.ends_with(expected), "{text}: {said}");
        }
    }

    #[test]
    fn included_files_stand_in_their_place_in_order_and_a_circle_ends() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let main = write("nginx.conf", "a; http { include conf.d/*.conf; include none.conf; include mime.types; }");
        write("conf.d/2.conf", "two;");
        write("conf.d/1.conf", "one { include sites/?; }");
        write("conf.d/3.txt", "three;");
        write("conf.d/.4.conf", "four;");
        write("sites/x", "site;");
        write("sites/xy", "other;");
        write("mime.types", "types { text/html html; }");
        assert_eq!(shown(&read(&main).unwrap()), "a;http{one{site;}two;types{text/html|html;}}");
        let circle = write("circle.conf", "include circle.conf;");
        assert!(read(&circle).unwrap_err().contains("circle.conf:1: too many"));
    }
}
