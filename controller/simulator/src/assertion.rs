//! Signed assertions (RFC 7519), as Entra reads them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Map, Value};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// A certificate, or the key of an issuer, that Entra was told of.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

/// An assertion that has the right form; nothing of it has been checked.
#[derive(Debug)]
pub(crate) struct Assertion {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

/// What is wrong with the signature of an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// An algorithm that Entra does not take.
    Algorithm(String),
    /// It does not fit the key.
    Signature,
}

impl Known {
    /// The first certificate in `pem`.
    pub(crate) fn read(pem: &str) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let parsed = Certificate::from_der(&der).ok()?;
        let key = parsed.tbs_certificate().subject_public_key_info();
        let key = key.subject_public_key.raw_bytes().to_vec();
        Some(Self { der, key })
    }

    /// Its SHA-256 hash, as assertions name it.
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(hash(&self.der))
    }
}

impl Assertion {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &str| serde_json::from_slice(&decode(part)?).ok();
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed: signed.to_owned(),
            signature: decode(signature)?,
        })
    }

    /// A text of the claims.
    pub(crate) fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether an audience is named, alone or in a list.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// The seconds since 1970 in a claim.
    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        self.claims.get(name).and_then(Value::as_i64)
    }

    /// The certificate that it names.
    pub(crate) fn thumbprint(&self) -> Option<&str> {
        self.header.get("x5t#S256").and_then(Value::as_str)
    }

    /// Checks the signature: by RSA only, as Entra does.
    pub(crate) fn check(&self, known: &Known) -> Result<(), Unsigned> {
        let algorithm = self.header.get("alg").and_then(Value::as_str).unwrap_or("");
        let scheme = match algorithm {
            "RS256" => SignatureScheme::RSA_PKCS1_SHA256,
            "PS256" => SignatureScheme::RSA_PSS_SHA256,
            other => return Err(Unsigned::Algorithm(other.to_owned())),
        };
        let provider = rustls::crypto::ring::default_provider();
        let mapping = provider.signature_verification_algorithms.mapping;
        let mut candidates = mapping
            .iter()
            .filter(|(other, _)| *other == scheme)
            .flat_map(|(_, algorithms)| algorithms.iter());
        let signed = self.signed.as_bytes();
        let fits = candidates.any(|algorithm| {
            let checked = algorithm.verify_signature(&known.key, signed, &self.signature);
            checked.is_ok()
        });
        if fits {
            Ok(())
        } else {
            Err(Unsigned::Signature)
        }
    }
}

/// The SHA-256 hash of `bytes`.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
