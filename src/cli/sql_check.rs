//! `framewright sql-check`: the gate on the command line, one statement a line.

use super::Failure;
use crate::contract::Dialect;
use crate::sql;
use std::io::{self, BufRead, Write};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Database whose name may stand before a table's
    #[arg(long, value_name = "NAME", default_value = "eras2_production")]
    schema: String,
    /// Whose SQL it is: mysql (MariaDB too) or sqlite
    #[arg(long, value_name = "NAME", default_value = "mysql", value_parser = dialect)]
    dialect: Dialect,
}

pub(super) fn dialect(name: &str) -> Result<Dialect, String> {
    match name.to_lowercase().as_str() {
        "mysql" | "mariadb" => Ok(Dialect::Mysql),
        "sqlite" => Ok(Dialect::Sqlite),
        _ => Err("choose mysql or sqlite".to_owned()),
    }
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    answer(&arguments, io::stdin().lock(), io::stdout().lock()).map_err(Failure::unavailable)
}

/// A line `allow` or `deny: <why>` for each line, which is a JSON string.
fn answer(arguments: &Arguments, mut lines: impl BufRead, mut out: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let verdict = match serde_json::from_slice::<String>(&line) {
            Ok(statement) => sql::check(&statement, arguments.dialect, &[&arguments.schema]).map(drop).map_err(|why| why.to_string()),
            Err(error) => Err(format!("the line is not one JSON string ({error})")),
        };
        match verdict {
            Ok(()) => writeln!(out, "allow")?,
            // A denial quotes what was written, which may hold a line end.
            Err(why) => writeln!(out, "deny: {}", why.replace(char::is_control, " "))?,
        }
        out.flush()?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gets_a_line() {
        let arguments = Arguments { schema: "eras2_production".to_owned(), dialect: Dialect::Mysql };
        let mut out = Vec::new();
        let lines = b"\"SELECT 1\"\n\"DROP TABLE x\"\n\n\xff\n[1]\n\"SELECT `a\\nb`(1)\"\n\"SELECT \\u00fc\"";
        answer(&arguments, &lines[..], &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let begins: Vec<&str> = out.lines().map(|line| &line[..line.len().min(20)]).collect();
        let wrong = "deny: the line is no";
        assert_eq!(begins, ["allow", "deny: only reading i", wrong, wrong, wrong, "deny: the function `", "allow"]);
    }
}
