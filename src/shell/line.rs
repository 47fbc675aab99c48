//! A connection as its shard sees it: when its patience ends, and how to end it.
//!
//! A read is never dropped: the loop could lose what it has already read. It is cancelled instead, and comes back.

use crate::contract::Time;
use monoio::BufResult;
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{CancelHandle, CancelableAsyncReadRent, CancelableAsyncWriteRent, Canceller};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

#[derive(Default)]
pub(super) struct Line {
    /// When it is cut unless something happens before; nothing: never.
    due: Cell<Option<Time>>,
    canceller: RefCell<Canceller>,
    cut: Cell<bool>,
}

impl Line {
    pub(super) fn set_due(&self, due: Option<Time>) {
        self.due.set(due);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// Ends whatever is under way on it; nothing begins any more.
    pub(super) fn cut(&self) {
        if !self.cut.replace(true) {
            let canceller = self.canceller.take();
            self.canceller.replace(canceller.cancel());
        }
    }

    fn handle(&self) -> CancelHandle {
        self.canceller.borrow().handle()
    }

    /// Reads some bytes; 0 at the end.
    pub(super) async fn read<B: IoBufMut>(&self, from: &mut impl CancelableAsyncReadRent, buffer: B) -> BufResult<usize, B> {
        if self.is_cut() {
            return (Err(io::ErrorKind::ConnectionAborted.into()), buffer);
        }
        from.cancelable_read(buffer, self.handle()).await
    }

    /// Writes all of it, calling `moved` after each step.
    pub(super) async fn write(
        &self,
        to: &mut impl CancelableAsyncWriteRent,
        bytes: Vec<u8>,
        moved: impl Fn(),
    ) -> (io::Result<()>, Vec<u8>) {
        let (mut bytes, mut written) = (bytes, 0);
        while written < bytes.len() {
            if self.is_cut() {
                return (Err(io::ErrorKind::ConnectionAborted.into()), bytes);
            }
            let (result, slice) = to.cancelable_write(bytes.slice(written..), self.handle()).await;
            bytes = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), bytes),
                Ok(count) => written += count,
                Err(error) => return (Err(error), bytes),
            }
            moved();
        }
        (Ok(()), bytes)
    }
}

/// All connections of a shard.
#[derive(Default)]
pub(super) struct Lines {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, Rc<Line>>>,
}

/// A connection's place among the others; given up when dropped.
pub(super) struct Place {
    lines: Rc<Lines>,
    number: u64,
    pub(super) line: Rc<Line>,
}

impl Lines {
    pub(super) fn enter(self: &Rc<Self>) -> Place {
        let number = self.next.replace(self.next.get() + 1);
        let line = Rc::new(Line::default());
        self.open.borrow_mut().insert(number, line.clone());
        Place { lines: self.clone(), number, line }
    }

    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Cuts those whose patience has ended.
    pub(super) fn cut_overdue(&self, now: Time) {
        let overdue = |line: &&Rc<Line>| line.due.get().is_some_and(|due| due <= now);
        let overdue: Vec<_> = self.open.borrow().values().filter(overdue).cloned().collect();
        overdue.iter().for_each(|line| line.cut());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lines.open.borrow_mut().remove(&self.number);
    }
}
