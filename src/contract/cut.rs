//! A long value, cut short so that everyone sees it: `Once upon… [cut: 9 of 300000 characters]`.

/// Cuts a text so that its JSON has at most `bytes_max` bytes before the mark. A text that is cut again counts from what it was
/// at first. Returns whether it was cut.
pub fn shorten(text: &mut String, bytes_max: usize) -> bool {
    let (kept, whole) = marked(text).unwrap_or((text.len(), None));
    let fits = fitting(&text[..kept], bytes_max);
    if fits == kept {
        return false;
    }
    let whole = whole.unwrap_or_else(|| text.chars().count());
    text.truncate(fits);
    let shown = text.chars().count();
    text.push_str(&format!("{BEGIN}{shown} of {whole} {END}"));
    true
}

const BEGIN: &str = "… [cut: ";
const END: &str = "characters]";

/// What stands before the mark, in bytes, and how many characters there were; nothing where there is no mark of ours.
fn marked(text: &str) -> Option<(usize, Option<usize>)> {
    let (before, mark) = text.strip_suffix(END)?.rsplit_once(BEGIN)?;
    let (shown, whole) = mark.trim_end().split_once(" of ")?;
    (shown.parse() == Ok(before.chars().count())).then_some((before.len(), whole.parse().ok()))
}

/// The longest beginning of a text, in bytes, whose JSON has at most `bytes_max`.
fn fitting(text: &str, bytes_max: usize) -> usize {
    let mut bytes = 0;
    for (place, letter) in text.char_indices() {
        bytes += match letter {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            _ => letter.len_utf8(),
        };
        if bytes > bytes_max {
            return place;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_value_says_how_long_it_was_however_often_it_is_cut() {
        let cut = |text: &str, lengths: &[usize]| {
            let mut text = text.to_owned();
            let was_cut = lengths.iter().map(|length| shorten(&mut text, *length)).collect::<Vec<_>>().contains(&true);
            (was_cut, text)
        };
        assert_eq!(cut("short", &[5]), (false, "short".to_owned()));
        assert_eq!(cut("ünïcödé", &[6, 6]), (true, "ünïc… [cut: 4 of 7 characters]".to_owned()));
        assert_eq!(cut(&"x".repeat(1_000), &[500, 100, 3]), (true, "xxx… [cut: 3 of 1000 characters]".to_owned()));
        assert_eq!(cut("a\u{1}\"b", &[8]), (true, "a\u{1}… [cut: 2 of 4 characters]".to_owned()));
        assert_eq!(cut("y… [cut: 5 of 9 characters]", &[1]), (true, "y… [cut: 1 of 27 characters]".to_owned()), "no mark of ours");
    }
}
