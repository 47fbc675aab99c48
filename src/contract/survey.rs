//! What a database holds, as a survey without a model found it: its tables, their columns, and what stands in these.
//!
//! A survey reaches a session as part of what it knows of its databases, so that a replay fills the same prompts.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// In the order of their names.
    pub tables: Vec<SurveyedTable>,
    /// There are more tables than a survey takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedTable {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Nothing where counting would take too long and no statistics say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The number of rows comes from statistics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_estimate: bool,
    pub columns: Vec<SurveyedColumn>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub nullable: bool,
    /// `primary`, `unique`, `index`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The table and column that it refers to: `kunden.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holds>,
}

/// What stands in a column, each value as a statement would write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holds {
    /// All of its values but NULL.
    Values(Vec<String>),
    /// The smallest and the largest.
    Range(String, String),
}

impl std::fmt::Display for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Holds::Values(values) => f.write_str(&values.join(", ")),
            Holds::Range(from, to) if from == to => f.write_str(from),
            Holds::Range(from, to) => write!(f, "{from} to {to}"),
        }
    }
}
