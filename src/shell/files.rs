//! The page's files and the documentation, as they are embedded in the binary.

use crate::shard::files::Files;
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "static/"]
#[allow_missing = true]
struct Page;

#[derive(Embed)]
#[folder = "docs/"]
#[prefix = "docs/"]
struct Docs;

/// Documents that lie elsewhere, by the names under which `/docs` shows them.
const OTHER_DOCS: [(&str, &str); 6] = [
    ("docs/readme.md", include_str!("../../README.md")),
    ("docs/security.md", include_str!("../../SECURITY.md")),
    ("docs/architecture.md", include_str!("../../ARCHITECTURE.md")),
    ("docs/changelog.md", include_str!("../../CHANGELOG.md")),
    ("docs/graphs.md", include_str!("../../graphs/README.md")),
    ("docs/suites.md", include_str!("../suite/README.md")),
];

/// All of them.
pub(super) fn embedded() -> Files {
    let names = Page::iter().chain(Docs::iter()).chain(OTHER_DOCS.iter().map(|(name, _)| (*name).into()));
    Files::new(names.filter_map(|name| Some((name.to_string(), on_disk(&name)?.into()))).collect())
}

/// A file as it is on disk now, where this is a debug build; else as it was embedded.
pub(super) fn on_disk(name: &str) -> Option<Vec<u8>> {
    let other = || OTHER_DOCS.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_bytes().to_vec());
    Page::get(name).or_else(|| Docs::get(name)).map(|file| file.data.into_owned()).or_else(other)
}
