//! `framewright replay`: the stream that clients saw is proven from the recorded inputs, and a changed record is named.

use crate::kept::{Kept, TURNS, run_on_folder};
use crate::support::Folder;
use rusqlite::Connection;
use serde_json::Value;

const SAME: &str = "the same, byte for byte\n";

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn proves_every_record_beside_a_server_after_it_and_from_a_file() {
    let mut kept = Kept::new();
    let beside = kept.done(&["replay", "talk"]);
    assert!(beside.starts_with(&format!("{TURNS} turns, ")) && beside.ends_with(SAME), "{beside}");
    for (id, seen) in &kept.seen {
        let ended = kept.run(&["replay", "talk", "--turn", id]);
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), beside.as_str()), "{id}");
        assert_eq!(lines(&ended.output), *seen, "{id}: what the client saw, with `seq`");
    }
    let cut = lines(&kept.done(&["replay", "talk", "--turn", "7"]));
    assert!(cut.last().is_some_and(|done| done["type"] == "done" && done["error"].is_string()), "{cut:?}");
    kept.end_server();
    let after = kept.done(&["replay", "talk"]);
    assert!(after.starts_with(&format!("{TURNS} turns, ")) && after.ends_with(SAME), "{after}");

    let export = kept.done(&["sessions", "export", "--all"]);
    kept.folder.write("all.jsonl", &export);
    kept.folder.write("talk.jsonl", &kept.done(&["sessions", "export", "talk"]));
    // A file needs no journal.
    let elsewhere = Folder::new();
    let alone = |arguments: &[&str]| run_on_folder(&kept.folder, elsewhere.path().to_str().unwrap(), arguments);
    assert_eq!(alone(&["replay", "talk.jsonl"]).output, after);
    let turn = alone(&["replay", "talk.jsonl", "--turn", "2"]);
    assert_eq!(lines(&turn.output), kept.seen[1].1);
    let all = alone(&["replay", "all.jsonl"]).output;
    assert!(all.lines().count() == 2 && all.contains(&format!("anonymous/talk: {after}")), "{all}");
    for (arguments, code, says) in [
        (&["replay", "all.jsonl", "--turn", "1"][..], 2, "--turn is for one session, and all.jsonl holds 2"),
        (&["replay", "talk.jsonl", "--user", "nobody"], 4, "there is no such session"),
        (&["replay", "nope.jsonl"], 4, "nope.jsonl: can't be opened"),
        (&["replay", "./journal.db"], 2, "./journal.db:1: is no line of an export"),
        (&["replay"], 2, "<SESSION|FILE.jsonl>"),
    ] {
        let ended = kept.run(arguments);
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    }
    for (arguments, code, says) in [
        (&["replay", "nope"][..], 4, "user `anonymous` has no session `nope`"),
        (&["replay", "talk", "--user", "ann"], 4, "user `ann` has no session `talk`"),
        (&["replay", "talk", "--turn", "99"], 4, "the session has no turn msg_99"),
        (&["replay", "talk", "--turn", "last"], 2, "turns are called 1, 2 and so on"),
    ] {
        let ended = kept.run(arguments);
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    }
}

/// The records of `talk` whose JSON has this in it, with their numbers.
fn records_with(journal: &Connection, piece: &str) -> Vec<(i64, String)> {
    let mut statement = journal
        .prepare("SELECT r.number, CAST(r.bytes AS TEXT) FROM records r JOIN sessions s ON s.id = r.session_id WHERE s.session = 'talk' ORDER BY r.number")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(Result::unwrap).filter(|(_, record)| record.contains(piece)).collect()
}

fn set_record(journal: &Connection, number: i64, record: &str) {
    let update = "UPDATE records SET bytes = ?1 WHERE number = ?2 AND session_id = (SELECT id FROM sessions WHERE session = 'talk')";
    assert_eq!(journal.execute(update, (record.as_bytes(), number)).unwrap(), 1);
}

