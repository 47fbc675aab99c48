//! Where two texts, or two questions, part: told so that a person sees it.

use super::asked::Asked;

/// Bytes that are shown before the first difference, and from there on.
const BEFORE: usize = 40;
const BEHIND: usize = 80;

/// Both texts around their first difference.
pub(super) fn around(recorded: &str, now: &str) -> (String, String) {
    let same = recorded.bytes().zip(now.bytes()).take_while(|(one, other)| one == other).count();
    (cut(recorded, same), cut(now, same))
}

fn cut(text: &str, at: usize) -> String {
    let begin = text.floor_char_boundary(at.saturating_sub(BEFORE));
    let end = text.floor_char_boundary(at.saturating_add(BEHIND));
    let (before, behind) = (if begin > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    format!("{:?}", format!("{before}{}{behind}", &text[begin..end]))
}

/// How many parts of two questions are the same, in the same place.
pub(super) fn likeness(recorded: &Asked, now: &Asked) -> usize {
    recorded.parts().iter().zip(&now.parts()).filter(|(one, other)| one == other).count()
}

/// The first part that differs: `the slot `history` of the user's message was … and is …`.
pub(super) fn of(recorded: &Asked, now: &Asked) -> String {
    let (recorded, now) = (recorded.parts(), now.parts());
    let mut pairs = recorded.iter().zip(&now);
    match pairs.find(|(one, other)| one != other) {
        Some(((place, was), (other, is))) if place == other => {
            let (was, is) = around(was, is);
            format!("{place} was {was} and is {is}")
        }
        Some(((place, _), (other, is))) => format!("{place} stood where now {other} stands: {}", cut(is, 0)),
        None => match (recorded.get(now.len()), now.get(recorded.len())) {
            (Some((place, was)), _) => format!("{place} is gone, which was {}", cut(was, 0)),
            (None, Some((place, is))) => format!("{place} is new: {}", cut(is, 0)),
            (None, None) => "nothing in it differs".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_texts_are_shown_around_their_first_difference() {
        let long = "word ".repeat(100);
        for (recorded, now, was, is) in [
            ("abc", "abd", "\"abc\"", "\"abd\""),
            ("same", "same", "\"same\"", "\"same\""),
            ("", "a\nb", "\"\"", "\"a\\nb\""),
            ("schön", "schon", "\"schön\"", "\"schon\""),
        ] {
            assert_eq!(around(recorded, now), (was.to_owned(), is.to_owned()));
        }
        let (was, is) = around(&format!("{long}blue {long}"), &format!("{long}red {long}"));
        assert!(was.starts_with("\"…") && was.contains("word blue word") && was.ends_with("…\""), "{was}");
        assert!(is.contains("word red word") && is.len() < 200, "{is}");
    }
}
