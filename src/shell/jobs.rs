//! Work that may block, on one helper thread: files, the suites folder, starting test suites.

use super::bounds::{JOBS_MAX, RESULTS_FILE_BYTES_MAX};
use super::doctor::Doctor;
use super::files;
use super::mailbox::{Letter, Mailbox};
use super::suites::Runs;
use crate::contract::{Code, Refusal};
use crate::shard::event::{Event, Job, JobOutcome, Mail, Ticket};
use crate::shard::operation::Reply;
use crate::text_file;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Starts jobs; each shard has one, and the helper thread ends with the last of them.
#[derive(Clone)]
pub(super) struct Jobs {
    queue: SyncSender<Waiting>,
    runs: Arc<Runs>,
    doctor: Doctor,
}

struct Waiting {
    mailbox: Arc<Mailbox>,
    ticket: Ticket,
    job: Job,
}

impl Jobs {
    /// `results` is the file with the last test run.
    pub(super) fn new(results: PathBuf, runs: Runs, doctor: Doctor) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(JOBS_MAX);
        let runs = Arc::new(runs);
        let jobs = Jobs { queue, runs: runs.clone(), doctor };
        thread::Builder::new().name("jobs".to_owned()).spawn(move || work(&waiting, &results, &runs))?;
        Ok(jobs)
    }

    /// Starts a job. Where too many wait that is its outcome, returned at once.
    pub(super) fn start(&self, mailbox: &Arc<Mailbox>, ticket: Ticket, job: Job) -> Option<Event<'static>> {
        if job == Job::StopTests {
            // Only raises a flag, and must not wait behind what reads files.
            self.runs.stop();
            return Some(Event::JobDone { ticket, outcome: JobOutcome::Reply(Reply::ok(&json!({}))) });
        }
        if job == Job::Doctor {
            let refusal = self.doctor.start(mailbox.clone(), ticket).err()?;
            return Some(Event::JobDone { ticket, outcome: JobOutcome::Reply(refusal.into()) });
        }
        let waiting = Waiting { mailbox: mailbox.clone(), ticket, job };
        let Err(_) = self.queue.try_send(waiting) else { return None };
        let refusal = Refusal::new(Code::Unavailable, "too many requests for files wait on this server: try again in a moment");
        Some(Event::JobDone { ticket, outcome: JobOutcome::Reply(refusal.into()) })
    }
}

fn work(waiting: &Receiver<Waiting>, results: &Path, runs: &Runs) {
    while let Ok(Waiting { mailbox, ticket, job }) = waiting.recv() {
        let outcome = match job {
            Job::File { name } => JobOutcome::File(files::on_disk(&name)),
            Job::LastRun => JobOutcome::Reply(Reply::ok(&last_run(results).unwrap_or_else(|| json!({})))),
            Job::ListSuites => JobOutcome::Reply(runs.list()),
            Job::StartTests { sub, body, token } => {
                let shard = mailbox.clone();
                let reports = move |report| {
                    shard.put_when_room(Letter::Mail(Mail::Report { sub: sub.clone(), report }));
                    Ok(())
                };
                JobOutcome::Reply(runs.start(&body, token, Arc::new(reports)).unwrap_or_else(Reply::from))
            }
            Job::StopTests | Job::Doctor => unreachable!("done where it is started"),
            Job::Journal(_) => unreachable!("the journal has threads of its own"),
            Job::Call(_) => unreachable!("the pool makes calls"),
        };
        // A shard that has ended waits for nothing.
        drop(mailbox.put(Letter::JobDone { ticket, outcome }));
    }
}

/// The last test run that was written to a file beside the server.
fn last_run(results: &Path) -> Option<Value> {
    serde_json::from_str(&text_file::read(results, RESULTS_FILE_BYTES_MAX).ok()?).ok()
}
