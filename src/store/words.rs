//! What a search looks for, and titles.
//!
//! A word is a run of letters and digits; everything else separates words, so nothing that a user types can be read as query syntax.

use super::TITLE_CHARS;

/// Words of a search beyond these are ignored.
const WORDS_MAX: usize = 16;
/// A longer word is cut: it is a beginning anyway.
const WORD_CHARS_MAX: usize = 64;

/// The words of a search; None if it is blank, which is no search. Without any word nothing can be found.
pub(super) fn wanted(search: Option<&str>) -> Option<Vec<String>> {
    let search = search.filter(|search| !search.trim().is_empty())?;
    Some(words(search).take(WORDS_MAX).map(|word| word.chars().take(WORD_CHARS_MAX).collect()).collect())
}

/// A text's words with a space before each: ` ein zwei`. A word that begins with `x` is found as ` x`.
pub(super) fn spaced(texts: &[&str]) -> String {
    let mut spaced = String::new();
    for word in texts.iter().flat_map(|text| words(text)) {
        spaced.push(' ');
        spaced.push_str(&word);
    }
    spaced
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && !is_mark(c))
        .map(|word| word.chars().filter(|c| !is_mark(*c)).collect::<String>())
        .filter(|word| !word.is_empty())
}

/// Combining marks, such as the dots of an `ü` in two characters: searches ignore them.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// What a session is called: its spaces and line breaks made single spaces, cut with `…`.
pub(super) fn title(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= TITLE_CHARS {
        return joined;
    }
    let cut: String = joined.chars().take(TITLE_CHARS - 1).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_its_words_and_no_syntax() {
        for (search, words) in [
            ("Über uns", Some(vec!["Über", "uns"])),
            ("u\u{308}ber", Some(vec!["uber"])),
            ("\"a\" OR b*", Some(vec!["a", "OR", "b"])),
            ("100%_'); DROP", Some(vec!["100", "DROP"])),
            ("title:x NEAR(y)", Some(vec!["title", "x", "NEAR", "y"])),
            ("日本 語", Some(vec!["日本", "語"])),
            ("!?", Some(vec![])),
            (" \n", None),
        ] {
            assert_eq!(wanted(Some(search)), words.map(|words| words.into_iter().map(str::to_owned).collect()), "{search:?}");
        }
        assert_eq!(wanted(None), None);
        assert_eq!(wanted(Some(&"a ".repeat(100))).unwrap().len(), WORDS_MAX);
        assert_eq!(wanted(Some(&"ä".repeat(100))).unwrap(), ["ä".repeat(WORD_CHARS_MAX)]);
    }

    #[test]
    fn each_word_has_a_space_before_it() {
        assert_eq!(spaced(&["Was kostet's?", "3,50 €."]), " Was kostet s 3 50");
        assert_eq!(spaced(&["", "…"]), "");
    }

    #[test]
    fn a_title_is_one_line_of_bounded_length() {
        for (text, title_) in [("  a\n b\t", "a b".to_owned()), ("", String::new()), (&"ü".repeat(80), "ü".repeat(80))] {
            assert_eq!(title(text), title_);
        }
        let long = title(&"wort ".repeat(40));
        assert!(long.chars().count() <= TITLE_CHARS && long.ends_with("wort…"), "{long}");
    }
}
