//! The gate: whether a statement that a model wrote only reads, and only what it may read.
//!
//! Two readers look at every statement, and both have to agree. [`scan`] reads its signs and words as the database's own
//! lexer would and refuses what no reading needs; then a parser makes a tree of it and [`walk`] goes through the whole tree
//! with lists of what is allowed. The tree is checked, the original text is sent, in which at most the name that settings give
//! to the database is replaced with its own. What is in no list is refused.
//!
//! Invariants: a statement that passes is one `SELECT`, a combination of them, or (for MySQL) a look at the schema; every
//! table it names is in the one schema; every function it calls is in [`functions`]; checking takes bounded time and stack.

mod denied;
mod functions;
mod grouping;
mod names;
mod recursion;
mod scan;
mod unread;
mod walk;

pub use denied::Denied;
pub use grouping::{Known, check_grouping};
pub use names::{quoted, table_name};
pub use recursion::STEP;

use crate::contract::Dialect;
use functions::is_system_schema;
use sqlparser::ast::Statement;
use sqlparser::dialect::{Dialect as Grammar, MySqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// What a statement that may be sent reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Each table once, as written, without the schema's name.
    pub tables: Vec<String>,
    /// What to send: the statement as written, but with the schema under its own name.
    pub statement: String,
}

/// How deep expressions and queries may be nested; keeps the parser's stack small.
const DEPTH_MAX: usize = 24;

/// The stack that checking any statement takes at most, in a build without optimisation.
pub const STACK_BYTES: usize = 1 << 20;

/// Reads `statement` and says what it reads, or why it can't be sent. One of `schemas` may stand before a table's name, no
/// other: the first is the database's own name, the others are what settings call it.
pub fn check(statement: &str, dialect: Dialect, schemas: &[&str]) -> Result<Reading, Denied> {
    check_by(grammar(dialect), statement, dialect, schemas)
}

fn check_by(grammar: &dyn Grammar, statement: &str, dialect: Dialect, schemas: &[&str]) -> Result<Reading, Denied> {
    let explained = |why| unread::explained(why, statement, dialect);
    let scanned = scan::scan(statement, dialect).map_err(explained)?;
    let mut statements = parsed(statement, dialect, grammar).map_err(explained)?;
    let (Some(parsed), true) = (statements.pop(), statements.is_empty()) else { return Err(Denied::Several) };
    let walked = walk::walk(&parsed, dialect, schemas)?;
    // Whatever stands before a parenthesis was seen as a call, a declared name or a word of the grammar by both readers.
    match scanned.calls.into_iter().find(|call| !functions::may_stand_before_parenthesis(call, dialect) && !walked.declares(call)) {
        Some(name) => Err(Denied::Function { name }),
        None => names::renamed(statement, &walked.renamed, dialect, schemas).map(|statement| Reading { tables: walked.tables, statement }),
    }
}

/// A statement that passed the gate, for SQLite: each recursion in it calls [`STEP`] for each row from which it goes on.
pub fn counting(statement: &str, schemas: &[&str]) -> Result<String, Denied> {
    let mut counters = Vec::new();
    if statement.to_lowercase().contains("with") {
        let parsed = parsed(statement, Dialect::Sqlite, grammar(Dialect::Sqlite))?;
        for query in parsed.iter().filter(|parsed| matches!(parsed, Statement::Query(_))) {
            counters.extend(walk::walk(query, Dialect::Sqlite, schemas)?.counters);
        }
    }
    Ok(names::edited(statement, counters))
}

fn parsed(statement: &str, dialect: Dialect, grammar: &dyn Grammar) -> Result<Vec<Statement>, Denied> {
    let tokens = tokens(statement, dialect, grammar)?;
    let mut parser = Parser::new(grammar).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    parser.parse_statements().map_err(|error| Denied::unreadable(dialect, &error.to_string()))
}

fn grammar(dialect: Dialect) -> &'static dyn Grammar {
    match dialect {
        Dialect::Mysql => &MySqlDialect {},
        Dialect::Sqlite => &SQLiteDialect {},
    }
}

/// The tokens of a statement without blanks and comments: each blank is a token of its own, and looking ahead would
/// skip all of them again.
fn tokens(statement: &str, dialect: Dialect, grammar: &dyn Grammar) -> Result<Vec<TokenWithSpan>, Denied> {
    let tokens = Tokenizer::new(grammar, statement).tokenize_with_location();
    let mut tokens = tokens.map_err(|error| Denied::unreadable(dialect, &error.message))?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    if dialect == Dialect::Mysql {
        for place in 0..tokens.len() {
            let is_call = tokens.get(place + 1).is_some_and(|next| next.token == Token::LParen);
            plain(&mut tokens[place].token, is_call);
        }
        // It has the grammar of `SHOW COLUMNS`.
        if let [show, what, ..] = &mut tokens[..]
            && is_word(show, &["SHOW"])
            && is_word(what, &["INDEX", "INDEXES", "KEYS"])
        {
            what.token = Token::make_keyword("COLUMNS");
        }
        // The form that is shown without being asked for, and unknown to the parser.
        if let [explain, format, equals, form, ..] = &mut tokens[..]
            && is_word(explain, &["EXPLAIN", "DESCRIBE", "DESC"])
            && is_word(format, &["FORMAT"])
            && equals.token == Token::Eq
            && is_word(form, &["TRADITIONAL"])
        {
            form.token = Token::make_keyword("TREE");
        }
    }
    Ok(tokens)
}

fn is_word(token: &TokenWithSpan, words: &[&str]) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && words.iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
}

/// What the parser doesn't know of MySQL, as its next of kin: a unit of time in two parts, `!`, and `MOD` between two.
fn plain(token: &mut Token, is_call: bool) {
    const UNITS: &[&str] = &[
        "YEAR_MONTH",
        "DAY_HOUR",
        "DAY_MINUTE",
        "DAY_SECOND",
        "DAY_MICROSECOND",
        "HOUR_MINUTE",
        "HOUR_SECOND",
        "HOUR_MICROSECOND",
        "MINUTE_SECOND",
        "MINUTE_MICROSECOND",
        "SECOND_MICROSECOND",
    ];
    if *token == Token::ExclamationMark {
        *token = Token::make_keyword("NOT");
        return;
    }
    let Token::Word(word) = token else { return };
    if word.quote_style.is_some() {
        return;
    }
    if word.value.eq_ignore_ascii_case("MOD") && !is_call {
        *token = Token::Mod;
    } else if UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(&word.value)) {
        *token = Token::make_keyword("SECOND");
    }
}

/// Whether a name before a table's means the one schema.
fn is_schema(name: &str, dialect: Dialect, schemas: &[&str]) -> bool {
    let is_known = match dialect {
        Dialect::Mysql => schemas.contains(&name),
        Dialect::Sqlite => ["main"].iter().chain(schemas).any(|schema| schema.eq_ignore_ascii_case(name)),
    };
    is_known && !is_system_schema(name)
}

#[cfg(test)]
mod tests;
