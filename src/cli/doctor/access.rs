//! Who may use the server: the issuer and its keys, API keys, proxies, and the log of who did what.

use super::Finding;
use super::model::{SKEW_SECONDS_MAX, skew_seconds};
use crate::auth::{Issuer, Network, Rules};
use crate::config::Config;
use crate::contract::{Budget, counted};
use crate::work::authority::Authority;
use crate::work::issuer::{Fetched, KeyFile, fetch_once};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) fn look(config: &Config, tell: &mut dyn FnMut(Finding)) {
    let Rules { issuer, proxy, .. } = &config.sign_in;
    if !config.sign_in.is_on() {
        tell(match config.listen.is_local() {
            true => Finding::good("sign-in", "off: everyone who reaches the server from this machine is one user"),
            false => Finding::warn(
                "sign-in",
                format!("off: everyone who reaches {} is one user (--insecure-no-auth)", config.listen),
                "set --oidc-issuer, or listen on 127.0.0.1",
            ),
        });
    }
    if let Some(issuer) = issuer {
        of_issuer(issuer, config.oidc_ca.as_deref(), tell);
    }
    if let Some(path) = &config.api_keys {
        tell(api_keys(path));
    }
    if let Some(proxy) = proxy {
        // Then anyone who connects could name any user.
        let anyone = ["8.8.8.8", "2001:4860:4860::8888"].iter().filter_map(|address| address.parse::<IpAddr>().ok());
        let trusts_anyone = anyone.into_iter().any(|address| proxy.trusted.iter().any(|network| network.has(address)));
        let trusted = counted(proxy.trusted.len(), "trusted address or network", "trusted addresses or networks");
        tell(match trusts_anyone {
            true => Finding::bad(
                "proxy",
                format!("`{}` counts from any address: any client can pass as any user", proxy.header),
                "name the proxy's own address with --trusted-proxy",
            ),
            false => Finding::good("proxy", format!("the header `{}` names users, from {trusted}", proxy.header)),
        });
    }
    proxies(config, tell);
    if let Some(path) = &config.audit {
        tell(audit(path));
    }
    if let Some(finding) = budget(config) {
        tell(finding);
    }
}

/// Whether what proxies say of their clients can count.
fn proxies(config: &Config, tell: &mut dyn FnMut(Finding)) {
    let trusted = &config.trusted_proxies;
    let trusts = |address: &str| address.parse::<IpAddr>().is_ok_and(|ip| trusted.iter().any(|network| network.has(ip)));
    let own = match config.listen.tcp().map(|address| address.ip()) {
        None => "unix".to_owned(),
        Some(ip) if ip.is_loopback() => ip.to_string(),
        // Proxies on other machines reach it, whose addresses nobody knows here.
        Some(_) => String::new(),
    };
    if trusted.is_empty() {
        // A public name that leads to this machine alone is that of a proxy.
        if !config.hosts.is_empty() && !own.is_empty() {
            tell(Finding::warn(
                "proxy",
                format!("the server is reached as {}, and trusts no proxy: all of its clients count as one local client", config.hosts[0]),
                format!("name the proxy with --trusted-proxy {own}"),
            ));
        }
        return;
    }
    // A socket that systemd passes may be of the other kind.
    let is_reached = own.is_empty() || trusted.contains(&Network::Unix) || ["127.0.0.1", "::1"].iter().any(|address| trusts(address));
    if !is_reached {
        tell(Finding::bad(
            "proxy",
            format!("only this machine reaches {}, and no trusted proxy is on it: nothing that a proxy states counts", config.listen),
            format!("add --trusted-proxy {own}, or listen where the proxy reaches the server"),
        ));
    } else if config.sign_in.proxy.is_none()
        && !config.listen.is_local()
        && ["8.8.8.8", "2001:4860:4860::8888"].iter().any(|address| trusts(address))
    {
        tell(Finding::bad(
            "proxy",
            "X-Forwarded-For counts from any address: any client can choose the address that is counted",
            "name the proxy's own address with --trusted-proxy",
        ));
    } else if config.sign_in.proxy.is_none() {
        let trusted = counted(trusted.len(), "trusted address or network", "trusted addresses or networks");
        tell(Finding::good("proxy", format!("X-Forwarded-For counts from {trusted}")));
    }
}

