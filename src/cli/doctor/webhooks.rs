//! The receivers of webhooks: whether each allowed place can be reached. Nothing is posted to them.

use super::Finding;
use crate::contract::WebhookUrl;
use crate::work::courier::Settings;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

const CONNECT_TIME: Duration = Duration::from_secs(5);

pub(super) fn look(settings: &Settings, is_kept: bool, tell: &mut dyn FnMut(Finding)) {
    let places: BTreeMap<String, &WebhookUrl> = settings.allowed.iter().map(|prefix| (prefix.url().to_string(), prefix.url())).collect();
    places.into_iter().for_each(|(shown, url)| tell(place(&shown, url)));
    if !is_kept {
        let is = "deliveries that wait are lost when the server ends (`--durability none`)";
        tell(Finding::warn("webhooks", is, "keep a journal, with --durability turn"));
    }
}

fn place(shown: &str, url: &WebhookUrl) -> Finding {
    let (host, port) = url.place();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port).to_socket_addrs().map(|addresses| addresses.collect::<Vec<_>>()).unwrap_or_default();
    let is_near = !found.is_empty() && found.iter().all(|address| is_of_network(address.ip()));
    match found.iter().find_map(|address| TcpStream::connect_timeout(address, CONNECT_TIME).ok()) {
        None => Finding::bad(
            "webhooks",
            format!("{shown} can't be reached"),
            "start the receiver, or correct --webhook-allow; deliveries wait meanwhile",
        ),
        Some(_) if !url.is_tls() && !is_near => Finding::warn(
            "webhooks",
            format!("{shown} is called without TLS: answers can be read on the way"),
            "list it with https in --webhook-allow",
        ),
        Some(_) => Finding::good("webhooks", format!("{shown} can be reached, and what it receives is signed")),
    }
}

/// Whether an address lies on this machine or within a private network.
fn is_of_network(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
