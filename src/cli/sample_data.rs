//! `framewright sample-data`: the sample database as SQL, to be loaded into a server.

use super::{Failure, sql_check};
use crate::contract::Dialect;
use crate::work::database::sample;
use std::io::{self, Write};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Whose SQL it is: mysql (MariaDB too) or sqlite
    #[arg(long, value_name = "NAME", default_value = "mysql", value_parser = sql_check::dialect)]
    dialect: Dialect,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(sample::sql(arguments.dialect).as_bytes()).and_then(|()| out.flush()).map_err(Failure::unavailable)
}
