//! Surveys of real SQLite databases.

use super::*;
use crate::work::database::{Source, sample};
use rusqlite::Connection;
use std::path::PathBuf;

/// A database of a test's own, gone with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, sql: &str) -> File {
        let path = std::env::temp_dir().join(format!("framewright-survey-{name}-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let file = File(path);
        file.run(sql);
        file
    }

    fn run(&self, sql: &str) {
        Connection::open(&self.0).unwrap().execute_batch(sql).unwrap();
    }

    fn databases(&self) -> Databases {
        Databases::new(vec![("shop".to_owned(), Source::Sqlite(self.0.clone()))])
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn survey(databases: &Databases) -> Survey {
    databases.survey();
    (*databases.infos()[0].survey.clone().unwrap()).clone()
}

/// A table as lines: its rows, and each column with what it holds.
fn drawn(survey: &Survey, name: &str) -> Vec<String> {
    let table = survey.tables.iter().find(|table| table.name == name).unwrap();
    let about = if table.is_estimate { "~" } else { "" };
    let rows = table.rows.map_or_else(|| "?".to_owned(), |rows| format!("{about}{rows}"));
    let column = |column: &SurveyedColumn| {
        let holds = column.holds.as_ref().map(|holds| format!(": {holds}")).unwrap_or_default();
        format!("{} {}{holds}", column.name, column.kind)
    };
    std::iter::once(rows).chain(table.columns.iter().map(column)).collect()
}

#[test]
fn the_sample_is_surveyed_without_a_model() {
    let survey = survey(&Databases::sample());
    let names: Vec<&str> = survey.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["geraete", "kunden", "nutzeinheiten", "objekte", "rechnungen", "verbraeuche"]);
    assert_eq!(
        drawn(&survey, "rechnungen"),
        [
            "288",
            "id int",
            "nutzeinheit_id int",
            "rechnungsnummer varchar(16)",
            "jahr int: 2022, 2023, 2024",
            "ausgestellt_am date: '2023-03-01' to '2025-06-28'",
            "betrag decimal(10,2): 176.55 to 441.19",
            "vorauszahlung decimal(10,2): 168 to 492",
            "status varchar(12): 'bezahlt', 'gemahnt', 'offen'"
        ]
    );
    let units = survey.tables.iter().find(|table| table.name == "nutzeinheiten").unwrap();
    let tenant = units.columns.iter().find(|column| column.name == "nutzer").unwrap();
    assert_eq!((tenant.nullable, &tenant.holds), (true, &None), "the names of people are not listed");
    assert_eq!(units.columns[1].references.as_deref(), Some("objekte.id"));
}

#[test]
fn a_large_table_is_not_read_through_and_a_view_not_at_all() {
    let rows = "INSERT INTO large (day, kind) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)
        SELECT date('2020-01-01', (i % 100) || ' days'), 'k' || (i % 3) FROM n;";
    let sql = format!(
        "CREATE TABLE large (id INTEGER PRIMARY KEY, day date, kind text); {rows} CREATE INDEX days ON large (day);
         CREATE TABLE empty (id INTEGER PRIMARY KEY, day date, \"odd name\" text);
         CREATE TABLE notes (day text, said text, few text);
         INSERT INTO notes VALUES ('2024-01-02', 'one', 'a'), ('2024-03-04', 'two', 'a'), ('2024-05-06', 'a ' || char(10) || '## job', 'b'),
           ('2024-05-07', 'three', 'a');
         CREATE VIEW seen AS SELECT * FROM large;"
    );
    let file = File::new("large", &sql);
    let survey = survey(&file.databases());
    assert_eq!(drawn(&survey, "large"), ["~100001", "id integer", "day date: '2020-01-01' to '2020-04-09'", "kind text"]);
    assert_eq!(drawn(&survey, "empty"), ["0", "id integer", "day date", "odd name text"]);
    assert_eq!(drawn(&survey, "notes"), ["4", "day text: '2024-01-02' to '2024-05-07'", "said text", "few text: 'a', 'b'"]);
    assert_eq!(drawn(&survey, "seen"), ["?", "id integer", "day date", "kind text"]);
}

#[test]
fn a_survey_names_a_bounded_number_of_tables() {
    let tables: String = (0..TABLES_MAX + 5).map(|number| format!("CREATE TABLE t{number} (id int);")).collect();
    let file = File::new("many", &format!("BEGIN; {tables} COMMIT;"));
    let survey = survey(&file.databases());
    assert_eq!((survey.tables.len(), survey.is_cut), (TABLES_MAX, true));
}

#[test]
fn a_range_says_what_columns_hold_now() {
    let databases = Databases::sample();
    let columns =
        [("rechnungen", "jahr"), ("rechnungen", "ausgestellt_am"), ("rechnungen", "status"), ("kunden", "name"), ("kunden", "no")]
            .map(|(table, column)| (table.to_owned(), column.to_owned()));
    let place = databases.place(sample::NAME).unwrap();
    let answer = databases.0[place].range(&columns, Instant::now() + SURVEY_TIME, &Cancel::default());
    let Ok(DatabaseAnswer::Rows(rows)) = answer else { panic!("{answer:?}") };
    let found = rows.rows.iter().map(|row| format!("{} {}", row[0].as_str().unwrap(), row[1].as_str().unwrap())).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            "rechnungen.jahr 2022, 2023, 2024",
            "rechnungen.ausgestellt_am '2023-03-01' to '2025-06-28'",
            "rechnungen.status 'bezahlt', 'gemahnt', 'offen'"
        ]
    );
    let cancel = Cancel::default();
    cancel.cancel();
    assert_eq!(databases.0[place].range(&columns, Instant::now() + SURVEY_TIME, &cancel), Err(CallError::Cancelled));
}

