//! The secret that receivers know too, and the signature that proves it, as Standard Webhooks has them.

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use std::fmt;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;
/// More than that are no rotation.
const SECRETS_MAX: usize = 4;

/// One secret, or several while receivers go over from one to the next: each signs.
#[derive(Clone)]
pub struct Secrets(Vec<hmac::Key>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Reads `whsec_…`, or several with spaces or lines between. What is wrong is said without them.
    ///
    /// # Errors
    /// One that has another form or length.
    pub fn read(text: &str) -> Result<Secrets, String> {
        let keys: Result<Vec<_>, _> = text.split_whitespace().map(key).collect();
        let keys = keys?;
        if keys.is_empty() || keys.len() > SECRETS_MAX {
            return Err(format!("it must hold 1 to {SECRETS_MAX} secrets"));
        }
        Ok(Secrets(keys))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let signed = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].iter().for_each(|part| context.update(part));
            format!("v1,{}", BASE64.encode(context.sign().as_ref()))
        };
        self.0.iter().map(signed).collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Result<hmac::Key, String> {
    let encoded = text.strip_prefix(PREFIX).ok_or_else(|| format!("a secret begins with `{PREFIX}`"))?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| format!("behind `{PREFIX}` a secret is base64, padded with `=`"))?;
    if !(BYTES_MIN..=BYTES_MAX).contains(&bytes.len()) {
        return Err(format!("a secret has {BYTES_MIN} to {BYTES_MAX} bytes, and this one has {}", bytes.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn signs_as_the_specification_s_example() {
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let one = Secrets::read(SECRET).unwrap();
        assert_eq!(one.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", BODY), signature);
        let two = Secrets::read(&format!("whsec_{}\n {SECRET}\n", BASE64.encode(&[7; 32]))).unwrap();
        let both = two.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", BODY);
        assert!(both.ends_with(&format!(" {signature}")) && both.matches("v1,").count() == 2, "{both}");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        let long = format!("whsec_{}", BASE64.encode(&[7; 65]));
        let five = [SECRET; 5].join(" ");
        for (text, says) in [
            ("", "1 to 4 secrets"),
            ("secret", "begins with `whsec_`"),
            ("whsec_c2VjcmV0", "24 to 64 bytes, and this one has 6"),
            ("whsec_not!base64", "base64"),
            (&long, "and this one has 65"),
            (&five, "1 to 4 secrets"),
        ] {
            let why = Secrets::read(text).unwrap_err();
            assert!(why.contains(says) && !why.contains("c2Vj") && !why.contains("not!"), "{text}: {why}");
        }
        assert_eq!(format!("{:?}", Secrets::read(SECRET).unwrap()), "Secrets(1)");
    }
}
