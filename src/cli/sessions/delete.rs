//! `framewright sessions delete`: one session or all of a user, complete.

use super::journal::{self, Place};
use super::readable::counted;
use super::{Failure, audited, tell};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::journal::Name;
use crate::shard::audit::Record;
use crate::shard::identity::Key;
use crate::store::{Deleted, Store};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Session to delete
    #[arg(conflicts_with = "all_of_user")]
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

const BESIDE: &str = "while a server runs on the journal, users delete their data with `POST /api/me/delete`";

/// What is to be deleted.
enum What {
    Session(Name),
    User(String),
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let (what, audit) = (what(options)?, place.audit.as_deref());
    audited::check(audit)?;
    let mut store = place.writer(BESIDE)?;
    let deleted = delete(&mut *store, &what)?;
    compact(&mut *store);
    let Deleted { sessions, turns, records, .. } = deleted;
    let sessions = format!("{}, {}", counted(sessions, "session", "sessions"), counted(turns, "turn", "turns"));
    let (user, session, said) = match what {
        What::Session(Name { user, session }) => {
            let key = Key { sub: user.as_str().into(), id: session.as_str().into() };
            (user.clone(), Some(key.hashed().into()), format!("session `{session}` of user `{user}`"))
        }
        What::User(user) => (user.clone(), None, format!("all sessions of user `{user}`")),
    };
    audited::note(audit, &Record { user: Some(user.into()), session, ..audited::record("sessions_delete", sessions.clone()) })?;
    println!("deleted {said}: {sessions}, {}", counted(records, "record", "records"));
    println!("{LEFT}{}", if place.is_on_a_database_server() { format!("; {LEFT_ON_A_SERVER}") } else { String::new() });
    Ok(())
}

/// Gives the space back. What was to be deleted is deleted, whether that succeeds or not.
fn compact(store: &mut dyn Store) {
    loop {
        match store.compact() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tell(format_args!("warning: the journal's file can't be made smaller now: {error}")),
        }
    }
}

fn what(options: &Options) -> Result<What, Failure> {
    match (&options.session, &options.all_of_user) {
        (Some(session), _) => {
            let user = options.user.as_deref().unwrap_or(ANONYMOUS).to_owned();
            Ok(What::Session(Name { user, session: session.clone() }))
        }
        (None, Some(user)) => Ok(What::User(user.clone())),
        (None, None) => Err(Failure::usage("nothing to delete: name a session, or a user with --all-of-user")),
    }
}

fn delete(store: &mut dyn Store, what: &What) -> Result<Deleted, Failure> {
    match what {
        What::Session(name) => {
            journal::session(store, name)?;
            store.delete(name).map_err(Failure::unavailable)
        }
        What::User(user) => {
            if journal::sessions(store, Some(user))?.is_empty() {
                return Err(Failure::unavailable(format!("user `{user}` has no sessions in the journal: nothing to delete")));
            }
            let again = |error| Failure::unavailable(format!("{error}\nnot all is deleted: run the command again"));
            store.delete_user(user).map_err(again)
        }
    }
}
