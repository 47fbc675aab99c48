//! Functional dependence: which columns determine which others.
//!
//! A column is a number, counted within one query. A fact says that rows which agree in some columns agree in others.

use std::collections::{BTreeMap, BTreeSet};

pub(super) type Column = u32;

#[derive(Clone, Debug, Default)]
pub(super) struct Facts(Vec<(BTreeSet<Column>, Vec<Column>)>);

impl Facts {
    /// Rows that agree in all of `these` agree in `those`. Without any of `these`, `those` are constants.
    pub(super) fn add(&mut self, these: impl IntoIterator<Item = Column>, those: impl IntoIterator<Item = Column>) {
        self.0.push((these.into_iter().collect(), those.into_iter().collect()));
    }

    /// Takes over the facts of a relation whose columns are counted from `first` here.
    pub(super) fn extend(&mut self, others: &Facts, first: Column) {
        for (these, those) in &others.0 {
            self.add(these.iter().map(|column| column + first), those.iter().map(|column| column + first));
        }
    }

    /// All columns that `known` determine, with themselves.
    pub(super) fn determined(&self, known: impl IntoIterator<Item = Column>) -> BTreeSet<Column> {
        let mut missing: Vec<usize> = self.0.iter().map(|(these, _)| these.len()).collect();
        let mut waiting: BTreeMap<Column, Vec<usize>> = BTreeMap::new();
        for (place, (these, _)) in self.0.iter().enumerate() {
            these.iter().for_each(|column| waiting.entry(*column).or_default().push(place));
        }
        let constants = self.0.iter().filter(|(these, _)| these.is_empty()).flat_map(|(_, those)| those.iter().copied());
        let mut next: Vec<Column> = known.into_iter().chain(constants).collect();
        let mut determined = BTreeSet::new();
        while let Some(column) = next.pop() {
            if !determined.insert(column) {
                continue;
            }
            for place in waiting.remove(&column).into_iter().flatten() {
                missing[place] -= 1;
                if missing[place] == 0 {
                    next.extend(&self.0[place].1);
                }
            }
        }
        determined
    }
}
