//! Where a turn stands in a list: what a page ends with, so that the next begins there, without gaps or repeats.

use std::fmt;
use std::str::FromStr;

/// Opaque to callers; as text `<key>-<session>-<turn>`, three whole numbers. It only fits lists of the same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What the list is sorted by.
    pub key: u64,
    /// The session's id in the store; never used again for another session.
    pub session: u64,
    pub turn: u64,
}

/// A text that is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a list of turns; use the one that the previous page ended with")]
pub struct NoPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.key, self.session, self.turn)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Place, NoPlace> {
        let mut parts = text.split('-').map(|part| part.parse::<u64>().map_err(|_| NoPlace));
        let mut next = || parts.next().unwrap_or(Err(NoPlace));
        let place = Place { key: next()?, session: next()?, turn: next()? };
        if parts.next().is_some() { Err(NoPlace) } else { Ok(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_nothing_else() {
        for (text, place) in [
            ("1763668166000000-17-3", Ok(Place { key: 1_763_668_166_000_000, session: 17, turn: 3 })),
            ("0-0-0", Ok(Place::default())),
            ("1-2", Err(NoPlace)),
            ("1-2-3-4", Err(NoPlace)),
            ("1-2-x", Err(NoPlace)),
            ("1--3", Err(NoPlace)),
            ("", Err(NoPlace)),
            ("99999999999999999999-1-1", Err(NoPlace)),
        ] {
            assert_eq!(text.parse(), place, "{text}");
            if let Ok(place) = place {
                assert_eq!(place.to_string(), text);
            }
        }
    }
}
