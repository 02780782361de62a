//! Which certificates are trusted, and what is said when one is not.

use reqwest::Certificate;
use std::error::Error;
use std::io;
use std::sync::Once;

use crate::error::{EstateError, Service};

/// Certificates of a private authority, trusted in addition to the system's own.
///
/// A site's own root is self-signed and exported as DER; a bundle of several is PEM
/// (memdocs: develop/adminservice/set-up.md).
#[derive(Clone)]
pub struct CaBundle(Vec<Certificate>);

impl std::fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CaBundle({})", self.0.len())
    }
}

impl CaBundle {
    /// Reads one DER certificate or any number of PEM ones.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] when there is no certificate in it.
    pub fn read(service: Service, bytes: &[u8]) -> Result<Self, EstateError> {
        let unusable = |detail: String| EstateError::Configuration { service, detail };
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let certificates = if text.contains("-----BEGIN") {
            Certificate::from_pem_bundle(bytes)
        } else {
            Certificate::from_der(bytes).map(|certificate| vec![certificate])
        }
        .map_err(|error| unusable(format!("the CA bundle cannot be read: {error}")))?;
        // A DER certificate is a sequence; anything else was accepted without a look so far.
        let der = text.contains("-----BEGIN") || bytes.first() == Some(&0x30);
        if certificates.is_empty() || !der {
            return Err(unusable("the CA bundle holds no certificate".to_owned()));
        }
        Ok(Self(certificates))
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.0.iter().cloned()
    }
}

/// TLS needs one provider of cryptography for the process; a binary that chose one keeps it.
pub(crate) fn provide_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Fails only when another thread has just installed one, which serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    });
}

/// How to mend a certificate that is not trusted.
pub(crate) const fn remedy(service: Service) -> &'static str {
    match service {
        Service::AdminService => {
            "give the root of the certificate's issuer, often the site's own SMS Issuing, as the CA bundle, or call the service by the name in its certificate"
        }
        Service::Entra | Service::Graph => {
            "give the root of the certificate's issuer as the CA bundle; a proxy that opens TLS has one of its own"
        }
    }
}

/// What TLS found wrong with a certificate, if that is why `error` happened.
pub(crate) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(fault) = certificate_error(error) {
            return Some(fault);
        }
        // An I/O error hides what it wraps from `source`.
        if let Some(wrapped) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && let Some(fault) = certificate_fault(wrapped)
        {
            return Some(fault);
        }
        next = error.source();
    }
    None
}

fn certificate_error(error: &(dyn Error + 'static)) -> Option<String> {
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(fault) => Some(fault.to_string()),
        rustls::Error::NoCertificatesPresented => Some("it sent no certificate".to_owned()),
        _ => None,
    }
}
