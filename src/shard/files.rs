//! The page's files, and the documentation under `/docs`: one page that shows Markdown files.
//!
//! Their names carry a hash of all of them: `/static/<hash>/app.js`. The page is sent with these names in it, and modules
//! name each other relatively, so a new release is a new set of names and no cache can hide it. The page itself is
//! revalidated each time. In development names are plain, nothing is cached, and files are read for every request.
//!
//! Files that compress well are compressed once, when the server starts. Each coding of a file has its own tag.

use crate::wire::encoding;
use crate::wire::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

pub enum Files {
    Kept { files: BTreeMap<String, Kept>, hash: String },
    Development,
}

pub struct Kept {
    plain: Arc<[u8]>,
    /// Where it is worth it.
    gzip: Option<Arc<[u8]>>,
}

/// Where a file is.
pub(super) enum Lookup {
    Found(Found),
    /// Below `static/`; another thread reads it.
    OnDisk(String),
    Nothing,
}

/// A file, and how it is sent.
pub(super) struct Found {
    pub(super) body: Arc<[u8]>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// What a client may ask about with `If-None-Match`.
    pub(super) tag: Option<String>,
    /// Whether it is the page, which gets a content security policy: [`policy`].
    pub(super) is_page: bool,
}

const PAGE: &str = "index.html";
/// Shows the documentation; a file of it is called `docs/http.md`.
const DOCS_PAGE: &str = "docs.html";
const DOCS: &str = "/docs/";

/// What the page may do: run our scripts, show our styles, talk to us and to the issuer that users sign in at, and nothing else.
/// A log-in is renewed in a hidden frame, which goes to the issuer and comes back to the page; no other site may frame it.
pub(super) fn policy(issuer: Option<&str>) -> String {
    // An origin is the scheme and the authority of a URL.
    let origin = |url: &str| url.match_indices('/').nth(2).map_or(url, |(end, _)| &url[..end]).to_owned();
    let (connect, frame, ancestors) = match issuer.map(origin) {
        Some(issuer) => (format!(" {issuer}"), format!("frame-src 'self' {issuer}; "), "'self'"),
        None => (String::new(), String::new(), "'none'"),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{connect}; {frame}font-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}; require-trusted-types-for 'script'; trusted-types dompurify md"
    )
}

impl Files {
    /// The page's files by name, as the binary has them.
    pub fn new(mut files: BTreeMap<String, Arc<[u8]>>) -> Self {
        let hash = hash(&files);
        for name in [PAGE, DOCS_PAGE] {
            if let Some(page) = files.get_mut(name) {
                *page = with_hashed_names(page, &hash).into();
            }
        }
        Files::of(files, hash)
    }

    fn of(files: BTreeMap<String, Arc<[u8]>>, hash: String) -> Self {
        let kept = |(name, plain): (String, Arc<[u8]>)| (name, Kept { gzip: compressed(&plain), plain });
        Files::Kept { files: files.into_iter().map(kept).collect(), hash }
    }

    /// The file that a request asks for, in the coding that it prefers.
    pub(super) fn find(&self, request: &Request) -> Lookup {
        self.named(request.path(), request.header("accept-encoding").is_some_and(encoding::prefers_gzip))
    }

    fn named(&self, path: &str, prefers_gzip: bool) -> Lookup {
        let name = match (path, path.strip_prefix("/static/"), path.strip_prefix(DOCS)) {
            ("/" | "/index.html", ..) => PAGE,
            ("/docs", ..) => DOCS_PAGE,
            (_, Some(name), _) => name,
            (_, _, Some(name)) if name.ends_with(".md") => &path[1..],
            (_, _, Some(_)) => DOCS_PAGE,
            (_, None, None) => return Lookup::Nothing,
        };
        match self {
            Files::Development => {
                let is_inside = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
                if is_inside { Lookup::OnDisk(name.to_owned()) } else { Lookup::Nothing }
            }
            Files::Kept { files, hash } => {
                let hashed = name.strip_prefix(hash.as_str()).and_then(|rest| rest.strip_prefix('/'));
                let name = hashed.unwrap_or(name);
                let caching = if hashed.is_some() && !is_page(name) { CACHED } else { NOT_CACHED };
                let Some(Kept { plain, gzip }) = files.get(name) else { return Lookup::Nothing };
                let is_short = prefers_gzip && gzip.is_some();
                let body = gzip.as_ref().filter(|_| prefers_gzip).unwrap_or(plain);
                // What is cached for ever is never asked about.
                let tag = (caching == NOT_CACHED).then(|| if is_short { format!("\"{hash}-gzip\"") } else { format!("\"{hash}\"") });
                let mut found = found(name, body.clone(), caching, tag);
                found.headers.extend(gzip.as_ref().map(|_| ("vary", "accept-encoding".to_owned())));
                found.headers.extend(is_short.then(|| ("content-encoding", "gzip".to_owned())));
                Lookup::Found(found)
            }
        }
    }
}

/// A file that was read from disk, in development: cached by nobody.
pub(super) fn fresh(name: &str, body: Vec<u8>) -> Found {
    found(name, body.into(), NOT_CACHED, None)
}

/// The body of a request, sent back.
pub(super) fn repeated(body: Vec<u8>) -> Found {
    Found {
        body: body.into(),
        headers: vec![("content-type", "application/octet-stream".to_owned()), ("cache-control", "no-store".to_owned())],
        tag: None,
        is_page: false,
    }
}

impl Found {
    /// Whether the client has just this already. What stands between may have called a tag of ours weak.
    pub(super) fn is_known(&self, request: &Request) -> bool {
        let Some(tag) = &self.tag else { return false };
        let lists = |value: &str| request.lists("if-none-match", value);
        lists(tag) || lists(&format!("W/{tag}")) || lists("*")
    }

