//! How long a worker waits for a model's next word.
//!
//! ureq knows one limit for every read of an agent. A model that is being loaded may be silent far longer before its first
//! word than between two, and a comment that only keeps the line open is no word. So the moment until which reads may
//! wait is kept here and moved as the answer comes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

/// Shared by a worker and the connections of its agent.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadDeadline(Arc<Mutex<Option<Instant>>>);

impl ReadDeadline {
    /// Reads end with a time-out at `moment`, whatever comes before it.
    pub(super) fn until(&self, moment: Instant) {
        *self.0.lock().expect("nothing panics while it holds this lock") = Some(moment);
    }

    fn left(&self) -> Option<Duration> {
        let until = *self.0.lock().expect("nothing panics while it holds this lock");
        until.map(|until| until.saturating_duration_since(Instant::now()))
    }
}

impl<In: Transport> Connector<In> for ReadDeadline {
    type Out = Limited<In>;

    fn connect(&self, _details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|transport| Limited { transport, deadline: self.clone() }))
    }
}

#[derive(Debug)]
pub(super) struct Limited<T> {
    transport: T,
    deadline: ReadDeadline,
}

impl<T: Transport> Transport for Limited<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.transport.transmit_output(amount, self.deadline.shorten(timeout)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(self.deadline.shorten(timeout)?)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

impl ReadDeadline {
    fn shorten(&self, timeout: NextTimeout) -> Result<NextTimeout, Error> {
        match self.left() {
            Some(Duration::ZERO) => Err(Error::Timeout(Timeout::PerRead)),
            Some(left) if *timeout.after > left => Ok(NextTimeout { after: left.into(), reason: Timeout::PerRead, ..timeout }),
            Some(_) | None => Ok(timeout),
        }
    }
}
