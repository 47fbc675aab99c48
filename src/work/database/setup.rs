//! What a session is given before each question, fitted to what its server has.
//!
//! The server is asked for its variables; no version text is read, since proxies and forks report whatever they like. A
//! variable that a server doesn't have is not set, a limit of its own is only ever lowered, and of its `sql_mode` everything
//! stays but what would make it read a statement in another way than the gate did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is asked for.
pub(super) const QUESTION: &str = "SHOW VARIABLES WHERE Variable_name IN ('sql_mode', 'max_statement_time', 'max_execution_time', \
    'max_recursive_iterations', 'cte_max_recursion_depth', 'lock_wait_timeout', 'group_concat_max_len', 'version')";

/// Added to every `sql_mode`: each turns an answer that would be made up into an error.
const MODES_NEEDED: [&str; 3] = ["ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ENGINE_SUBSTITUTION"];
/// Change what quotes and backslashes mean, or the whole grammar: the gate would have read another statement.
const MODES_REFUSED: [&str; 8] = ["ANSI_QUOTES", "ANSI", "NO_BACKSLASH_ESCAPES", "ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"];
const RECURSION_MAX: u64 = 10_000;
const LOCK_WAIT_SECONDS_MAX: u64 = 5;
/// A shorter `GROUP_CONCAT` is cut by the server.
const GROUP_CONCAT_BYTES_MIN: u64 = 65_536;

/// A server's variables, by name.
pub(super) type Variables = BTreeMap<String, String>;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) variable: &'static str,
    value: String,
    /// Without it answers could be wrong; without the others they come late or at a higher cost.
    pub(super) is_needed: bool,
}

/// Several of them as one statement.
pub(super) fn statement<'a>(assignments: impl IntoIterator<Item = &'a Assignment>) -> String {
    let each: Vec<String> = assignments.into_iter().map(|Assignment { variable, value, .. }| format!("{variable} = {value}")).collect();
    format!("SET SESSION {}", each.join(", "))
}

/// What to set where these are the server's variables, the question has so much time left, and those were refused before.
pub(super) fn fitted(has: &Variables, left: Duration, refused: &BTreeSet<&'static str>) -> Vec<Assignment> {
    let number = |name: &str| has.get(name).and_then(|value| value.parse::<f64>().ok());
    // Zero is no limit.
    let lowered = |name: &str, most: f64| number(name).map(|now| if now > 0.0 { now.min(most) } else { most });
    let milliseconds = (left.as_millis() as f64).max(1.0);
    let limits = [
        ("max_execution_time", lowered("max_execution_time", milliseconds).map(|most| format!("{most:.0}"))),
        ("max_statement_time", lowered("max_statement_time", milliseconds / 1_000.0).map(|most| format!("{most:.3}"))),
        ("cte_max_recursion_depth", lowered("cte_max_recursion_depth", RECURSION_MAX as f64).map(|most| format!("{most:.0}"))),
        ("max_recursive_iterations", lowered("max_recursive_iterations", RECURSION_MAX as f64).map(|most| format!("{most:.0}"))),
        ("lock_wait_timeout", lowered("lock_wait_timeout", LOCK_WAIT_SECONDS_MAX as f64).map(|most| format!("{most:.0}"))),
        (
            "group_concat_max_len",
            number("group_concat_max_len").filter(|now| *now < GROUP_CONCAT_BYTES_MIN as f64).map(|_| GROUP_CONCAT_BYTES_MIN.to_string()),
        ),
    ];
    let limits = limits.into_iter().filter_map(|(variable, value)| Some(Assignment { variable, value: value?, is_needed: false }));
    let mode = has.get("sql_mode").and_then(|now| mode(now)).map(|mode| Assignment {
        variable: "sql_mode",
        value: format!("'{mode}'"),
        is_needed: true,
    });
    mode.into_iter().chain(limits).filter(|assignment| !refused.contains(assignment.variable)).collect()
}

/// The mode to set; nothing where the server's own will do.
fn mode(now: &str) -> Option<String> {
    let modes: Vec<&str> = now.split(',').map(str::trim).filter(|mode| !mode.is_empty()).collect();
    let is = |mode: &str, other: &str| mode.eq_ignore_ascii_case(other);
    let kept = modes.iter().copied().filter(|mode| !MODES_REFUSED.iter().any(|refused| is(mode, refused)));
    let added = MODES_NEEDED.into_iter().filter(|needed| !modes.iter().any(|mode| is(mode, needed)));
    let meant: Vec<&str> = kept.chain(added).collect();
    (meant != modes).then(|| meant.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(has: &[(&str, &str)], left_ms: u64, refused: &[&'static str]) -> String {
        let has = has.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        statement(&fitted(&has, Duration::from_millis(left_ms), &refused.iter().copied().collect()))
    }

    #[test]
    fn sets_what_a_server_has_and_only_tightens() {
        const STRICT: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
        for (what, has, meant) in [
            (
                "MySQL 8",
                &[
                    ("sql_mode", "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"),
                    ("max_execution_time", "0"),
                    ("cte_max_recursion_depth", "1000"),
                    ("lock_wait_timeout", "31536000"),
                    ("group_concat_max_len", "1024"),
                ][..],
                "SET SESSION max_execution_time = 2500, cte_max_recursion_depth = 1000, lock_wait_timeout = 5, group_concat_max_len = 65536",
            ),
            (
                "MySQL 5.7, with a limit of its operator",
                &[("sql_mode", STRICT), ("max_execution_time", "800"), ("lock_wait_timeout", "2")],
                "SET SESSION max_execution_time = 800, lock_wait_timeout = 2",
            ),
            (
                "MariaDB",
                &[
                    ("sql_mode", "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO"),
                    ("max_statement_time", "0.000000"),
                    ("max_recursive_iterations", "4294967295"),
                    ("group_concat_max_len", "1048576"),
                ],
                "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION', \
                 max_statement_time = 2.500, max_recursive_iterations = 10000",
            ),
            (
                "modes that read another language",
                &[("sql_mode", "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH")],
                "SET SESSION sql_mode = 'REAL_AS_FLOAT,PIPES_AS_CONCAT,IGNORE_SPACE,PAD_CHAR_TO_FULL_LENGTH,\
                 ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
            ),
            ("no mode at all", &[("sql_mode", "")], &format!("SET SESSION sql_mode = '{STRICT}'")),
        ] {
            assert_eq!(set(has, 2_500, &[]), meant, "{what}");
        }
        assert_eq!(fitted(&Variables::new(), Duration::ZERO, &BTreeSet::new()), [], "a server that has none of them");
        let refused = [("max_execution_time", "0"), ("lock_wait_timeout", "50")];
        assert_eq!(set(&refused, 0, &["lock_wait_timeout"]), "SET SESSION max_execution_time = 1");
    }
}