    /// Whether the client wants no other version than one that this is not.
    pub(super) fn is_another(&self, request: &Request) -> bool {
        let lists = |value: &str| request.lists("if-match", value);
        request.header("if-match").is_some() && !lists("*") && !self.tag.as_deref().is_some_and(lists)
    }
}

/// As gzip, if that saves at least a tenth.
fn compressed(plain: &[u8]) -> Option<Arc<[u8]>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::best());
    encoder.write_all(plain).expect("a vector takes everything");
    let short = encoder.finish().expect("a vector takes everything");
    (short.len() < plain.len() / 10 * 9).then(|| short.into())
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
    Found { body, headers, tag, is_page: is_page(name) }
}

fn is_page(name: &str) -> bool {
    name == PAGE || name == DOCS_PAGE
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
        "md" => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Files {
        let file = |text: &str| -> Arc<[u8]> { text.as_bytes().into() };
        let mut files = BTreeMap::from([
            ("app.js".to_owned(), file("1")),
            ("vendor/ui.mjs".to_owned(), file("2")),
            ("docs/http.md".to_owned(), file("# HTTP")),
            (DOCS_PAGE.to_owned(), file("<title>docs</title>")),
        ]);
        let hash = hash(&files);
        files.insert(PAGE.to_owned(), with_hashed_names(br#"<script src="/static/app.js">"#, &hash).into());
        Files::of(files, hash)
    }

    fn found_at(files: &Files, path: &str, prefers_gzip: bool) -> Option<Found> {
        match files.named(path, prefers_gzip) {
            Lookup::Found(found) => Some(found),
            Lookup::OnDisk(_) | Lookup::Nothing => None,
        }
    }

    #[test]
    fn development_reads_only_below_the_folder() {
        for (path, expected) in [
            ("/", Some("index.html")),
            ("/static/css/a.css", Some("css/a.css")),
            ("/static/../a", None),
            ("/static//a", None),
            ("/docs/http.md", Some("docs/http.md")),
            ("/docs/../Cargo.md", None),
            ("/docs/http", Some("docs.html")),
        ] {
            let name = if let Lookup::OnDisk(name) = Files::Development.named(path, true) { Some(name) } else { None };
            assert_eq!(name.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_a_hash_names_is_cached_for_ever_and_nothing_else_is() {
        let files = kept();
        let Files::Kept { hash, .. } = &files else { panic!("kept") };
        let caching = |path: &str| found_at(&files, path, false).map(|found| found.headers[1].1.clone());
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
    fn the_documentation_is_one_page_and_its_files() {
        let files = kept();
        let kind = |path: &str| found_at(&files, path, false).map(|found| (found.headers[0].1.clone(), found.is_page));
        let page = Some(("text/html; charset=utf-8".to_owned(), true));
        for path in ["/docs", "/docs/", "/docs/http", "/docs/no-such-page"] {
            assert_eq!(kind(path), page, "{path}");
        }
        assert_eq!(kind("/docs/http.md"), Some(("text/markdown; charset=utf-8".to_owned(), false)));
        for path in ["/docs/none.md", "/documents", "/docs/../app.js.md"] {
            assert_eq!(kind(path), None, "{path}");
        }
    }

    #[test]
    fn the_page_names_its_files_with_the_hash_and_says_what_it_may_do() {
        let files = kept();
        let Files::Kept { hash, .. } = &files else { panic!("kept") };
        let page = found_at(&files, "/", false).unwrap();
        assert_eq!(String::from_utf8_lossy(&page.body), format!("<script src=\"/static/{hash}/app.js\">"));
        assert!(page.is_page && !found_at(&files, "/static/app.js", false).unwrap().is_page);
        for (issuer, expected) in [
            (None, ["connect-src 'self'; font-src", "frame-ancestors 'none'"]),
            (
                Some("https://id.example.org"),
                ["connect-src 'self' https://id.example.org; frame-src 'self' https://id.example.org; font-src", "frame-ancestors 'self'"],
            ),
            (
                Some("http://127.0.0.1:8080/realms/a"),
                ["connect-src 'self' http://127.0.0.1:8080; frame-src 'self' http://127.0.0.1:8080; font-src", "frame-ancestors 'self'"],
            ),
        ] {
            let policy = policy(issuer);
            let says = expected.iter().all(|part| policy.contains(part));
            assert!(policy.starts_with("default-src 'none'; script-src 'self';") && says, "{policy}");
        }
    }

    #[test]
    fn what_gets_shorter_is_sent_shorter_under_its_own_tag() {
        let long: Arc<[u8]> = "let a = 1;\n".repeat(100).into_bytes().into();
        let files = Files::of(BTreeMap::from([("a.js".to_owned(), long.clone()), ("b.js".to_owned(), (*b"1").into())]), "h".to_owned());
        let header = |found: &Found, name: &str| found.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        for (path, prefers_gzip, tag, coding, varies) in [
            ("/static/a.js", true, Some("\"h-gzip\""), Some("gzip"), true),
            ("/static/a.js", false, Some("\"h\""), None, true),
            ("/static/b.js", true, Some("\"h\""), None, false),
            ("/static/h/a.js", true, None, Some("gzip"), true),
        ] {
            let found = found_at(&files, path, prefers_gzip).unwrap();
            let told = (found.tag.as_deref(), header(&found, "content-encoding"), header(&found, "vary").is_some());
            assert_eq!(told, (tag, coding.map(str::to_owned), varies), "{path}");
        }
        let (short, mut back) = (found_at(&files, "/static/a.js", true).unwrap().body, Vec::new());
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&short[..]), &mut back).unwrap();
        assert!(short.len() < 60 && back == *long);
    }
}
