//! The page's files: how they are sent, how long they are kept, and how much all of them weigh.

use crate::support::http::{Answer, Wire};
use crate::support::{Server, Setting};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

/// What the page may transfer before a panel is opened, compressed.
const PAGE_BYTES_MAX: usize = 80_000;

fn fetch(wire: &mut Wire, path: &str, headers: &str) -> Answer {
    let method = headers.strip_prefix("HEAD ").map_or("GET", |_| "HEAD");
    wire.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", headers.trim_start_matches("HEAD ")));
    if method == "HEAD" { wire.answer_without_body() } else { wire.answer() }
}

/// Undone by another program than the one that did it.
fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let ended = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(ended.status.success());
    ended.stdout
}

/// What stands between two marks, wherever it does.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

/// The files that a module, or the page, can't do without. What is imported with `import(…)` comes when it is wanted.
fn needs(path: &str, text: &str) -> Vec<String> {
    if path == "/" {
        return ["src=\"", "href=\""].iter().flat_map(|mark| between(text, mark, '"')).map(str::to_owned).collect();
    }
    let folder = &path[..=path.rfind('/').unwrap()];
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).map(|line| format!("{line}\n")).collect();
    let marks = ["from '", "from \"", "import '", "import \""];
    let named = marks.iter().flat_map(|mark| between(&code, mark, mark.chars().last().unwrap()));
    named.filter_map(|name| name.strip_prefix("./")).map(|name| format!("{folder}{name}")).collect()
}

#[test]
fn the_page_weighs_at_most_80_kilobytes_before_a_panel_is_opened() {
    let server = Server::start();
    let mut wire = server.connect();
    let (mut wanted, mut seen, mut bytes) = (vec!["/".to_owned()], BTreeSet::new(), 0);
    while let Some(path) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = fetch(&mut wire, &path, "Accept-Encoding: gzip, deflate, br, zstd\r\n");
        assert_eq!(answer.status, 200, "{path}");
        bytes += answer.body.len();
        let is_short = answer.header("content-encoding") == Some("gzip");
        let text = String::from_utf8(if is_short { unzipped(&answer.body) } else { answer.body }).unwrap();
        if path == "/" || path.ends_with("js") {
            wanted.extend(needs(&path, &text));
        }
    }
    println!("the page: {} files, {bytes} bytes compressed", seen.len());
    assert!(seen.len() > 20 && seen.iter().any(|path| path.ends_with("vendor/ui.mjs")), "{seen:?}");
    assert!(bytes <= PAGE_BYTES_MAX, "the page transfers {bytes} bytes: make it lighter, or load a part of it later");
}

#[test]
fn a_file_is_sent_as_the_client_takes_it_and_kept_as_long_as_its_name_says() {
    let server = Server::start();
    let mut wire = server.connect();
    let page = fetch(&mut wire, "/", "");
    let text = String::from_utf8(page.body.clone()).unwrap();
    let script = between(&text, "type=\"module\" src=\"", '"').next().unwrap().to_owned();
    let plain = fetch(&mut wire, &script, "");
    for (path, accepted, is_short) in [
        ("/", "gzip", true),
        ("/", "br", false),
        (&script, "gzip, br", true),
        (&script, "br;q=1, *;q=0.1", true),
        (&script, "gzip;q=0", false),
        (&script, "identity", false),
    ] {
        let answer = fetch(&mut wire, path, &format!("Accept-Encoding: {accepted}\r\n"));
        assert_eq!(answer.header("content-encoding"), is_short.then_some("gzip"), "{path} {accepted}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path} {accepted}");
        let expected = if path == "/" { &page.body } else { &plain.body };
        assert_eq!(&if is_short { unzipped(&answer.body) } else { answer.body.clone() }, expected, "{path} {accepted}");
        let keeping = answer.header("cache-control").unwrap().to_owned();
        assert_eq!(keeping, if path == "/" { "no-cache" } else { "public, max-age=31536000, immutable" }, "{path}");

        // A name with a hash in it never stands for anything else: there is nothing to ask again.
        if path != "/" {
            assert_eq!(answer.header("etag"), None, "{path}");
            continue;
        }
        let tag = answer.header("etag").unwrap().to_owned();
        let ask = format!("Accept-Encoding: {accepted}\r\n");
        let head = fetch(&mut wire, path, &format!("HEAD {ask}"));
        assert_eq!((head.status, head.header("etag")), (200, Some(&*tag)));
        assert_eq!(head.header("content-length"), Some(&*answer.body.len().to_string()), "{path} {accepted}");
        for (asks, status) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let again = fetch(&mut wire, path, &format!("{ask}If-None-Match: {asks}\r\n"));
            assert_eq!((again.status, again.header("etag")), (status, Some(&*tag)), "{path} {asks}");
            assert_eq!(again.body.is_empty(), status == 304, "{path} {asks}");
        }
    }
    let short = fetch(&mut wire, "/", "Accept-Encoding: gzip\r\n");
    assert_ne!(short.header("etag"), page.header("etag"), "two codings are two things to keep");
    let told = fetch(&mut wire, "/", &format!("If-None-Match: {}\r\n", short.header("etag").unwrap()));
    assert_eq!(told.status, 200, "what was kept is in a coding that is not taken now");
    assert_eq!(wire.ask("POST", "/", Some(&serde_json::json!({}))).header("allow"), Some("GET, HEAD"));
}

#[test]
fn in_development_nothing_is_kept() {
    let server = Server::with(&Setting { options: &["--development"], ..Setting::default() });
    let answer = fetch(&mut server.connect(), "/static/app.js", "Accept-Encoding: gzip\r\n");
    assert_eq!((answer.status, answer.header("cache-control"), answer.header("etag")), (200, Some("no-cache"), None));
}
