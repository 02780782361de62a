//! Which certificates are trusted, and what is said when one is not.

use std::error::Error;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::error::{EstateError, Service};
use crate::expiry;

/// Certificates of a private authority, trusted in addition to the system's own.
///
/// A site's own root is self-signed and exported as DER; a bundle of several is PEM
/// (memdocs: develop/adminservice/set-up.md).
#[derive(Clone)]
pub struct CaBundle(Vec<CertificateDer<'static>>);

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
        let is_text = bytes.windows(10).any(|part| part == b"-----BEGIN");
        let certificates = if is_text {
            CertificateDer::pem_slice_iter(bytes)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| unusable(format!("the CA bundle cannot be read: {error}")))?
        } else {
            vec![CertificateDer::from(bytes.to_vec())]
        };
        if certificates.is_empty() {
            return Err(unusable("the CA bundle holds no certificate".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|error| unusable(format!("the CA bundle cannot be used: {error}")))?;
        }
        Ok(Self(certificates))
    }

    /// When the first of its certificates ends.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        let ends = self.0.iter().filter_map(|one| expiry::validity(one));
        ends.map(|(_, until)| until).min()
    }
}

/// A TLS client that trusts the system's own roots and those of `bundle`.
///
/// # Errors
///
/// When the system's roots or the bundle cannot be used.
pub(crate) fn tls(bundle: Option<&CaBundle>) -> Result<ClientConfig, rustls::Error> {
    // A binary that chose a provider of cryptography keeps it.
    let provider = CryptoProvider::get_default().map_or_else(
        || Arc::new(rustls::crypto::ring::default_provider()),
        Arc::clone,
    );
    let roots = bundle
        .into_iter()
        .flat_map(|bundle| bundle.0.iter().cloned());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(client)
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
