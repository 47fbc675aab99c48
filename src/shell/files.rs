//! The page's files, in the binary.
//!
//! Their names carry a hash of all of them: `/static/<hash>/app.js`. The page is sent with these names in it, and modules
//! name each other relatively, so a new release is a new set of names and no cache can hide it. The page itself is asked
//! for anew each time. In development names are plain, nothing is cached, and files are read again for every request.

use rust_embed::Embed;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Embed)]
#[folder = "static/"]
#[allow_missing = true]
struct Embedded;

pub(super) enum Files {
    Kept { files: BTreeMap<String, Arc<[u8]>>, hash: String },
    Development,
}

/// A file, and how it is sent.
pub(super) struct Found {
    pub(super) body: Arc<[u8]>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// What a client may ask about with `If-None-Match`.
    pub(super) tag: Option<String>,
}

const PAGE: &str = "index.html";
/// What the page may do: run our scripts, show our styles, talk to us, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types dompurify md";

impl Files {
    pub(super) fn new(development: bool) -> Self {
        if development {
            return Files::Development;
        }
        let names = Embedded::iter().collect::<Vec<Cow<'static, str>>>();
        let mut files: BTreeMap<String, Arc<[u8]>> =
            names.iter().filter_map(|name| Some((name.to_string(), Embedded::get(name)?.data.into()))).collect();
        let hash = hash(&files);
        if let Some(page) = files.get_mut(PAGE) {
            *page = with_hashed_names(page, &hash).into();
        }
        Files::Kept { files, hash }
    }

    pub(super) fn find(&self, path: &str) -> Option<Found> {
        let name = match path {
            "/" | "/index.html" => PAGE,
            _ => path.strip_prefix("/static/")?,
        };
        match self {
            Files::Development => Some(found(name, Embedded::get(name)?.data.into(), NOT_CACHED, None)),
            Files::Kept { files, hash } => {
                let hashed = name.strip_prefix(hash.as_str()).and_then(|rest| rest.strip_prefix('/'));
                let name = hashed.unwrap_or(name);
                let caching = if hashed.is_some() && name != PAGE { CACHED } else { NOT_CACHED };
                Some(found(name, files.get(name)?.clone(), caching, Some(format!("\"{hash}\""))))
            }
        }
    }
}

const CACHED: &str = "public, max-age=31536000, immutable";
const NOT_CACHED: &str = "no-cache";

fn found(name: &str, body: Arc<[u8]>, caching: &'static str, tag: Option<String>) -> Found {
    let mut headers = vec![
        ("content-type", kind(name).to_owned()),
        ("cache-control", caching.to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
    ];
    headers.extend(tag.clone().map(|tag| ("etag", tag)));
    if name == PAGE {
        headers.push(("content-security-policy", POLICY.to_owned()));
    }
    Found { body, headers, tag }
}

fn hash(files: &BTreeMap<String, Arc<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    for (name, body) in files {
        for part in [name.as_bytes(), body] {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The page, naming its files with the hash.
fn with_hashed_names(page: &[u8], hash: &str) -> Vec<u8> {
    String::from_utf8_lossy(page).replace("\"/static/", &format!("\"/static/{hash}/")).into_bytes()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" | "webmanifest" => "application/json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Files {
        let file = |text: &str| -> Arc<[u8]> { text.as_bytes().into() };
        let mut files = BTreeMap::from([("app.js".to_owned(), file("1")), ("vendor/ui.mjs".to_owned(), file("2"))]);
        let hash = hash(&files);
        files.insert(PAGE.to_owned(), with_hashed_names(br#"<script src="/static/app.js">"#, &hash).into());
        Files::Kept { files, hash }
    }

    #[test]
    fn what_a_hash_names_is_cached_for_ever_and_nothing_else_is() {
        let files = kept();
        let Files::Kept { hash, .. } = &files else { panic!("kept") };
        let caching = |path: &str| files.find(path).map(|found| found.headers[1].1.clone());
        for (path, expected) in [
            ("/".to_owned(), Some(NOT_CACHED)),
            ("/static/app.js".to_owned(), Some(NOT_CACHED)),
            (format!("/static/{hash}/app.js"), Some(CACHED)),
            (format!("/static/{hash}/vendor/ui.mjs"), Some(CACHED)),
            (format!("/static/{hash}/index.html"), Some(NOT_CACHED)),
            ("/static/000000000000/app.js".to_owned(), None),
            ("/static/../Cargo.toml".to_owned(), None),
            ("/app.js".to_owned(), None),
        ] {
            assert_eq!(caching(&path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_page_names_its_files_with_the_hash_and_says_what_it_may_do() {
        let files = kept();
        let Files::Kept { hash, .. } = &files else { panic!("kept") };
        let page = files.find("/").unwrap();
        assert_eq!(String::from_utf8_lossy(&page.body), format!("<script src=\"/static/{hash}/app.js\">"));
        assert!(page.headers.iter().any(|(name, value)| *name == "content-security-policy" && value == POLICY));
        assert!(files.find("/static/app.js").unwrap().headers.iter().all(|(name, _)| *name != "content-security-policy"));
    }
}
