//! The checks of `framewright doctor`, over HTTP: on a thread of their own, since some wait for the network, and one at a time.

use super::mailbox::{Letter, Mailbox};
use crate::contract::{Code, Refusal};
use crate::shard::event::{JobOutcome, Ticket};
use crate::shard::operation::Reply;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Checks everything and returns the report. Whoever starts the server hands it in.
pub type Check = dyn Fn() -> Value + Send + Sync;

#[derive(Clone)]
pub(super) struct Doctor {
    check: Option<Arc<Check>>,
    is_running: Arc<AtomicBool>,
}

const NONE: Refusal = Refusal::new(Code::Unavailable, "this server was started without its checks: run `framewright doctor`");
const RUNNING: Refusal = Refusal::new(Code::DoctorRunning, "the checks run already: wait for their end");
const NO_THREAD: Refusal = Refusal::new(Code::Unavailable, "the system refuses a thread for the checks: try again later");
const BROKEN: Refusal = Refusal::new(Code::Unavailable, "the checks broke off: see the log");

impl Doctor {
    pub(super) fn new(check: Option<Arc<Check>>) -> Doctor {
        Doctor { check, is_running: Arc::default() }
    }

    /// Begins the checks, or says why not; their report comes as a letter.
    pub(super) fn start(&self, mailbox: Arc<Mailbox>, ticket: Ticket) -> Result<(), Refusal> {
        let check = self.check.clone().ok_or(NONE)?;
        if self.is_running.swap(true, Ordering::AcqRel) {
            return Err(RUNNING);
        }
        let over = Over(self.is_running.clone());
        let work = move || {
            let report = catch_unwind(AssertUnwindSafe(|| check()));
            drop(over);
            let reply = report.map_or_else(|_| Reply::from(BROKEN), |report| Reply::ok(&report));
            // A shard that has ended waits for nothing.
            drop(mailbox.put(Letter::JobDone { ticket, outcome: JobOutcome::Reply(reply) }));
        };
        thread::Builder::new().name("doctor".to_owned()).spawn(work).map(drop).map_err(|_| NO_THREAD)
    }
}

/// Checks that are over when this is dropped.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    fn replies(mailbox: &Mailbox) -> Vec<(u64, u16)> {
        let mut replies = Vec::new();
        while replies.is_empty() {
            for letter in mailbox.take() {
                if let Letter::JobDone { ticket, outcome: JobOutcome::Reply(reply) } = letter {
                    replies.push((ticket.0, reply.status));
                }
            }
            thread::yield_now();
        }
        replies
    }

    #[test]
    fn one_runs_at_a_time_and_one_that_breaks_makes_way() {
        let (go, waits) = channel();
        let waits: Mutex<Receiver<bool>> = Mutex::new(waits);
        let check = move || {
            let breaks = waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv().unwrap();
            if breaks {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            json!({ "checks": [] })
        };
        let (doctor, mailbox) = (Doctor::new(Some(Arc::new(check))), Arc::new(Mailbox::default()));
        assert_eq!(doctor.start(mailbox.clone(), Ticket(1)), Ok(()));
        assert_eq!(doctor.start(mailbox.clone(), Ticket(2)).unwrap_err().code, Code::DoctorRunning);
        go.send(true).unwrap();
        assert_eq!(replies(&mailbox), [(1, 503)]);
        assert_eq!(doctor.start(mailbox.clone(), Ticket(3)), Ok(()));
        go.send(false).unwrap();
        assert_eq!(replies(&mailbox), [(3, 200)]);
        assert_eq!(Doctor::new(None).start(mailbox, Ticket(4)).unwrap_err().code, Code::Unavailable);
    }
}
