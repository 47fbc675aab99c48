//! Waiting: always for a condition, never for a time, and never for ever.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything is waited for. A loaded machine is slow; whoever comes this late does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for this: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Does the same with each item, all at once; the first that fails fails the test.
pub(crate) fn in_parallel<T: Send, R: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let work = &work;
    thread::scope(|scope| {
        let begun: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        let ended = begun.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect()
    })
}
