//! The journal: whether a server can open what is there. It is only read.

use super::Finding;
use crate::cli::journal::Place;
use crate::store::FORMAT;

pub(super) fn look(place: &Place) -> Finding {
    let shown = place.shown();
    match place.format() {
        Ok(0) => Finding::good("journal", format!("{shown} has nothing in it yet: the server begins it")),
        Ok(FORMAT) => Finding::good("journal", format!("{shown} can be read")),
        Ok(format) => {
            Finding::good("journal", format!("{shown} has format {format}: the server brings it to format {FORMAT} when it starts"))
        }
        Err(error) => {
            let (what, fix) = error.parts();
            Finding::bad("journal", what.strip_prefix("journal ").unwrap_or(what), fix)
        }
    }
}
