//! An issuer of a few lines that misbehaves on request.

use super::*;
use crate::auth::testing::{SIGNERS, claims, issuer};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;

/// Answers each path with what stands there: a status and a body. Paths that begin with `/silent` are never answered.
fn puppet(answers: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answers = answers.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let lines: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                    let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return };
                    let bearer = lines.iter().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or_default();
                    let (status, body) = answers(path, bearer);
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLocation: /keys\r\n\r\n", body.len());
                    if (&stream).write_all((head + &body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

use std::io::Read as _;

fn key_document(count: usize) -> String {
    json!({ "keys": SIGNERS[..count].iter().map(crate::auth::testing::Signer::jwk).collect::<Vec<_>>() }).to_string()
}

#[test]
fn only_a_sound_answer_of_the_right_issuer_replaces_keys() {
    let url = puppet(|path, _| {
        let host = path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
        let document =
            |keys: &str| json!({ "issuer": format!("http://HERE/{host}"), "jwks_uri": format!("http://HERE/keys/{keys}") }).to_string();
        match path {
            "/good/.well-known/openid-configuration" => (200, document("good")),
            "/down/.well-known/openid-configuration" => (503, "busy".to_owned()),
            "/moved/.well-known/openid-configuration" => (302, String::new()),
            "/html/.well-known/openid-configuration" => (200, "<html>".to_owned()),
            "/other/.well-known/openid-configuration" => (200, document("good").replace("/other", "/evil")),
            "/nokeys/.well-known/openid-configuration" => (200, document("good").replace("jwks_uri", "x")),
            "/unsafe/.well-known/openid-configuration" => (200, document("good").replace("http://HERE/keys", "http://id.example.org")),
            path if path.ends_with("configuration") => (200, document(&host)),
            "/keys/good" => (200, key_document(3)),
            "/keys/empty" => (200, r#"{"keys":[]}"#.to_owned()),
            "/keys/nothing" => (200, String::new()),
            "/keys/huge" => (200, format!("{}{}", key_document(1), " ".repeat(1 << 20))),
            "/keys/failing" => (500, key_document(1)),
            "/keys/moved" => (301, String::new()),
            _ => (404, String::new()),
        }
    });
    let agent = agent("http://127.0.0.1", None);
    for (host, says) in [
        ("good", "3 keys"),
        ("down", "answered with status 503"),
        ("moved", "answered with status 302"),
        ("html", "is not a discovery document: it has no `issuer`"),
        ("other", "names the issuer"),
        ("nokeys", "has no `jwks_uri`"),
        ("unsafe", "may not be used: only https counts"),
        ("empty", "publishes no key that can sign a token"),
        ("nothing", "not a JSON object with a list of `keys`"),
        ("huge", "more than 256 KiB"),
        ("failing", "answered with status 500"),
        ("missing", "answered with status 404"),
    ] {
        let said = asked(&agent, &url, host);
        assert!(said.contains(says), "{host}: {said}");
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(asked(&agent, &format!("http://{gone}"), "good").contains("could not be fetched"));
}

/// What comes of a fetch. The puppet does not know its own address, so it is put in here.
fn asked(agent: &Agent, url: &str, host: &str) -> String {
    let issuer = auth::Issuer { url: format!("{url}/{host}"), ..issuer() };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.url);
    let here = |text: String| text.replace("http://HERE", url);
    let found = get(agent, &discovery).and_then(|(document, _)| {
        let document = here(String::from_utf8(document).unwrap());
        discovered(&discovery, document.as_bytes(), &issuer)
    });
    match found.and_then(|found| keys(agent, &found)) {
        Ok(keys) => format!("{} keys", keys.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn fetches_at_once_and_answers_who_asks_too_soon() {
    let (to, from) = channel();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issuer = auth::Issuer { url: format!("http://{address}"), ..issuer() };
    let tell = move |news: News| drop(to.send(news));
    let identity = Identity::start(Some(issuer), None, None, Arc::new(tell)).unwrap();
    assert!(matches!(from.recv().unwrap(), News::Keys(None)), "nobody is there");
    while identity.0.state().is_fetching {
        thread::yield_now();
    }
    let mut soon = Identity(identity.0.clone());
    soon.0.state().refresh.ended(soon.0.now(), true);
    assert!(matches!(soon.ask(Ask::Keys), Some(News::Keys(None))), "a fetch has just ended");
    soon = identity;
    assert!(soon.ask(Ask::Userinfo { sub: "ada".into(), token: "t".to_owned() }).is_none());
    assert!(matches!(from.recv().unwrap(), News::Userinfo { sub, names: None } if &*sub == "ada"), "nobody knows");
}

#[test]
fn userinfo_counts_only_for_the_user_that_it_is_about() {
    let url = puppet(|_, bearer| match bearer {
        "adas" => (200, json!({ "sub": "ada", "name": "Ada", "email": "ada@acme.example" }).to_string()),
        "eves" => (200, json!({ "sub": "eve", "name": "Eve" }).to_string()),
        "long" => (200, json!({ "sub": "ada", "name": "Ada", "x": "x".repeat(1 << 20) }).to_string()),
        "html" => (200, "<html>".to_owned()),
        _ => (401, json!({ "error": "invalid_token" }).to_string()),
    });
    let (identity, _) = (Identity::start(None, None, None, Arc::new(|_| ())).unwrap(), claims("ada"));
    identity.0.state().userinfo = Some(url);
    for (token, expected) in
        [("adas", Some("Ada")), ("eves", None), ("long", None), ("html", None), ("none", None), ("a\r\nx: y", None), ("", None)]
    {
        let names = identity.0.userinfo("ada", token);
        assert_eq!(names.as_ref().and_then(Names::shown), expected, "{token:?}");
    }
}

#[test]
fn a_file_of_keys_is_read_again_when_it_changes_and_stays_when_it_is_wrong() {
    use crate::auth::KeyHash;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    let entry = |name: &str| format!("[keys.{name}]\nsha256 = \"{}\"\nscopes = [\"chat\"]\n", KeyHash::of(name));
    assert!(KeyFile::read(&path).err().unwrap().to_string().contains("framewright key create"));
    std::fs::write(&path, entry("one")).unwrap();
    let mut file = KeyFile::read(&path).unwrap();
    let (to, from) = channel();
    let tell = move |news: News| drop(to.send(news));
    let look = |file: &mut KeyFile| {
        file.look(&tell);
        match from.try_recv() {
            Ok(News::ApiKeys(keys)) => keys.list().iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(" "),
            Ok(_) => "other news".to_owned(),
            Err(_) => "nothing".to_owned(),
        }
    };
    let mut heard = |text: Option<String>| {
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        // As after any change that the clock of the file system is too coarse to show.
        file.stamp = Some((SystemTime::UNIX_EPOCH, 0));
        let first = look(&mut file);
        let then = [look(&mut file), look(&mut file)];
        assert!(then[1] == "nothing" && (then[0] == first || first == "nothing"), "{first} {then:?}");
        first
    };
    assert_eq!(heard(Some(entry("one"))), "one", "the same keys: a reload may have told others meanwhile");
    assert_eq!(heard(Some(entry("one") + &entry("two"))), "one two");
    assert_eq!(heard(Some("keys = 1".to_owned())), "nothing", "one that is wrong changes nothing");
    assert_eq!(heard(None), "nothing");
    assert_eq!(heard(Some(entry("two"))), "two");
    assert_eq!(heard(Some(String::new())), "", "all are revoked");
}
