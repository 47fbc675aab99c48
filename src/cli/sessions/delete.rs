//! `framewright sessions delete`: one session or all of a user, complete.

use super::journal::{self, Place};
use super::readable::counted;
use super::{Failure, audited};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::journal::Name;
use crate::store::Deleted;

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Session to delete
    #[arg(required_unless_present = "all_of_user", conflicts_with = "all_of_user")]
    session: Option<String>,
    /// User whose session it is [default: anonymous]
    #[arg(long, value_name = "NAME", conflicts_with = "all_of_user")]
    user: Option<String>,
    /// Delete all sessions of this user
    #[arg(long, value_name = "NAME")]
    all_of_user: Option<String>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

/// What a deletion can't reach.
const LEFT: &str = "not deleted, if there are any: backups, exports, logs, the audit log, traces at a collector, recordings of tests";
/// And on a database server.
const LEFT_ON_A_SERVER: &str =
    "the database server's own logs and backups, and sessions in the memory of other framewright servers until they leave it";

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let audit = place.audit.as_deref();
    audited::check(audit)?;
    let mut store = place.writer()?;
    let (user, what, deleted) = match (&options.session, &options.all_of_user) {
        (Some(session), _) => {
            let name = Name { user: options.user.as_deref().unwrap_or(ANONYMOUS).to_owned(), session: session.clone() };
            journal::session(&mut *store, &name)?;
            let deleted = store.delete(&name).map_err(Failure::unavailable)?;
            let what = format!("session `{session}` of user `{}`", name.user);
            (name.user, what, deleted)
        }
        (None, Some(user)) => {
            if journal::sessions(&mut *store, Some(user))?.is_empty() {
                return Err(Failure::unavailable(format!("user `{user}` has no sessions in the journal: nothing to delete")));
            }
            let again = |error| Failure::unavailable(format!("{error}\nnot all is deleted: run the command again"));
            (user.clone(), format!("all sessions of user `{user}`"), store.delete_user(user).map_err(again)?)
        }
        (None, None) => return Err(Failure::usage("name a session, or a user with --all-of-user")),
    };
    let Deleted { sessions, turns, records, .. } = deleted;
    let (sessions, turns) = (counted(sessions, "session", "sessions"), counted(turns, "turn", "turns"));
    let records = counted(records, "record", "records");
    audited::note(audit, "sessions_delete", Some(&user), format!("{what}: {sessions}, {turns}"))?;
    println!("deleted {what}: {sessions}, {turns}, {records}");
    println!("{LEFT}{}", if place.is_on_a_database_server() { format!("; {LEFT_ON_A_SERVER}") } else { String::new() });
    Ok(())
}
