//! What users and addresses may use: what the settings mean together.
//!
//! A bound for addresses that nobody has set counts no loopback address: there it is a developer, or a proxy for everyone. One
//! that was set counts them all.

use super::{Arguments, ConfigError, Upstream};
use crate::auth::Network;
use crate::contract::{Budget, Quota, Quotas};
use crate::work::prices::{Prices, amount};

const USER_TURNS: u32 = 16;
/// What every address may use but loopback ones, unless it is set. Many people may share one.
const ADDRESS: Quota = Quota { requests: 15_000, messages: 1_500, streams: 512, turns: USER_TURNS };

/// Reads the bounds of users and addresses.
///
/// # Errors
/// An amount that is none, and a budget for costs that are not known.
pub(super) fn quotas(arguments: &Arguments, upstream: &Upstream) -> Result<Quotas, ConfigError> {
    let Arguments { user_requests, user_messages, user_streams, user_turns, .. } = arguments;
    let Arguments { address_requests, address_messages, address_streams, day_turns, day_tokens, day_cost, .. } = arguments;
    let address = |unset: Quota| Quota {
        requests: address_requests.unwrap_or(unset.requests),
        messages: address_messages.unwrap_or(unset.messages),
        streams: address_streams.unwrap_or(unset.streams),
        turns: user_turns.unwrap_or(unset.turns),
    };
    let turns = user_turns.unwrap_or(USER_TURNS);
    let cost = day_cost.as_ref().map(|text| amount(text).ok_or_else(|| ConfigError::Amount { text: text.clone() }));
    let budget = Budget {
        turns: day_turns.unwrap_or_default(),
        tokens: day_tokens.unwrap_or_default(),
        cost: cost.transpose()?.unwrap_or_default(),
    };
    if budget.cost > 0 {
        let prices = prices(arguments)?;
        if let Some(model) = upstream.models_called().find(|model| !prices.has(model)) {
            return Err(ConfigError::NoPrice { model: model.to_owned() });
        }
    }
    let user = Quota { requests: *user_requests, messages: *user_messages, streams: *user_streams, turns };
    Ok(Quotas { user, address: address(ADDRESS), loopback: address(Quota::default()), budget })
}

pub(super) fn prices(arguments: &Arguments) -> Result<Prices, ConfigError> {
    Prices::read(arguments.price.iter().map(String::as_str)).map_err(|why| ConfigError::Price { why })
}

/// The proxies that say where a request comes from.
pub(super) fn trusted_proxies(arguments: &Arguments) -> Result<Vec<Network>, ConfigError> {
    let read: Result<Vec<_>, _> = arguments.trusted_proxy.iter().map(|text| text.parse()).collect();
    read.map_err(|why| ConfigError::Proxy { why })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(line: &str, key: &str) -> Result<Quotas, String> {
        let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| key.to_owned());
        let config = Config::new(Arguments::of(line).map_err(|error| error.to_string())?, environment, |_| None);
        config.map(|config| config.quotas).map_err(|error| error.to_string())
    }

    #[test]
    fn loopback_addresses_are_bounded_only_by_what_was_set() {
        let quotas = read("", "").unwrap();
        assert_eq!((quotas.address, quotas.loopback, quotas.budget), (ADDRESS, Quota::default(), Budget::default()));
        assert_eq!(quotas.user, Quota { requests: 3_000, messages: 300, streams: 64, turns: 16 });
        let quotas = read("--address-messages 5 --address-streams 0 --user-turns 2 --user-requests 0", "").unwrap();
        assert_eq!(quotas.address, Quota { requests: 15_000, messages: 5, streams: 0, turns: 2 });
        assert_eq!(quotas.loopback, Quota { requests: 0, messages: 5, streams: 0, turns: 2 });
        assert_eq!(quotas.user, Quota { requests: 0, messages: 300, streams: 64, turns: 2 });
        let quotas = read("--day-turns 3 --day-tokens 5000000000 --day-cost 2.5", "").unwrap();
        assert_eq!(quotas.budget, Budget { turns: 3, tokens: 5_000_000_000, cost: 2_500_000 }, "the demo costs nothing");
    }

    #[test]
    fn a_cost_that_is_not_known_is_no_cost_of_nothing() {
        let prices = "--price gpt-4.1-mini=0.4,0.1,1.6 --price other=0,0";
        for (line, says) in [
            ("--day-cost 5", "--day-cost needs a price for the model `gpt-4.1-mini`"),
            (&format!("--day-cost 5 {prices} --fast-model small"), "--day-cost needs a price for the model `small`"),
            (&format!("--day-cost 5 {prices} --fallback-model big"), "--day-cost needs a price for the model `big`"),
            (&format!("--day-cost 5 {prices} --fallback-model other"), ""),
            ("--day-cost 0", ""),
            (prices, ""),
            ("--day-cost five", "error: invalid value 'five' for '--day-cost <AMOUNT>'"),
            ("--price gpt", "error: invalid value 'gpt' for '--price <MODEL=PRICES>'"),
        ] {
            let said = read(line, "sk-1").err().unwrap_or_default();
            assert!(said.starts_with(says) && said.is_empty() == says.is_empty(), "{line}: {said}");
        }
    }
}
