//! What models cost: prices for a million tokens, in any currency, in whole millionths so that sums are exact.

use crate::contract::Usage;
use std::collections::BTreeMap;

/// The prices of models, by the name that they are called with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(BTreeMap<String, Price>);

/// In millionths for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    input: u64,
    /// Of prompt tokens that the provider took from its cache.
    cached_input: u64,
    output: u64,
}

/// The largest amount, in whole units.
const AMOUNT_MAX: u64 = 1_000_000_000;

impl Prices {
    /// Reads prices as `MODEL=INPUT,OUTPUT` or `MODEL=INPUT,CACHED_INPUT,OUTPUT`.
    ///
    /// # Errors
    /// What is wrong with one of them, and how it is written.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Prices, String> {
        texts.into_iter().map(price).collect::<Result<_, _>>().map(Prices)
    }

    pub fn has(&self, model: &str) -> bool {
        self.0.contains_key(model)
    }

    /// The models that have a price.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A usage of this model with what it cost, rounded up to a millionth.
    pub fn priced(&self, model: &str, usage: Usage) -> Usage {
        let Some(price) = self.0.get(model) else { return usage };
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let parts = [(usage.prompt_tokens - cached, price.input), (cached, price.cached_input), (usage.completion_tokens, price.output)];
        let cost: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        Usage { cost_micros: u64::try_from(cost.div_ceil(1_000_000)).unwrap_or(u64::MAX), ..usage }
    }
}

fn price(text: &str) -> Result<(String, Price), String> {
    let wrong = || format!("`{text}` is no price: write MODEL=INPUT,OUTPUT for a million tokens, such as gpt-4.1-mini=0.40,1.60");
    let (model, amounts) = text.rsplit_once('=').filter(|(model, _)| !model.is_empty()).ok_or_else(wrong)?;
    let amounts: Option<Vec<u64>> = amounts.split(',').map(amount).collect();
    let price = match amounts.as_deref() {
        Some([input, output]) => Price { input: *input, cached_input: *input, output: *output },
        Some([input, cached_input, output]) => Price { input: *input, cached_input: *cached_input, output: *output },
        Some(_) | None => return Err(wrong()),
    };
    Ok((model.to_owned(), price))
}

/// An amount such as `2.50`, in millionths; nothing where it is none.
pub fn amount(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > 6 {
        return None;
    }
    let (whole, part): (u64, u64) = (whole.parse().ok()?, format!("{part:0<6}").parse().ok()?);
    (whole < AMOUNT_MAX).then_some(whole * 1_000_000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_millionth_and_nothing_is_guessed() {
        for (text, expected) in [
            ("0", Some(0)),
            ("2.50", Some(2_500_000)),
            ("0.000001", Some(1)),
            ("999999999.999999", Some(999_999_999_999_999)),
            ("1000000000", None),
            ("0.0000001", None),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("1,5", None),
            ("$5", None),
        ] {
            assert_eq!(amount(text), expected, "{text}");
        }
    }

    #[test]
    fn a_usage_costs_what_its_model_costs_rounded_up() {
        let prices = Prices::read(["a/b:8b=0.40,0.10,1.60", "plain=2,8", "free=0,0", "x=y=1,1"]).unwrap();
        let cost = |model, prompt_tokens, cached_tokens, completion_tokens| {
            let usage = Usage { prompt_tokens, cached_tokens, completion_tokens, ..Usage::NONE };
            prices.priced(model, usage).cost_micros
        };
        for (model, prompt, cached, completion, expected) in [
            ("a/b:8b", 1_000_000, 0, 0, 400_000),
            ("a/b:8b", 1_000_000, 250_000, 1_000_000, 300_000 + 25_000 + 1_600_000),
            ("a/b:8b", 1, 0, 0, 1),
            ("a/b:8b", 10, 20, 0, 1),
            ("plain", 500_000, 500_000, 500_000, 1_000_000 + 4_000_000),
            ("free", 1_000_000, 0, 1_000_000, 0),
            ("x=y", 1_000_000, 0, 0, 1_000_000),
            ("unknown", 1_000_000, 0, 0, 0),
            ("plain", u64::MAX, 0, u64::MAX, u64::MAX),
        ] {
            assert_eq!(cost(model, prompt, cached, completion), expected, "{model} {prompt} {cached} {completion}");
        }
        for text in ["", "m", "m=", "m=1", "m=1,2,3,4", "m=1;2", "=1,2", "m=a,b", "m=-1,2"] {
            assert!(Prices::read([text]).is_err(), "{text}");
        }
    }
}
