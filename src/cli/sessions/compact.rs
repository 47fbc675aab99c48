//! `framewright sessions compact`: rewrites the journal's file without the space that deletions left.

use super::Failure;
use super::journal::Place;
use super::readable::number;
use crate::config::Arguments;

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let mut store = place.file_writer()?;
    let before = place.file_bytes()?;
    store.rebuild().map_err(Failure::unavailable)?;
    println!("the journal's file has {} bytes; before, it had {}", number(place.file_bytes()?), number(before));
    Ok(())
}
