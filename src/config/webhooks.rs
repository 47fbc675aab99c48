//! Webhooks: which addresses may be called, and the secret that signs what they receive. Neither does anything without the other.

use super::secrets::WEBHOOK_SECRET;
use super::{Arguments, ConfigError};
use crate::work::courier::Settings;
use crate::work::courier::secret::Secrets;

/// Nothing where no address is allowed.
///
/// # Errors
/// An address or a secret that is none, and addresses without a secret.
pub(super) fn settings(arguments: &Arguments, secrets: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>, ConfigError> {
    let wrong = |why: String| ConfigError::Webhooks { why };
    let secret = secrets(WEBHOOK_SECRET);
    let secrets = secret.map(|text| Secrets::read(&text).map_err(|why| wrong(format!("the secret of webhooks is wrong: {why}"))));
    let secrets = secrets.transpose()?;
    if arguments.webhook_allow.is_empty() {
        return Ok(None);
    }
    let allowed = arguments.webhook_allow.iter().map(|text| text.parse().map_err(|why: &str| wrong(format!("--webhook-allow: {why}"))));
    let allowed = allowed.collect::<Result<_, _>>()?;
    let needs = || {
        wrong(format!(
            "--webhook-allow needs a secret, or receivers can't know who calls: set {WEBHOOK_SECRET} or --webhook-secret-file to `whsec_` \
             and at least 24 random bytes in base64, such as `echo whsec_$(openssl rand -base64 32)` prints"
        ))
    };
    Ok(Some(Settings { allowed, secrets: secrets.ok_or_else(needs)? }))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(line: &str, secret: &str) -> Result<usize, String> {
        let environment = |name: &str| (name == WEBHOOK_SECRET).then(|| secret.to_owned());
        let config = Config::new(Arguments::of(line).map_err(|error| error.to_string())?, environment, |_| None);
        config.map(|config| config.webhooks.map_or(0, |webhooks| webhooks.allowed.len())).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_need_a_secret_and_a_secret_is_checked_before_it_is_needed() {
        const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let two = "--webhook-allow https://a.example --webhook-allow http://127.0.0.1:9/x";
        assert_eq!((read("", ""), read("", SECRET), read(two, SECRET)), (Ok(0), Ok(0), Ok(2)));
        for (line, secret, says) in [
            (two, "", "--webhook-allow needs a secret"),
            (two, "s3cret", "the secret of webhooks is wrong: a secret begins with `whsec_`"),
            ("", "s3cret", "the secret of webhooks is wrong"),
            ("--webhook-allow a.example", SECRET, "error: invalid value 'a.example' for '--webhook-allow <URL>'"),
        ] {
            let why = read(line, secret).unwrap_err();
            assert!(why.starts_with(says) && !why.contains("s3cret"), "{line}: {why}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        assert_eq!(read(&format!("{two} --webhook-secret-file {}", file.display()), ""), Ok(2));
    }
}
