//! One attempt: the request, its signature, and what came back.

use super::secret::Secrets;
use crate::contract::Time;
use crate::contract::journal::Delivery;
use crate::log;
use crate::work::retry::retry_after;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::TlsConfig;

/// For each attempt, from the connection to the end of the answer.
const ATTEMPT_TIME: Duration = Duration::from_secs(15);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Of an answer, which nobody reads.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// What came of an attempt.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// None where there was no answer.
    pub(super) status: Option<u16>,
    /// How long the receiver asks to be left alone.
    pub(super) wait: Option<Duration>,
    /// Why there was no answer.
    why: String,
}

impl Answered {
    #[cfg(test)]
    pub(super) fn of(status: Option<u16>, wait: Option<Duration>) -> Answered {
        Answered { status, wait, why: String::new() }
    }

    /// For the log.
    pub(super) fn cause(&self) -> String {
        self.status.map_or_else(|| self.why.clone(), |status| format!("status {status}"))
    }
}

pub(super) struct Poster(Agent);

impl Poster {
    pub(super) fn new() -> Poster {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = Agent::config_builder()
            .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(ATTEMPT_TIME))
            .timeout_connect(Some(CONNECT_TIME))
            // It could lead to what may not be called.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).build());
        Poster(Agent::new_with_config(config.build()))
    }

    pub(super) fn post(&self, delivery: &Delivery, secrets: &Secrets, now: Time) -> Answered {
        let (id, body) = (&*delivery.webhook.id, &*delivery.body);
        let timestamp = (now.0 / 1_000_000).to_string();
        let request = self
            .0
            .post(&*delivery.webhook.url)
            .content_type("application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", secrets.sign(id, &timestamp, body));
        match request.send(body) {
            Ok(mut answer) => {
                // Read, so that the connection can be used again.
                let _ = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
                let wait = retry_after(answer.headers(), Timestamp::now());
                Answered { status: Some(answer.status().as_u16()), wait, why: String::new() }
            }
            // An error may name the address, which may hold a secret.
            Err(error) => {
                let why = log::redacted(&error.to_string(), std::iter::once(&*delivery.webhook.url));
                Answered { status: None, wait: None, why }
            }
        }
    }
}
