//! Accepts connections for as long as the shard runs.

use super::bounds::{ACCEPT_LOG_EVERY, ACCEPT_REST};
use super::driver::{Driver, Machine};
use crate::shard::event::Event;
use monoio::net::TcpListener;
use std::rc::Rc;
use std::time::Instant;

/// Ends when the listener is shut down, see [`Driver::stop_listening`].
pub(super) async fn accept<M: Machine>(driver: Rc<Driver<M>>, listener: TcpListener) {
    let mut logged: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                driver.take_in(stream, |socket| Event::Accepted { socket, peer: peer.ip() });
                driver.schedule_tick();
            }
            Err(_) if !driver.is_listening() => return,
            // No descriptor is left, most likely: trying again at once would only spin.
            Err(error) => {
                if logged.is_none_or(|logged| logged.elapsed() >= ACCEPT_LOG_EVERY) {
                    logged = Some(Instant::now());
                    tracing::warn!(%error, "can't accept connections; trying again every {} ms", ACCEPT_REST.as_millis());
                }
                monoio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}
