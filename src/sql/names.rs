//! Names of tables: as models write them, and as a database wants to see them written.

use super::functions::is_system_table;
use super::{Denied, check, grammar, is_schema};
use crate::contract::{Dialect, clip};
use sqlparser::tokenizer::{Location, Span, Token, Tokenizer};

/// No database has longer ones.
const SIGNS_MAX: usize = 64;

/// Words that are no name without quotes, in one dialect at least.
const RESERVED: &str = "\
    accessible add all alter analyze and as asc asensitive autoincrement before between bigint binary blob both by call cascade case change \
    char character check collate column commit condition constraint continue convert create cross cube cume_dist current_date current_role \
    current_time current_timestamp current_user cursor database databases day_hour day_microsecond day_minute day_second dec decimal \
    declare default deferrable delayed delete dense_rank desc describe deterministic distinct distinctrow div do_domain_ids double drop \
    dual each else elseif empty enclosed escape escaped except exists exit explain false fetch first_value float float4 float8 for force \
    foreign from fulltext function general generated get glob grant group grouping groups having high_priority hour_microsecond \
    hour_minute hour_second if ignore ignore_domain_ids ignore_server_ids in index infile inner inout insensitive insert int int1 int2 \
    int3 int4 int8 integer intersect interval into io_after_gtids io_before_gtids is isnull iterate join json_table key keys kill lag \
    last_value lateral lead leading leave left library like limit linear lines load localtime localtimestamp lock long longblob longtext \
    loop low_priority manual master_bind master_heartbeat_period master_ssl_verify_server_cert match maxvalue mediumblob mediumint \
    mediumtext middleint minute_microsecond minute_second mod modifies natural no_write_to_binlog not nothing notnull nth_value ntile \
    null numeric of offset on optimize optimizer_costs option optionally or order out outer outfile over page_checksum parallel \
    parse_vcol_expr partition percent_rank portion precision primary procedure purge qualify range rank read read_write reads real \
    recursive ref_system_id references regexp release rename repeat replace require resignal restrict return returning revoke right rlike \
    row row_number rows rownum schema schemas second_microsecond select sensitive separator set show signal slow smallint spatial \
    specific sql sql_big_result sql_calc_found_rows sql_small_result sqlexception sqlstate sqlwarning ssl starting \
    stats_auto_recalc stats_persistent stats_sample_pages stored straight_join sysdate system system_user table tablesample terminated \
    then tinyblob tinyint tinytext to trailing transaction trigger true undo union unique unlock unsigned update usage use using utc_date \
    utc_time utc_timestamp values varbinary varchar varcharacter varying vector virtual when where while window with write xor \
    year_month zerofill";

/// A name as it stands in a statement: in quotes where it needs them.
pub fn quoted(name: &str, dialect: Dialect) -> String {
    let is_plain = name.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
        && name.chars().all(|sign| sign.is_alphanumeric() || sign == '_')
        && !RESERVED.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name))
        && !super::functions::is_forbidden_word(&name.to_ascii_lowercase());
    if is_plain { name.to_owned() } else { in_quotes(name, dialect) }
}

pub(super) fn in_quotes(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
        Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The table that is meant: its name with or without quotes and with or without one of `schemas` before it, as in a
/// statement; and also the bare name of a table that would need quotes there.
pub fn table_name(text: &str, dialect: Dialect, schemas: &[&str]) -> Result<String, Denied> {
    let text = text.trim();
    let tokens = Tokenizer::new(grammar(dialect), text).tokenize().unwrap_or_default();
    let table = match &tokens[..] {
        [table] => name(table),
        [schema, Token::Period, table] => match (name(schema), name(table)) {
            (Some(schema), Some(_)) if !is_schema(schema, dialect, schemas) => return Err(Denied::Schema { name: schema.to_owned() }),
            (Some(_), table) => table,
            (None, _) => None,
        },
        _ => None,
    };
    let bare = || schemas.iter().find_map(|schema| text.strip_prefix(schema)?.strip_prefix('.')).unwrap_or(text);
    let table = table.unwrap_or_else(bare);
    let is_name = !table.is_empty() && table.chars().count() <= SIGNS_MAX && !table.chars().any(char::is_control);
    if is_name && !is_system_table(table) { Ok(table.to_owned()) } else { Err(Denied::Table { name: clip(table, SIGNS_MAX) }) }
}

fn name(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(&word.value),
        Token::DoubleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// The statement with the schema's own name, the first of `schemas`, at each of `places`. It is checked again.
pub(super) fn renamed(statement: &str, places: &[Span], dialect: Dialect, schemas: &[&str]) -> Result<String, Denied> {
    let (Some(own), false) = (schemas.first(), places.is_empty()) else { return Ok(statement.to_owned()) };
    let text = edited(statement, places.iter().map(|place| (*place, in_quotes(own, dialect))).collect());
    check(&text, dialect, &[own]).map(|_| text)
}

/// The statement with other text at some places.
pub(super) fn edited(statement: &str, mut edits: Vec<(Span, String)>) -> String {
    edits.sort();
    edits.dedup();
    let mut text = String::with_capacity(statement.len());
    let mut here = Location::new(1, 1);
    let mut behind = here;
    let mut edits = edits.into_iter().peekable();
    for sign in statement.chars() {
        while let Some((place, instead)) = edits.next_if(|(place, _)| place.start == here) {
            text += &instead;
            behind = place.end;
        }
        if here >= behind {
            text.push(sign);
        }
        here = if sign == '\n' { Location::new(here.line + 1, 1) } else { Location::new(here.line, here.column + 1) };
    }
    text
}
