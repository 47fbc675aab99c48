//! What planners are shown of databases.

use super::*;
use crate::contract::{Survey, Time};
use crate::nodes::testing::Fixture;
use crate::nodes::{PaRouting, Packet};
use serde_json::json;
use std::sync::Arc;

fn column(name: &str, kind: &str) -> SurveyedColumn {
    SurveyedColumn { name: name.to_owned(), kind: kind.to_owned(), ..SurveyedColumn::default() }
}

fn table(name: &str, columns: Vec<SurveyedColumn>) -> SurveyedTable {
    SurveyedTable { name: name.to_owned(), columns, ..SurveyedTable::default() }
}

fn fixture(dialect: Dialect, tables: Option<Vec<SurveyedTable>>) -> Fixture {
    let survey = tables.map(|tables| Arc::new(Survey { tables, is_cut: false }));
    let mut fixture = Fixture::default();
    fixture.node.database = Some("shop".into());
    fixture.databases = vec![DatabaseInfo { name: "shop".to_owned(), dialect, schema: None, is_sample: false, survey }];
    fixture
}

fn note(fixture: &mut Fixture, name: &str, note: &str) {
    fixture.node.notes.insert(name.to_owned(), note.to_owned());
}

fn job(job: &str) -> Packet {
    Packet { routing: Some(PaRouting { job: job.to_owned(), ..PaRouting::default() }), ..Packet::default() }
}

#[test]
fn spells_names_as_the_database_does_and_quotes_those_that_need_it() {
    let described = |name: &str| json!([{"column": name, "type": "int"}]);
    for (dialect, shown) in [
        (Dialect::Mysql, "Kunden\n- Name int\n`Order Details`\n- `Unit Price` int\n`log-2024`\n- `group` int"),
        (Dialect::Sqlite, "Kunden\n- Name int\n\"Order Details\"\n- \"Unit Price\" int\n\"log-2024\"\n- \"group\" int"),
    ] {
        let mut fixture = fixture(dialect, None);
        for (table, name) in [("shop.Kunden", "Name"), ("shop.Order Details", "Unit Price"), ("shop.log-2024", "group"), ("farm.kühe", "x")]
        {
            fixture.schema.insert(table.to_owned(), described(name));
        }
        assert_eq!(schema(&fixture.view(&Packet::default())), shown);
    }
}

#[test]
fn shows_what_a_survey_found_and_what_the_graph_says_of_it() {
    let bills = SurveyedTable {
        comment: "yearly bills".to_owned(),
        rows: Some(288),
        columns: vec![
            SurveyedColumn { key: "primary".to_owned(), ..column("id", "int") },
            SurveyedColumn { references: Some("units.id".to_owned()), ..column("unit_id", "int") },
            SurveyedColumn { holds: Some(Holds::Range("2022".to_owned(), "2024".to_owned())), ..column("jahr", "int") },
            SurveyedColumn {
                nullable: true,
                comment: "of payment".to_owned(),
                holds: Some(Holds::Values(vec!["'open'".to_owned(), "'paid'".to_owned()])),
                ..column("status", "varchar(12)")
            },
        ],
        ..table("bills", Vec::new())
    };
    let units = SurveyedTable { rows: Some(4_000_000), is_estimate: true, ..table("units", vec![column("id", "int")]) };
    let mut fixture = fixture(Dialect::Sqlite, Some(vec![bills, units]));
    note(&mut fixture, "Bills.jahr", "the year billed");
    note(&mut fixture, "units", "flats and shops");
    note(&mut fixture, "gone.column", "is shown though nobody found it");
    let shown = "bills (288 rows): yearly bills\n- id int, primary key\n- unit_id int -> units.id\n- jahr int: 2022 to 2024 (the year billed)\n\
        - status varchar(12), nullable: 'open', 'paid' (of payment)\nunits (~4000000 rows): flats and shops\n- id int\n\
        Note on gone.column: is shown though nobody found it";
    assert_eq!(schema(&fixture.view(&Packet::default())), shown);
}

#[test]
fn a_newer_description_takes_precedence_and_keeps_what_the_survey_says_of_the_same_columns() {
    let jahr = SurveyedColumn { holds: Some(Holds::Range("2022".to_owned(), "2024".to_owned())), ..column("jahr", "int") };
    let surveyed = SurveyedTable { rows: Some(2), ..table("bills", vec![jahr, column("gone", "int")]) };
    let mut fixture = fixture(Dialect::Sqlite, Some(vec![surveyed]));
    let described = json!([{"column": "jahr", "type": "int"}, {"column": "neu", "type": "date", "nullable": true}]);
    assert!(!agrees(&fixture.databases, "shop.bills", &described), "what the session knows is told apart from the survey");
    fixture.schema.insert("shop.bills".to_owned(), described);
    assert_eq!(schema(&fixture.view(&Packet::default())), "bills (2 rows)\n- jahr int: 2022 to 2024\n- neu date, nullable");
    for (known, columns, is_so) in [
        ("shop.bills", json!([{"column": "jahr"}, {"column": "gone"}]), true),
        ("shop.other", json!([{"column": "jahr"}]), false),
        ("farm.bills", json!([{"column": "x"}]), true),
    ] {
        assert_eq!(agrees(&fixture.databases, known, &columns), is_so, "{known}");
    }
}

