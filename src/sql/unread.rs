//! What MySQL reads and the gate's parser doesn't: named in a refusal, with what says the same.

use super::{Denied, grammar, is_word, tokens};
use crate::contract::Dialect;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// A function, words in a row within its parentheses, and what to write instead.
const UNREAD: &[(&str, &[&str], &str)] = &[
    ("CHAR", &["USING"], "CONVERT(CHAR(…) USING …)"),
    ("WEIGHT_STRING", &["AS"], "WEIGHT_STRING(LEFT(…, n))"),
    ("COLUMN_GET", &["AS"], "JSON_VALUE(COLUMN_JSON(…), '$.name')"),
    ("JSON_VALUE", &["RETURNING"], "CAST(JSON_VALUE(…) AS …)"),
    ("JSON_VALUE", &["ON", "EMPTY"], "COALESCE(JSON_VALUE(…), …)"),
    ("JSON_VALUE", &["ON", "ERROR"], "JSON_VALUE(…) alone, which is NULL then"),
    ("TRIM", &["LEADING", "FROM"], "LTRIM(…)"),
    ("TRIM", &["TRAILING", "FROM"], "RTRIM(…)"),
    ("TRIM", &["BOTH", "FROM"], "TRIM(…)"),
];

/// A better reason why a statement can't be read, if there is one.
pub(super) fn explained(why: Denied, statement: &str, dialect: Dialect) -> Denied {
    let is_of_grammar = matches!(why, Denied::Unreadable { .. } | Denied::Word { .. }) && dialect == Dialect::Mysql;
    let tokens = if is_of_grammar { tokens(statement, dialect, grammar(dialect)).unwrap_or_default() } else { Vec::new() };
    found(&tokens).unwrap_or(why)
}

fn found(tokens: &[TokenWithSpan]) -> Option<Denied> {
    // The function before each open parenthesis.
    let mut within = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => within.push(place.checked_sub(1).map(|before| &tokens[before])),
            Token::RParen => drop(within.pop()),
            Token::Word(_) => {
                let Some(Some(called)) = within.last() else { continue };
                let is_here = |(function, words, _): &&(&str, &[&str], &str)| {
                    let here = tokens[place..].iter().zip(*words).filter(|(token, word)| is_word(token, &[word])).count();
                    is_word(called, &[function]) && here == words.len()
                };
                if let Some((function, words, instead)) = UNREAD.iter().find(is_here) {
                    return Some(Denied::Unread { function, words: words.join(" "), instead });
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::contract::Dialect;
    use crate::sql::{Denied, check};

    #[test]
    fn names_what_only_the_parser_does_not_know_and_what_to_write() {
        for (statement, means) in [
            ("SELECT CHAR(77, 121 USING utf8mb4)", "SELECT CONVERT(CHAR(77, 121) USING utf8mb4)"),
            ("SELECT WEIGHT_STRING(LOWER('a') AS CHAR(4))", "SELECT WEIGHT_STRING(LEFT(LOWER('a'), 4))"),
            ("SELECT COLUMN_GET(d, 'a' AS CHAR) FROM t", "SELECT JSON_VALUE(COLUMN_JSON(d), '$.a') FROM t"),
            ("SELECT json_value(d, '$.a' returning SIGNED) FROM t", "SELECT CAST(JSON_VALUE(d, '$.a') AS SIGNED) FROM t"),
            ("SELECT JSON_VALUE(d, '$.a' DEFAULT '0' ON EMPTY) FROM t", "SELECT COALESCE(JSON_VALUE(d, '$.a'), '0') FROM t"),
            ("SELECT JSON_VALUE(d, '$.a' NULL ON ERROR) FROM t", "SELECT JSON_VALUE(d, '$.a') FROM t"),
            ("SELECT TRIM(LEADING FROM a) FROM t", "SELECT LTRIM(a) FROM t"),
            ("SELECT TRIM(TRAILING FROM a) FROM t", "SELECT RTRIM(a) FROM t"),
            ("SELECT TRIM(BOTH FROM a) FROM t", "SELECT TRIM(a) FROM t"),
        ] {
            let why = check(statement, Dialect::Mysql, &[]).unwrap_err();
            assert!(matches!(why, Denied::Unread { .. }), "{statement}: {why}");
            assert!(check(means, Dialect::Mysql, &[]).is_ok(), "{means}");
        }
        let why = check("SELECT CHAR(77 USING utf8mb4)", Dialect::Mysql, &[]).unwrap_err().to_string();
        assert_eq!(why, "the gate can't read `USING` in `CHAR(…)`: write CONVERT(CHAR(…) USING …) instead");
        for other in
            ["SELECT CHAR(77), FROM t", "SELECT CONVERT(CHAR(77), x y", "DELETE FROM t RETURNING id", "SELECT `CHAR`(77) RETURNING"]
        {
            let why = check(other, Dialect::Mysql, &[]).unwrap_err();
            assert!(!matches!(why, Denied::Unread { .. }), "{other}: {why}");
        }
    }
}
