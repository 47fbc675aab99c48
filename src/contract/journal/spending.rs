//! What was spent of a day's budgets, as a journal keeps it.

use super::super::Spent;

/// What one shard of a server has counted of one payer on one day since the server started. Each has its own, so a later count
/// replaces an earlier one, and to keep one twice changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Days since the epoch.
    pub day: u64,
    /// A hash of the user or address.
    pub payer: String,
    /// Which shard of which run of the server counted it.
    pub counted_by: String,
    pub spent: Spent,
}

/// What all shards of all servers have counted of a payer on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentOn {
    /// Days since the epoch.
    pub day: u64,
    pub payer: String,
    pub spent: Spent,
}