#[test]
fn a_schema_that_is_too_large_is_shown_by_its_relevance_to_the_job_and_the_rest_as_names() {
    let mut tables: Vec<SurveyedTable> = (0..400)
        .map(|number| table(&format!("t{number:03}"), (0..8).map(|place| column(&format!("column_{place}"), "varchar(40)")).collect()))
        .collect();
    tables.push(table("zeilen", vec![column("rechnungsbetrag", "decimal(10,2)")]));
    tables.push(table("zz_kunden", vec![SurveyedColumn { references: Some("zz_orte.id".to_owned()), ..column("ort_id", "int") }]));
    tables.push(table("zz_orte", vec![column("id", "int")]));
    tables.push(table("zz_described", vec![column("id", "int")]));
    let mut fixture = fixture(Dialect::Sqlite, Some(tables));
    fixture.schema.insert("shop.zz_described".to_owned(), json!([{"column": "id", "type": "int"}]));
    let text = schema(&fixture.view(&job("Wie hoch ist der Rechnungsbetrag je Kunde?")));
    let begins =
        "zz_described\n- id int\nzz_kunden\n- ort_id int -> zz_orte.id\nzeilen\n- rechnungsbetrag decimal(10,2)\nzz_orte\n- id int\nt000\n";
    assert!(text.starts_with(begins), "{}", &text[..400]);
    let (shown, others) = text.split_once("Other tables, to be described before a query: ").unwrap();
    assert!((TABLES_BYTES - 200..=TABLES_BYTES).contains(&shown.len()), "{}", shown.len());
    assert!(others.ends_with("t398, t399"), "{others}");
    assert_eq!(shown.lines().filter(|line| !line.starts_with('-')).count() + others.split(", ").count(), 404, "none is missing");
}

#[test]
fn one_large_table_leaves_room_for_others_and_a_cut_survey_says_that_there_is_more() {
    let wide = table("wide", (0..2_000).map(|place| column(&format!("c{place}"), "int")).collect());
    let mut fixture = fixture(Dialect::Sqlite, Some(vec![wide, table("zz", vec![column("id", "int")])]));
    let text = schema(&fixture.view(&Packet::default()));
    assert!(text.len() < TABLE_BYTES + 200 && text.ends_with(" more columns: describe the table\nzz\n- id int"), "{text}");
    fixture.databases[0].survey = Some(Arc::new(Survey { tables: Vec::new(), is_cut: true }));
    let text = schema(&fixture.view(&Packet::default()));
    assert_eq!(text, "nothing is described yet\nOther tables, to be described before a query:  and more");
}

#[test]
fn the_columns_of_a_statement_are_those_that_it_names_and_no_keys() {
    let columns = vec![
        SurveyedColumn { key: "primary".to_owned(), ..column("id", "int") },
        SurveyedColumn { references: Some("units.id".to_owned()), ..column("unit_id", "int") },
        column("jahr", "int"),
        column("status", "varchar(12)"),
        column("betrag", "int"),
    ];
    let fixture = fixture(Dialect::Sqlite, Some(vec![table("bills", columns), table("other", vec![column("jahr", "int")])]));
    let sql = "SELECT COUNT(*) FROM bills b WHERE b.JAHR = 2026 AND b.status = 'x' AND b.id > unit_id";
    let packet = Packet::default();
    let named = |most| named_columns(&fixture.view(&packet), sql, &["Bills".to_owned()], most);
    assert_eq!(named(8), [("bills".to_owned(), "jahr".to_owned()), ("bills".to_owned(), "status".to_owned())]);
    assert_eq!(named(1).len(), 1);
}

#[test]
fn the_latest_date_stands_beside_the_day() {
    let date =
        |from: &str, to: &str| SurveyedColumn { holds: Some(Holds::Range(format!("'{from}'"), format!("'{to}'"))), ..column("d", "date") };
    let jahr = SurveyedColumn { holds: Some(Holds::Range("1".to_owned(), "9999".to_owned())), ..column("jahr", "int") };
    let tables = vec![table("a", vec![date("2019-01-01", "2025-06-28"), jahr]), table("b", vec![date("2020-01-01", "2024-12-31")])];
    let fixture = fixture(Dialect::Sqlite, Some(tables));
    let (packet, mut parts) = (Packet::default(), Vec::new());
    let view = View { wall: Time(1_763_668_166_000_000), ..fixture.view(&packet) };
    crate::nodes::slots::named("today").unwrap().fill(&view, &mut parts);
    let text: Vec<&str> = parts.iter().map(|part| part.text()).collect();
    assert_eq!(text, ["Thursday, 2025-11-20", "; the latest date in the database is 2025-06-28"]);
    assert!(matches!(parts[0], crate::contract::Part::Passing(..)), "a new day is no other question");
}