/// The budgets of a day, and whether what they count has a price.
fn budget(config: &Config) -> Option<Finding> {
    let Budget { turns, tokens, cost } = config.quotas.budget;
    let called: Vec<&str> = config.upstream.models_called().collect();
    if let Some(unused) = config.prices.models().find(|model| !called.is_empty() && !called.contains(model)) {
        let is = format!("there is a price for the model `{unused}`, which is never called");
        return Some(Finding::warn("budget", is, format!("correct its name: the models are {}", called.join(", "))));
    }
    let amount = (cost > 0).then(|| format!("a cost of {}", cost as f64 / 1e6));
    let counts = [(turns, "turns"), (tokens, "tokens")].map(|(count, what)| (count > 0).then(|| format!("{count} {what}")));
    let limits: Vec<String> = counts.into_iter().chain([amount]).flatten().collect();
    let whose = if config.sign_in.is_on() { "user" } else { "address" };
    (!limits.is_empty()).then(|| Finding::good("budget", format!("a day, for each {whose}: {}", limits.join(", "))))
}

fn of_issuer(issuer: &Issuer, ca: Option<&Path>, tell: &mut dyn FnMut(Finding)) {
    let authority = match ca.map(Authority::read).transpose() {
        Ok(authority) => authority,
        Err(error) => return tell(Finding::bad("issuer", error.to_string(), "export the authority's certificate as PEM")),
    };
    let vouched = match (&authority, ca) {
        (Some(authority), Some(path)) => {
            format!(", vouched for by {} of {}", counted(authority.count(), "certificate", "certificates"), path.display())
        }
        _ => String::new(),
    };
    let ids = [("client", &issuer.client_id), ("project", &issuer.project_id)];
    let ids: Vec<String> = ids.iter().filter_map(|(what, id)| Some(format!("{what} {}", id.as_ref()?))).collect();
    match fetch_once(issuer, authority.as_ref()) {
        Ok(Fetched { keys, date }) => {
            let count = counted(keys.len(), "key", "keys");
            tell(Finding::good("issuer", format!("{}: {count}, for {}{vouched}", keys.issuer(), ids.join(" or "))));
            if let Some(skew) = date.and_then(|date| skew_seconds(&date)).filter(|skew| skew.abs() > SKEW_SECONDS_MAX) {
                let way = if skew > 0 { "ahead of" } else { "behind" };
                let is = format!("{} seconds {way} the issuer's: its tokens may not count", skew.abs());
                tell(Finding::bad("clock", is, "set it, best with NTP"));
            }
        }
        Err(error) => {
            let why = error.to_string();
            let mend = match why.contains("certificate") || why.contains("UnknownIssuer") {
                true => "name the certificate of the authority that issued its own with --oidc-ca",
                false => "check --oidc-issuer, the network and the issuer; nobody can sign in",
            };
            tell(Finding::bad("issuer", why, mend));
        }
    }
    if issuer.admin.is_none() {
        tell(Finding::good("administrators", "none: --admin-value names the role that makes one"));
    }
}

fn api_keys(path: &Path) -> Finding {
    let shown = path.display();
    let file = match KeyFile::read(path) {
        Ok(file) => file,
        Err(error) => return Finding::bad("API keys", error.to_string(), "`framewright key create NAME` writes one"),
    };
    let found = format!("{shown}: {}", counted(file.keys().len(), "key", "keys"));
    match mode(path) {
        Some(mode) if mode & 0o022 != 0 => Finding::bad(
            "API keys",
            format!("{found}; other users may write to it (mode {mode:o}) and give themselves keys"),
            format!("chmod go-w {shown}"),
        ),
        Some(mode) if mode & 0o004 != 0 => Finding::warn(
            "API keys",
            format!("{found}; every user of this machine may read the hashes (mode {mode:o})"),
            format!("chmod o-r {shown}"),
        ),
        Some(_) | None => Finding::good("API keys", found),
    }
}

fn audit(path: &Path) -> Finding {
    let shown = path.display();
    let mend = "let this user write into it, or name another file with --audit";
    match OpenOptions::new().append(true).open(path) {
        Ok(file) => match mode_of(&file) {
            Some(mode) if mode & 0o077 != 0 => Finding::warn(
                "audit log",
                format!("{shown} can be written; other users may read or change it (mode {mode:o})"),
                format!("chmod 600 {shown}"),
            ),
            Some(_) | None => Finding::good("audit log", format!("{shown} can be written")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match super::place::written(folder) {
                Ok(()) => Finding::good("audit log", format!("{shown} can be made")),
                Err(error) => Finding::bad("audit log", format!("{shown} can't be made ({error})"), mend),
            }
        }
        Err(error) => Finding::bad("audit log", format!("{shown} can't be written ({error})"), mend),
    }
}

fn mode(path: &Path) -> Option<u32> {
    mode_of(&File::open(path).ok()?)
}

fn mode_of(file: &File) -> Option<u32> {
    let about = file.metadata().ok()?;
    about.is_file().then(|| about.mode() & 0o777)
}
