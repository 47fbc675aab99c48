//! A dialect that counts how often the parser asks it: for every value, query and table at least once.

use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use std::any::TypeId;
use std::cell::Cell;

#[derive(Debug)]
pub(super) struct Counting {
    pub(super) inner: &'static dyn Dialect,
    pub(super) steps: Cell<usize>,
}

impl Counting {
    fn inner(&self) -> &'static dyn Dialect {
        self.steps.set(self.steps.get() + 1);
        self.inner
    }
}

/// Methods that the dialects have of their own, or that count.
macro_rules! passes_on {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { self.inner().$name() })* };
}

impl Dialect for Counting {
    passes_on! {
        ignores_wildcard_escapes require_interval_qualifier requires_single_line_comment_whitespace
        supports_asc_desc_in_column_definition supports_binary_kw_as_cast supports_bitwise_shift_operators
        supports_comma_separated_set_assignments supports_comma_separated_trim supports_comment_optimizer_hint
        supports_constraint_keyword_without_name supports_create_table_select supports_cross_join_constraint
        supports_data_type_signed_suffix supports_dollar_placeholder supports_double_ampersand_operator
        supports_filter_during_aggregation supports_from_first_select supports_geometric_types supports_group_by_with_modifier
        supports_in_empty_list supports_insert_set supports_key_column_option supports_left_associative_joins_without_parens
        supports_limit_comma supports_match_against supports_multiline_comment_hints supports_notnull_operator
        supports_numeric_literal_underscores supports_numeric_prefix supports_select_modifiers supports_set_names
        supports_start_transaction_modifier supports_string_literal_backslash_escape supports_string_literal_concatenation
        supports_table_hints supports_update_order_by supports_user_host_grantee
    }

    fn dialect(&self) -> TypeId {
        self.inner.dialect()
    }

    fn is_identifier_start(&self, sign: char) -> bool {
        self.inner.is_identifier_start(sign)
    }

    fn is_identifier_part(&self, sign: char) -> bool {
        self.inner.is_identifier_part(sign)
    }

    fn is_delimited_identifier_start(&self, sign: char) -> bool {
        self.inner.is_delimited_identifier_start(sign)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.inner.identifier_quote_style(identifier)
    }

    fn is_reserved_for_identifier(&self, word: Keyword) -> bool {
        self.inner().is_reserved_for_identifier(word)
    }

    fn is_table_factor_alias(&self, explicit: bool, word: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.inner().is_table_factor_alias(explicit, word, parser)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        self.inner().get_next_precedence(parser)
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.inner().parse_prefix(parser)
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        self.inner().parse_infix(parser, expr, precedence)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        self.inner().parse_statement(parser)
    }
}
