//! TLS to a real server that demands it, and what a refusal looks like to a user and to `doctor`.

use super::turns::support::{Folder, Server, Setting, eventually, server};
use super::{World, admin, fault, query, rows, url, world};
use framewright::contract::{DatabaseFault, DatabaseLimits};
use mysql::prelude::Queryable;
use serde_json::json;
use std::process::Command;

/// As long as it lives, the server takes nobody without TLS.
struct Demand(mysql::Conn);

impl Demand {
    fn begin() -> Demand {
        let mut conn = admin();
        conn.query_drop("SET GLOBAL require_secure_transport = ON").unwrap();
        Demand(conn)
    }
}

impl Drop for Demand {
    fn drop(&mut self) {
        self.0.query_drop("SET GLOBAL require_secure_transport = OFF").unwrap();
    }
}

fn file(variable: &str) -> String {
    std::env::var(variable).unwrap()
}

fn version(world: &World, name: &str) -> super::Outcome {
    world.ask(name, query("SELECT COUNT(*) FROM kunden"), DatabaseLimits::default())
}

#[test]
fn encrypts_as_its_address_says() {
    let (ca, other) = (file("MARIADB_CA"), file("MARIADB_OTHER_CA"));
    // The certificate is made out to 127.0.0.1 alone.
    let localhost = url().replace("127.0.0.1", "localhost");
    let addresses = [
        ("plain", format!("{}?ssl-mode=DISABLED", url()), false),
        ("preferred", url(), true),
        ("required", format!("{}?ssl-mode=REQUIRED", url()), true),
        ("identity", format!("{}?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}", url()), true),
        ("implied", format!("{}?ssl-ca={ca}", url()), true),
        ("unknown", format!("{}?ssl-mode=VERIFY_IDENTITY", url()), false),
        ("stranger", format!("{}?ssl-ca={other}", url()), false),
        ("absent", format!("{}?ssl-ca=/nowhere/ca.pem", url()), false),
        ("elsewhere", format!("{localhost}?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}"), false),
        ("implied elsewhere", format!("{localhost}?ssl-ca={ca}"), false),
    ];
    let named: Vec<(&str, &str)> = addresses.iter().map(|(name, url, _)| (*name, url.as_str())).collect();
    let world = world(&named);
    assert_eq!(rows(version(&world, "plain")).rows, [[json!(16)]], "without the demand nobody needs TLS");
    let _demand = Demand::begin();
    for (name, _, works) in &addresses {
        match works {
            // Kept connections are of before.
            false if *name == "plain" => {}
            false => assert_eq!(version(&world, name), fault(DatabaseFault::Misconfigured), "{name}"),
            true => assert_eq!(rows(version(&world, name)).rows, [[json!(16)]], "{name}"),
        }
    }
}

#[test]
fn a_server_that_demands_tls_is_told_from_one_that_is_gone() {
    let _alone = super::alone();
    let _demand = Demand::begin();
    let plain = format!("eras2_production={}?ssl-mode=DISABLED", url());
    let framewright =
        Server::with(&Setting { options: &["--graph", "v4-eras", "--model", "demo", "--database", &plain], ..Setting::default() });
    let session = framewright.session("asks");
    let result = session.result_of(&session.send("wie viele Kunden haben wir?"));
    assert_eq!(result["detail"], json!(DatabaseFault::Misconfigured.to_string()));
    eventually("the cause in the log", || framewright.said().contains("TlsRequired").then_some(()));

    let encrypted = format!("eras2_production={}?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", url(), file("MARIADB_CA"));
    let doctor = |database: &str| {
        let folder = Folder::new();
        let mut command: Command = server::framewright(folder.path());
        let ended = command.args(["doctor", "--listen", "127.0.0.1:0", "--graph", "v4-eras", "--database", database]).output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
    };
    let (code, says) = doctor(&plain);
    assert!(code == Some(1) && says.contains("eras2_production demands TLS") && says.contains("→ add ?ssl-mode=REQUIRED"), "{says}");
    let (code, says) = doctor(&encrypted);
    assert!(code == Some(0) && says.contains("eras2_production: version ") && says.contains(", TLSv1.3"), "{says}");
    if let Ok(version) = std::env::var("MARIADB_VERSION") {
        assert!(says.contains(&format!("version {version},")), "{says}");
    }
    let options = ["--graph", "v4-eras", "--model", "demo", "--database", &encrypted];
    let framewright = Server::with(&Setting { options: &options, ..Setting::default() });
    assert_eq!(framewright.session("asks").ask("wie viele Kunden haben wir?")["path"], "expert");
}

#[test]
fn a_wrong_login_an_unknown_database_and_a_closed_port_are_told_apart() {
    let wrong = url().replace("pa%40ss", "wrong");
    let (unknown, forbidden) = (url().replace("/eras2_production", "/nowhere"), url().replace("/eras2_production", "/mysql"));
    let world = world(&[("wrong", &wrong), ("unknown", &unknown), ("forbidden", &forbidden)]);
    for name in ["wrong", "unknown", "forbidden"] {
        assert_eq!(version(&world, name), fault(DatabaseFault::Misconfigured), "{name}");
    }
}
