//! A private certificate authority that vouches for an issuer, from a file in PEM.

use crate::text_file::{self, ReadError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;

/// Certificates of the authority that vouches for an issuer, where it is none of the public ones.
#[derive(Clone)]
pub struct Authority(Arc<Vec<Certificate<'static>>>);

/// Why a file of certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("--oidc-ca: {}: {why}", path.display())]
    Read { path: PathBuf, why: ReadError },
    #[error("--oidc-ca: {} holds no certificate: name a file with `-----BEGIN CERTIFICATE-----`", path.display())]
    Empty { path: PathBuf },
    #[error("--oidc-ca: {} holds a certificate that can't be used ({why})", path.display())]
    Wrong { path: PathBuf, why: String },
}

impl Authority {
    /// Reads a file of certificates in PEM.
    ///
    /// # Errors
    /// When it can't be read, or holds none, or one that nothing can follow from.
    pub fn read(path: &Path) -> Result<Authority, AuthorityError> {
        let text = text_file::read(path, CERTIFICATES_BYTES_MAX).map_err(|why| AuthorityError::Read { path: path.to_owned(), why })?;
        let wrong = |why: String| AuthorityError::Wrong { path: path.to_owned(), why };
        let mut certificates = Vec::new();
        let mut store = rustls::RootCertStore::empty();
        for item in parse_pem(text.as_bytes()) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
                store.add(certificate.der().to_vec().into()).map_err(|error| wrong(error.to_string()))?;
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() { Err(AuthorityError::Empty { path: path.to_owned() }) } else { Ok(Authority(Arc::new(certificates))) }
    }

    pub(super) fn roots(&self) -> RootCerts {
        RootCerts::Specific(self.0.clone())
    }

    /// How many certificates it has.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
