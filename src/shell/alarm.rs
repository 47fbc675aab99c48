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
            // Not this tick's reading: it may be from before the loop slept, and would ring for ever.
            if wanted <= driver.clock.moment() {
                alarm.wanted.set(None);
                driver.feed(Event::Time);
            }
        }
        Poll::<()>::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::super::doctor::Doctor;
    use super::super::driver::Parts;
    use super::super::jobs::Jobs;
    use super::super::listener::Listeners;
    use super::super::mailbox::Mailbox;
    use super::super::reactor::Reactor;
    use super::super::suites::Runs;
    use super::*;
    use crate::contract::Now;
    use crate::shard::event::{Action, ShardId};
    use crate::work::{Pool, Settings, demo::Demo};
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Instant;

    /// Reports when its time comes.
    struct Waits(Sender<Now>);

    impl Machine for Waits {
        fn handle(&mut self, now: Now, event: Event<'_>, _actions: &mut Vec<Action>) {
            if matches!(event, Event::Time) {
                self.0.send(now).unwrap();
            }
        }
    }

    #[test]
    fn rings_while_a_tick_is_still_to_come() {
        let (to, rung) = channel();
        std::thread::spawn(move || {
            let (listeners, mailbox) = (Listeners { sockets: Vec::new(), metrics: None, inherited: false }, Arc::<Mailbox>::default());
            let runs = Runs::new(None, &"127.0.0.1:7".parse().unwrap());
            let parts = Parts {
                number: ShardId(0),
                start: Instant::now(),
                pool: Pool::new(Settings::default(), Box::new(|| Box::new(Demo::new(Duration::ZERO)))),
                jobs: Jobs::new("results.json".into(), runs, Doctor::new(None)).unwrap(),
                identity: None,
                audit: None,
                exporter: None,
                journal: None,
                courier: None,
                mailboxes: [mailbox].into(),
                notices: channel().0,
            };
            Reactor::new(None).unwrap().block_on(async {
                let driver = Driver::new(Waits(to), parts, listeners, false);
                // The reading of a tick that does not end while the loop sleeps.
                driver.alarm.set(driver.clock.now().moment.after(Duration::from_millis(5)));
                ring(driver).await;
            });
        });
        rung.recv_timeout(Duration::from_secs(60)).expect("it rings, and does not look at an old reading for ever");
    }
}
