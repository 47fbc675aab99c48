//! How users sign in: what the settings mean together.

use super::quotas::trusted_proxies;
use super::{Arguments, ConfigError};
use crate::auth::{Issuer, Proxy, Role, Rules};

/// Reads the settings of the section `[auth]`.
///
/// # Errors
/// A setting that would do nothing, or let in more than was meant.
pub(super) fn rules(arguments: &Arguments) -> Result<Rules, ConfigError> {
    let Arguments { oidc_issuer, oidc_client_id, oidc_project_id, admin_claim, admin_value, auth_header, trusted_proxy, api_keys, .. } =
        arguments;
    let issuer = match oidc_issuer {
        Some(_) if oidc_client_id.is_none() && oidc_project_id.is_none() => return Err(ConfigError::NoAudience),
        Some(url) => Some(Issuer {
            url: url.trim_end_matches('/').to_owned(),
            client_id: oidc_client_id.clone(),
            project_id: oidc_project_id.clone(),
            admin: admin_value.as_ref().map(|value| Role { claim: admin_claim.clone(), value: value.clone() }),
        }),
        None => None,
    };
    let of_issuer = [
        ("--oidc-ca", arguments.oidc_ca.is_some()),
        ("--oidc-client-id", oidc_client_id.is_some()),
        ("--oidc-project-id", oidc_project_id.is_some()),
        ("--admin-value", admin_value.is_some()),
    ];
    if let (None, Some((name, _))) = (oidc_issuer, of_issuer.iter().find(|(_, is_set)| *is_set)) {
        return Err(ConfigError::NoIssuer { name });
    }
    let proxy = match auth_header {
        Some(_) if trusted_proxy.is_empty() => return Err(ConfigError::NoProxy),
        Some(header) => Some(Proxy { header: header.to_ascii_lowercase(), trusted: trusted_proxies(arguments)? }),
        None => None,
    };
    Ok(Rules { issuer, proxy, api_keys: api_keys.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_would_do_nothing_or_too_much_is_refused() {
        for (line, says) in [
            ("", "off"),
            ("--oidc-issuer https://id.example/ --oidc-client-id 7", "https://id.example Some(\"7\") None admin: false"),
            ("--oidc-issuer https://id.example --oidc-project-id 8 --admin-value admin", "https://id.example None Some(\"8\") admin: true"),
            ("--oidc-issuer https://id.example", "--oidc-issuer needs --oidc-client-id or --oidc-project-id"),
            ("--oidc-client-id 7", "--oidc-client-id does nothing without --oidc-issuer"),
            ("--admin-value admin", "--admin-value does nothing without --oidc-issuer"),
            ("--oidc-ca ca.pem", "--oidc-ca does nothing without --oidc-issuer"),
            ("--auth-header X-User --trusted-proxy 127.0.0.1 --trusted-proxy ::1", "header x-user from 2"),
            ("--auth-header X-User", "--auth-header needs --trusted-proxy"),
            ("--trusted-proxy 127.0.0.1", "off"),
            ("--api-keys keys.toml", "keys"),
        ] {
            let said = match rules(&Arguments::of(line).unwrap()) {
                Err(error) => error.to_string(),
                Ok(Rules { issuer: Some(issuer), .. }) => {
                    format!("{} {:?} {:?} admin: {}", issuer.url, issuer.client_id, issuer.project_id, issuer.admin.is_some())
                }
                Ok(Rules { proxy: Some(proxy), .. }) => format!("header {} from {}", proxy.header, proxy.trusted.len()),
                Ok(rules) => if rules.api_keys { "keys" } else { "off" }.to_owned(),
            };
            assert!(said.starts_with(says), "{line}: {said}");
        }
    }
}
