//! shim
use crate::contract::Dialect;
pub struct Reading {
    pub tables: Vec<String>,
}
pub fn check(sql: &str, _d: Dialect, _schema: Option<&str>) -> Result<Reading, String> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    if !words.first().is_some_and(|w| w.eq_ignore_ascii_case("select")) {
        return Err("only SELECT".into());
    }
    let mut tables = Vec::new();
    for pair in words.windows(2) {
        if ["from", "join"].contains(&pair[0].to_lowercase().as_str()) {
            tables.push(pair[1].trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_owned());
        }
    }
    Ok(Reading { tables })
}
