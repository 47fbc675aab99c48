//! Who would answer: whether the model's server can be reached, takes the key, has the models, and is asked at the right path.

use super::Finding;
use crate::config::Upstream;
use crate::work::openai::{Key, Provider, is_loopback};
use crate::work::probe::{is_model, model_names};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::TlsConfig;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Tokens and certificates bear no clock that is further off.
pub(super) const SKEW_SECONDS_MAX: i64 = 60;

pub(super) fn look(upstream: &Upstream, tell: &mut dyn FnMut(Finding)) {
    match upstream {
        Upstream::Demo { .. } => {
            tell(Finding::good("model", format!("{upstream}: it follows rules; `framewright --help` says how to use a real one")))
        }
        Upstream::Provider { provider, .. } => {
            tell(Finding::good("model", upstream.to_string()));
            provided(provider, tell);
        }
    }
}

/// What stands behind the address that --llm-url holds, in the address of one call.
const ENDPOINTS: [&str; 6] = ["/chat/completions", "/completions", "/responses", "/messages", "/embeddings", "/models"];

fn provided(provider: &Provider, tell: &mut dyn FnMut(Finding)) {
    let base = provider.url.to_string();
    let base = base.trim_end_matches('/');
    if let Some((endpoint, right)) = ENDPOINTS.iter().find_map(|endpoint| Some((endpoint, base.strip_suffix(endpoint)?))) {
        let is = format!("--llm-url is a whole endpoint: {base}");
        return tell(Finding::bad("model server", is, format!("leave out {endpoint}: {right}")));
    }
    let url = format!("{base}/models");
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).build();
    let mut config = Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).http_status_as_error(false).tls_config(tls);
    if is_loopback(&provider.url) {
        config = config.proxy(None);
    }
    let agent = Agent::new_with_config(config.build());
    let bearer = provider.key.as_ref().map(|Key(key)| format!("Bearer {key}"));
    let answer = bearer.iter().fold(agent.get(&url), |request, bearer| request.header("authorization", bearer)).call();
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let mend = if is_loopback(&provider.url) {
                "start it, or say where it is with --llm-url"
            } else {
                "look at the address, the network and the proxy"
            };
            return tell(Finding::bad("model server", format!("{url} can't be reached ({error})"), mend));
        }
    };
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    let status = answer.status();
    tell(match status.as_u16() {
        200 => {
            let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().unwrap_or_default();
            listed(provider, &serde_json::from_slice(&body).unwrap_or_default())
        }
        401 | 403 => Finding::bad(
            "model server",
            format!("{url} refuses the key ({status})"),
            "give it another key: see `framewright config print --origin`",
        ),
        // Some providers list no models; asked for nothing, they still refuse it elsewhere than where there is nothing.
        404 | 405 => {
            let chat = format!("{base}/chat/completions");
            let request = agent.post(&chat).header("content-type", "application/json");
            let answer = bearer.iter().fold(request, |request, bearer| request.header("authorization", bearer)).send("{}");
            match answer.map(|answer| answer.status()) {
                Ok(there) if there.as_u16() == 404 => Finding::bad(
                    "model server",
                    format!("there is nothing at {chat} ({there})"),
                    "correct --llm-url: it ends where /chat/completions begins, with most providers with /v1",
                ),
                Ok(_) => Finding::good("model server", format!("{url} answers, but lists no models ({status})")),
                Err(error) => Finding::bad("model server", format!("{chat} can't be reached ({error})"), "try again later"),
            }
        }
        _ => Finding::bad("model server", format!("{url} answers with {status}"), "look at its log; try again later"),
    });
    if let Some(skew) = date.and_then(|date| skew_seconds(&date)).filter(|skew| skew.abs() > SKEW_SECONDS_MAX) {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        tell(Finding::bad("clock", format!("{} seconds {way} the model server's", skew.abs()), "set it, best with NTP"));
    }
}

/// Whether the list names what will be asked for.
fn listed(provider: &Provider, told: &Value) -> Finding {
    let names: Vec<&str> = model_names(told).collect();
    let has = |wanted: &str| names.iter().any(|name| is_model(name, wanted));
    let wanted = [Some(&provider.strong), Some(&provider.fast), provider.fallback.as_ref()];
    match wanted.into_iter().flatten().find(|wanted| !names.is_empty() && !has(wanted)) {
        Some(missing) => {
            let known: Vec<&str> = names.iter().take(8).copied().collect();
            let more = if names.len() > known.len() { format!(" … {} in all", names.len()) } else { String::new() };
            Finding::bad("model server", format!("it has no model `{missing}`"), format!("choose one of {}{more}", known.join(", ")))
        }
        None => Finding::good("model server", format!("{} answers", provider.url.authority().map_or("", |authority| authority.as_str()))),
    }
}

/// How far this clock is ahead of a `Date`.
pub(super) fn skew_seconds(date: &str) -> Option<i64> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(jiff::Timestamp::now().as_second() - theirs.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_how_far_off_the_clock_is() {
        assert!(skew_seconds("Thu, 01 Jan 2026 00:00:00 GMT").is_some_and(|skew| skew > 0));
        assert!(skew_seconds("Fri, 01 Jan 2100 00:00:00 GMT").is_some_and(|skew| skew < 0));
        assert_eq!(skew_seconds("now"), None);
    }
}
