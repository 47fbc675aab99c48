//! The page's files, as they are embedded in the binary.

use crate::shard::files::Files;
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "static/"]
#[allow_missing = true]
struct Embedded;

/// All of them.
pub(super) fn embedded() -> Files {
    Files::new(Embedded::iter().filter_map(|name| Some((name.to_string(), Embedded::get(&name)?.data.into()))).collect())
}

/// A file as it is on disk now, where this is a debug build; else as it was embedded.
pub(super) fn on_disk(name: &str) -> Option<Vec<u8>> {
    Some(Embedded::get(name)?.data.into_owned())
}
