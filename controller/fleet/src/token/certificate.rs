//! A certificate in place of a secret: an assertion that its key has signed
//! (entra: identity-platform/certificate-credentials.md).

use std::fmt;
use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{EstateError, Service};
use crate::expiry::{self, Expiry};
use crate::secret::Secret;

/// How long an assertion lasts: Entra's documentation asks for 5 to 10 minutes at most.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// A client certificate with its key.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The hash of the certificate, by which Entra finds the key that it knows.
    thumbprint: String,
    from: Timestamp,
    until: Timestamp,
    key: Arc<dyn SigningKey>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("thumbprint", &self.thumbprint)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl ClientCertificate {
    /// Reads a certificate and its key, both as PEM; the key as PKCS#8 or PKCS#1. What Entra would
    /// refuse is refused here already.
    ///
    /// # Errors
    ///
    /// [`EstateError::Certificate`] when either cannot be read, the key does not belong to the
    /// certificate or is of a kind that Entra does not take, or the certificate is not valid now.
    pub fn read(certificate: &[u8], key: &[u8], now: Timestamp) -> Result<Self, EstateError> {
        let der = CertificateDer::from_pem_slice(certificate)
            .map_err(|error| unusable(format!("tls.crt holds no PEM certificate ({error})")))?;
        let (from, until) = expiry::validity(&der)
            .ok_or_else(|| unusable("tls.crt holds no X.509 certificate with dates"))?;
        let pair = CertifiedKey::new(vec![der.clone()], read_key(key)?);
        pair.keys_match().map_err(|_| {
            unusable("the key in tls.key is not that of the certificate in tls.crt")
        })?;
        let read = Self {
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            from,
            until,
            key: pair.key,
        };
        read.check(now)?;
        Ok(read)
    }

    /// When it ends.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        Expiry::of("client certificate for Entra ID", self.until, now)
    }

    fn check(&self, now: Timestamp) -> Result<(), EstateError> {
        if now >= self.until {
            return Err(unusable(format!("it has expired at {}", self.until)));
        }
        if now < self.from {
            let detail = format!("it is valid from {}, and the time here is {now}", self.from);
            return Err(unusable(detail));
        }
        Ok(())
    }

    /// An assertion of `client` for `audience`, which is the address of the token endpoint.
    ///
    /// # Errors
    ///
    /// [`EstateError::Certificate`] when the certificate is not valid now.
    pub(super) fn assert(
        &self,
        client: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Secret, EstateError> {
        self.check(now)?;
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience,
            "iss": client,
            "sub": client,
            "jti": Uuid::new_v4(),
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": (now + LIFETIME).as_second(),
        });
        let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let (header, claims) = (header.to_string(), claims.to_string());
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        let signature = self
            .key
            .choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
            .ok_or_else(|| unusable("its key does not sign by PS256"))?
            .sign(signed.as_bytes())
            .map_err(|_| unusable("its key does not sign"))?;
        Ok(Secret::new(format!("{signed}.{}", encode(&signature))))
    }
}

/// A private key, of a kind that Entra takes: RSA with 2048 bits or more. Keys on elliptic curves
/// are refused there (AADSTS5002738).
fn read_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, EstateError> {
    let text = String::from_utf8_lossy(pem);
    if text.contains("ENCRYPTED") {
        return Err(unusable(
            "the key in tls.key is encrypted: store it without a passphrase",
        ));
    }
    let der = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| unusable("tls.key holds no PEM private key, as PKCS#8 or PKCS#1"))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&der).map_err(|_| {
        unusable("the key in tls.key cannot be used: Entra ID takes RSA keys of 2048 to 4096 bits")
    })?;
    if key.algorithm() != SignatureAlgorithm::RSA {
        return Err(unusable(
            "the key in tls.key is no RSA key, and Entra ID takes no other",
        ));
    }
    Ok(key)
}

fn unusable(detail: impl Into<String>) -> EstateError {
    EstateError::Certificate {
        service: Service::Entra,
        detail: detail.into(),
    }
}
