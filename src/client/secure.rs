//! Whom to trust over TLS: the well-known roots, or those of an operator's own file instead.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Certificates that others must follow from; none: the well-known ones.
pub(super) struct Roots(Vec<CertificateDer<'static>>);

/// What to do about a certificate that is not trusted; nothing where something else is wrong.
pub(super) fn advice(why: &str) -> &'static str {
    match why {
        _ if why.contains("CaUsedAsEndEntity") => ": it is a CA's own, which no server may show: have one issued by it (CA:FALSE)",
        _ if why.contains("certificate") => ": name the file of its CA with --ca",
        _ => "",
    }
}

impl Roots {
    pub(super) fn read(file: Option<&Path>) -> Result<Roots, String> {
        let Some(file) = file else { return Ok(Roots(Vec::new())) };
        let text = std::fs::read(file).map_err(|error| format!("can't be read ({error})"))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| format!("can't be understood ({error})"))?;
        if found.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        let mut store = RootCertStore::empty();
        for root in &found {
            store.add(root.clone()).map_err(|error| format!("holds a certificate that none may follow from ({error})"))?;
        }
        Ok(Roots(found))
    }

    pub(super) fn for_sockets(&self) -> Arc<ClientConfig> {
        let mut store = RootCertStore { roots: Vec::new() };
        match self.0.is_empty() {
            true => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            false => drop(store.add_parsable_certificates(self.0.iter().cloned())),
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("the provider knows the usual versions");
        Arc::new(builder.with_root_certificates(store).with_no_client_auth())
    }

    /// Calls go there and nowhere else: no proxy, no redirect.
    pub(super) fn agent(&self, time_max: Duration) -> Agent {
        let own: Vec<Certificate<'static>> = self.0.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let roots = if own.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&own) };
        let crypto = Arc::new(aws_lc_rs::default_provider());
        let config = Agent::config_builder()
            .timeout_global(Some(time_max))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(crypto).build());
        Agent::new_with_config(config.build())
    }
}
