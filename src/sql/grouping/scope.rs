//! What names mean: the relations of a `FROM`, and the queries around it.

use super::facts::{Column, Facts};
use super::{Known, lower};
use sqlparser::ast::{Ident, TableAlias};

/// Columns that one `SELECT` can hold, with those of the queries in it.
const COLUMNS_MAX: Column = 5_000;

/// The columns of a table, or of a query as others see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// How many numbers its facts use.
    pub(super) size: Column,
    /// Nothing: not known, so that every name may be a column.
    pub(super) columns: Option<Vec<(String, Column)>>,
    /// Columns that `*` leaves out.
    pub(super) hidden: Vec<(String, Column)>,
    pub(super) facts: Facts,
    /// What tells its rows apart.
    pub(super) rows: Vec<Column>,
}

impl Shape {
    pub(super) fn table(known: &Known) -> Shape {
        let Known::Table { columns, keys } = known else { return Shape::default() };
        let row = count(columns);
        let columns: Vec<(String, Column)> = columns.iter().map(|name| name.to_lowercase()).zip(0..).collect();
        let mut facts = Facts::default();
        facts.add([row], 0..row);
        for key in keys {
            let key: Option<Vec<Column>> = key.iter().map(|name| find(&columns, &name.to_lowercase())).collect();
            facts.add(key.unwrap_or_else(|| vec![row]), [row]);
        }
        let hidden = ["rowid", "_rowid_", "oid"].map(|name| (name.to_owned(), row)).to_vec();
        Shape { size: row + 1, columns: Some(columns), hidden, facts, rows: vec![row] }
    }

    /// Rows of which nothing is known but the names of their columns.
    pub(super) fn plain(names: Vec<String>) -> Shape {
        Shape::table(&Known::Table { columns: names, keys: Vec::new() })
    }

    /// Under the names that stand in parentheses behind an alias.
    pub(super) fn named(mut self, alias: Option<&TableAlias>) -> Shape {
        if let (Some(columns), Some(alias)) = (&mut self.columns, alias) {
            for ((name, _), new) in columns.iter_mut().zip(&alias.columns) {
                *name = lower(&new.name);
            }
        }
        self
    }
}

pub(super) fn count<T>(list: &[T]) -> Column {
    Column::try_from(list.len()).expect("a statement and a table have bounds far below this")
}

fn find(columns: &[(String, Column)], name: &str) -> Option<Column> {
    columns.iter().find(|(known, _)| known == name).map(|(_, column)| *column)
}

/// A relation in `FROM`.
#[derive(Debug)]
pub(super) struct Named {
    name: Option<String>,
    pub(super) columns: Option<Vec<(String, Column)>>,
    hidden: Vec<(String, Column)>,
}

impl Named {
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    pub(super) fn find(&self, name: &str) -> Option<Column> {
        self.columns.as_deref().and_then(|columns| find(columns, name)).or_else(|| find(&self.hidden, name))
    }
}

/// One `SELECT` while it is looked at.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Named>,
    pub(super) size: Column,
    pub(super) facts: Facts,
    pub(super) rows: Vec<Column>,
    /// The names of what it selects.
    pub(super) aliases: Vec<String>,
    /// An aggregate stands in it, or belongs to it and stands in a query further in.
    pub(super) is_aggregated: bool,
}

impl Scope {
    /// A relation in `FROM`. When there is no room for it, its columns are not known.
    pub(super) fn add(&mut self, shape: Shape, name: Option<String>) {
        let shape = if self.size + shape.size > COLUMNS_MAX { Shape::default() } else { shape };
        let first = self.size;
        let moved = |columns: Vec<(String, Column)>| columns.into_iter().map(|(name, column)| (name, column + first)).collect();
        self.size += shape.size;
        self.facts.extend(&shape.facts, first);
        self.rows.extend(shape.rows.iter().map(|column| column + first));
        self.relations.push(Named { name, columns: shape.columns.map(moved), hidden: moved(shape.hidden) });
    }

    /// A number for something that is no column of a relation.
    pub(super) fn fresh(&mut self) -> Column {
        self.size += 1;
        self.size - 1
    }

    /// What a name means in this scope; nothing: it means something further out, if anything.
    fn find(&self, qualifier: Option<&str>, name: &str) -> Option<Meaning> {
        let of = |relation: &&Named| qualifier.is_none_or(|qualifier| relation.is_called(qualifier));
        let found = self.relations.iter().filter(of).find_map(|relation| relation.find(name));
        let is_open = || self.relations.iter().filter(of).any(|relation| qualifier.is_some() || relation.columns.is_none());
        let is_alias = || qualifier.is_none() && self.aliases.iter().any(|alias| alias == name);
        match found {
            Some(column) => Some(Meaning::Column(column)),
            None => (is_open() || is_alias()).then_some(Meaning::Unknown),
        }
    }
}

enum Meaning {
    Column(Column),
    /// An alias, or perhaps a column of a relation whose columns aren't known.
    Unknown,
}

/// A column that a query names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The scope that it belongs to, counted from the outermost.
    pub(super) level: usize,
    pub(super) column: Column,
    /// As it is written.
    pub(super) name: String,
}

/// What a name means, from the inside out.
pub(super) fn resolved(scopes: &[Scope], parts: &[Ident]) -> Option<Reference> {
    let (qualifier, column) = match parts {
        [column] => (None, column),
        [.., table, column] => (Some(lower(table)), column),
        [] => return None,
    };
    let column_name = lower(column);
    let (level, meaning) =
        scopes.iter().enumerate().rev().find_map(|(level, scope)| Some((level, scope.find(qualifier.as_deref(), &column_name)?)))?;
    match meaning {
        Meaning::Column(column) => {
            let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
            Some(Reference { level, column, name })
        }
        Meaning::Unknown => None,
    }
}