#[test]
fn a_description_that_differs_makes_a_survey_old_and_one_that_fails_leaves_what_there_was() {
    let file = File::new("changes", "CREATE TABLE t (a int);");
    let databases = file.databases();
    let describe = || {
        let ask = DatabaseAsk::Describe { table: "t".to_owned() };
        let mut say = |_: &str| {};
        let cancel = Cancel::default();
        let mut call = crate::work::Call { cancel: &cancel, due: Instant::now() + SURVEY_TIME, trace: None, say: &mut say };
        databases.0[0].ask(&ask, DatabaseLimits::default(), &mut call).unwrap();
        databases.0[0].surveys.state().is_stale
    };
    assert!(!describe(), "there is nothing to compare with");
    assert_eq!(drawn(&survey(&databases), "t"), ["0", "a int"]);
    assert!(!describe());
    file.run("ALTER TABLE t ADD COLUMN b date;");
    assert!(describe());
    let before = databases.infos();
    databases.0[0].surveys.ended(None, Duration::ZERO);
    assert_eq!(databases.infos(), before);
    assert_eq!(drawn(&survey(&databases), "t"), ["0", "a int", "b date"]);
    assert!(Databases::new(vec![("gone".to_owned(), Source::Sqlite("/nonexistent".into()))]).infos()[0].survey.is_none());
}

#[test]
fn one_survey_runs_at_a_time_and_not_before_it_is_due() {
    let surveys = Surveys::default();
    assert!(!surveys.begins(), "nobody wants one");
    surveys.state().is_wanted = true;
    assert!(surveys.begins() && !surveys.begins(), "one is running");
    surveys.ended(Some(Survey::default()), Duration::ZERO);
    assert!(!surveys.begins(), "it is fresh");
    surveys.state().is_stale = true;
    assert!(!surveys.begins(), "even an old one has a pause before it");
    let long_ago = Instant::now().checked_sub(PAUSE).unwrap();
    surveys.state().last = Some((long_ago, Duration::ZERO));
    assert!(surveys.begins());
    surveys.ended(Some(Survey::default()), Duration::ZERO);
    surveys.state().is_stale = true;
    surveys.state().last = Some((long_ago, PAUSE));
    assert!(!surveys.begins(), "one that took long is done again later");
    surveys.state().is_stale = false;
    surveys.state().last = Some((Instant::now().checked_sub(FRESH).unwrap(), Duration::ZERO));
    assert!(surveys.begins(), "an old one is done again");
}
