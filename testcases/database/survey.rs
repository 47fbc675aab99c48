//! A survey of MariaDB, with comments, statistics and what SQLite does not have.

use super::{World, admin, alone, url};
use framewright::contract::{Survey, SurveyedTable};
use framewright::work::database::{Databases, Source, sample};
use mysql::prelude::Queryable;

fn survey(url: &str) -> Survey {
    let databases = Databases::new(vec![("maria".to_owned(), Source::parse(url).unwrap())]);
    databases.survey();
    (*databases.infos()[0].survey.clone().unwrap()).clone()
}

fn table<'a>(survey: &'a Survey, name: &str) -> &'a SurveyedTable {
    survey.tables.iter().find(|table| table.name == name).unwrap()
}

fn drawn(table: &SurveyedTable) -> Vec<String> {
    let column = |column: &framewright::contract::SurveyedColumn| {
        let holds = column.holds.as_ref().map(|holds| format!(": {holds}")).unwrap_or_default();
        let said = if column.comment.is_empty() { String::new() } else { format!(" ({})", column.comment) };
        format!("{} {}{holds}{said}", column.name, column.kind)
    };
    table.columns.iter().map(column).collect()
}

#[test]
fn both_dialects_are_surveyed_alike_and_mariadb_has_comments() {
    let _alone = alone();
    let sqlite = Databases::sample();
    sqlite.survey();
    let sqlite = sqlite.infos()[0].survey.clone().unwrap();
    let maria = survey(&url());
    assert_eq!(table(&maria, "rechnungen").comment, format!("{}: Jahresabrechnung einer Nutzeinheit in Euro", sample::MARK));
    let names = |survey: &Survey| survey.tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&maria), names(&sqlite));
    for (one, other) in maria.tables.iter().zip(&sqlite.tables) {
        assert_eq!((one.rows, one.is_estimate), (other.rows, false), "{}", one.name);
        for (one, other) in one.columns.iter().zip(&other.columns) {
            let what = |column: &framewright::contract::SurveyedColumn| {
                (column.name.clone(), column.kind.clone(), column.nullable, column.key.clone(), column.references.clone())
            };
            assert_eq!(what(one), what(other));
            if !one.kind.starts_with("decimal") {
                assert_eq!(one.holds, other.holds, "{}", one.name);
            }
        }
    }
    assert!(drawn(table(&maria, "rechnungen")).contains(&"betrag decimal(10,2): 176.55 to 441.19".to_owned()));
}

#[test]
fn a_large_table_is_counted_by_statistics_and_only_its_indexes_are_read() {
    let _alone = alone();
    let mut admin = admin();
    let run = |admin: &mut mysql::Conn, sql: &str| admin.query_drop(sql).unwrap();
    run(
        &mut admin,
        "CREATE OR REPLACE TABLE kinds.large (id int PRIMARY KEY, day date, kind varchar(255) COMMENT 'what it is', KEY (day)) ENGINE=InnoDB",
    );
    run(
        &mut admin,
        "INSERT INTO kinds.large SELECT seq, DATE_ADD('2020-01-01', INTERVAL seq % 100 DAY), CONCAT('k', seq % 3) FROM seq_1_to_150000",
    );
    run(&mut admin, "ANALYZE TABLE kinds.large");
    run(&mut admin, "CREATE OR REPLACE VIEW kinds.seen AS SELECT * FROM kinds.large");
    run(&mut admin, "CREATE OR REPLACE TABLE kinds.`odd ``name` (`a b` varchar(255), e enum('x','y'), t text)");
    run(
        &mut admin,
        "INSERT INTO kinds.`odd ``name` VALUES ('it''s', 'x', 'one'), ('it''s', 'y', 'two'), ('b', 'x', 'three'), ('b', 'x', 'four')",
    );
    let survey = survey(&url().replace("/eras2_production", "/kinds"));
    let large = table(&survey, "large");
    assert!(large.is_estimate && (100_001..400_000).contains(&large.rows.unwrap()), "{:?}", large.rows);
    assert_eq!(drawn(large), ["id int", "day date: '2020-01-01' to '2020-04-09'", "kind varchar(255) (what it is)"]);
    assert_eq!(drawn(table(&survey, "seen"))[1..], ["day date", "kind varchar(255) (what it is)"].map(str::to_owned));
    assert_eq!(drawn(table(&survey, "odd `name")), ["a b varchar(255): 'b', 'it''s'", "e enum('x','y')", "t text"]);
    for what in ["VIEW kinds.seen", "TABLE kinds.large", "TABLE kinds.`odd ``name`"] {
        run(&mut admin, &format!("DROP {what}"));
    }
}

#[test]
fn a_look_at_the_range_says_what_there_is() {
    use framewright::contract::{DatabaseAsk, DatabaseLimits};
    let world: World = super::world(&[]);
    let columns = [("rechnungen", "jahr"), ("rechnungen", "status")].map(|(table, column)| (table.to_owned(), column.to_owned())).to_vec();
    for name in ["maria", sample::NAME] {
        let rows = super::rows(world.ask(name, DatabaseAsk::Range { columns: columns.clone() }, DatabaseLimits::default()));
        assert_eq!(rows.rows[0], ["rechnungen.jahr", "2022, 2023, 2024"], "{name}");
        assert_eq!(rows.rows[1], ["rechnungen.status", "'bezahlt', 'gemahnt', 'offen'"], "{name}");
    }
}