#[test]
fn a_changed_record_is_named_with_its_turn_frame_node_and_field() {
    let mut kept = Kept::new();
    kept.end_server();
    let export = kept.done(&["sessions", "export", "talk"]);
    let journal = Connection::open(kept.journal()).unwrap();
    let differs = |number: i64, record: &str, says: &[&str]| {
        let (_, before) = records_with(&journal, "").into_iter().find(|(own, _)| *own == number).unwrap();
        assert_ne!(before, record, "the record is changed");
        set_record(&journal, number, record);
        let ended = kept.run(&["replay", "talk"]);
        set_record(&journal, number, &before);
        assert!(ended.code == Some(1) && ended.output.is_empty(), "{ended:?}");
        for piece in says {
            assert!(ended.errors.contains(piece), "`{piece}` is missing: {}", ended.errors);
        }
    };
    // What the database answered the expert.
    let rows = records_with(&journal, "\"rows\":[[");
    let (number, record) = rows.iter().find(|(_, record)| record.contains("[[16]]")).unwrap_or_else(|| panic!("{rows:?}"));
    differs(
        *number,
        &record.replace("[[16]]", "[[17]]"),
        &[
            &format!("record {number} (completion), turn msg_2, frame "),
            "node `eras`",
            "the stream is the same, and the kept turn differs\n`calls[",
            "was 16 and is 17",
        ],
    );
    // What the user wrote.
    let (number, record) = records_with(&journal, "give me two buttons").remove(0);
    differs(
        number,
        &record.replacen("give me two", "give me tow", 1),
        &[
            &format!("record {number} (message), turn msg_3"),
            "`trace.message` was \"give me two buttons, red and blue\" and is \"give me tow buttons, red and blue\"",
        ],
    );
    // A piece of an answer, which no kept turn has.
    let (number, record) = records_with(&journal, "{\"Chunk\":").pop().unwrap();
    let piece = serde_json::from_str::<Value>(&record).unwrap()["input"]["Chunk"]["text"].as_str().unwrap().to_owned();
    let other = record.replacen(&serde_json::to_string(&piece).unwrap(), "\"<changed>\"", 1);
    differs(number, &other, &[&format!("record {number} (chunk), turn msg_"), ", frame ", "node `", "<changed>"]);
    // The digest alone.
    let (number, record) = records_with(&journal, "{\"Chunk\":").remove(0);
    let digest = serde_json::from_str::<Value>(&record).unwrap()["digest"].as_str().unwrap().to_owned();
    differs(number, &record.replace(&digest, "0000000000000000"), &[&format!("record {number} (chunk)"), "only events differ"]);
    // What is no record any more.
    differs(number, &record[..record.len() / 2], &[&format!("record {number}, after events of turn "), "it can't be read"]);

    // The same in a file.
    let changed = export.replacen("[[16]]", "[[17]]", 1);
    assert_ne!(changed, export);
    kept.folder.write("changed.jsonl", &changed);
    let ended = kept.run(&["replay", "changed.jsonl"]);
    assert!(ended.code == Some(1) && ended.errors.contains("turn msg_2, frame ") && ended.errors.contains("was 16 and is 17"), "{ended:?}");

    // Without its first records nothing can be proven.
    let delete = |number: i64| journal.execute("DELETE FROM records WHERE number = ?1", [number]).unwrap();
    delete(5);
    let ended = kept.run(&["replay", "talk"]);
    assert!(ended.code == Some(1) && ended.errors.starts_with("record 5 is missing: record 6 follows 4"), "{ended:?}");
    delete(1);
    let ended = kept.run(&["replay", "talk"]);
    assert!(ended.code == Some(4) && ended.errors.starts_with("the records begin with 2: "), "{ended:?}");
    let ended = kept.run(&["sessions", "export", "talk"]);
    assert!(ended.code == Some(4) && ended.errors.contains("its records begin with 2, not with 1") && ended.output.is_empty(), "{ended:?}");
}
