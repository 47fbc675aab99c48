//! The shard's one timer. Setting it again for later costs nothing: the loop's timer keeps its earlier moment, and is set
//! anew when it comes.

use super::driver::{Driver, Machine};
use crate::contract::Moment;
use crate::shard::event::Event;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Alarm {
    wanted: Cell<Option<Moment>>,
    /// What the loop's timer is set to.
    armed: Cell<Option<Moment>>,
    waker: RefCell<Option<Waker>>,
}

impl Alarm {
    pub(super) fn set(&self, moment: Moment) {
        self.wanted.set(Some(moment));
        if self.armed.get().is_none_or(|armed| moment < armed)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }
}

/// Feeds [`Event::Time`] when the moment has come.
pub(super) async fn ring<M: Machine>(driver: Rc<Driver<M>>) {
    let alarm = &driver.alarm;
    let mut sleep = pin!(monoio::time::sleep(Duration::ZERO));
    poll_fn(|context| {
        alarm.waker.borrow_mut().get_or_insert_with(|| context.waker().clone());
        while let Some(wanted) = alarm.wanted.get() {
            if alarm.armed.get().is_none_or(|armed| wanted < armed) {
                sleep.as_mut().reset(driver.clock.instant(wanted).into());
                alarm.armed.set(Some(wanted));
            }
            if sleep.as_mut().poll(context).is_pending() {
                break;
            }
            alarm.armed.set(None);
            if wanted <= driver.clock.now().moment {
                alarm.wanted.set(None);
                driver.feed(Event::Time);
            }
        }
        Poll::<()>::Pending
    })
    .await;
}
