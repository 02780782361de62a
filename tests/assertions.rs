//! Certificates and tokens of other issuers, as tests need them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use diarchy_simulator::FederatedCredential;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

/// A key, another way to write it, and another key.
pub const KEY: &str = include_str!("keys/one.pem");
pub const KEY_PKCS1: &str = include_str!("keys/one-pkcs1.pem");
pub const KEY_ENCRYPTED: &str = include_str!("keys/one-encrypted.pem");
pub const OTHER_KEY: &str = include_str!("keys/other.pem");
pub const SHORT_KEY: &str = include_str!("keys/short.pem");

/// Whom a cluster's tokens name, and whom they are for.
pub const SUBJECT: &str = "system:serviceaccount:contoso:diarchy";
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
pub const ISSUER: &str = "https://cluster.contoso.com";

/// A certificate of `key`, valid for `days` from `from` on, as PEM.
pub fn certificate(key: &str, from: Timestamp, days: i64) -> String {
    let key = KeyPair::from_pem(key).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Diarchy at Contoso");
    let date = |time: Timestamp| {
        let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(
            day.year().into(),
            day.month().try_into().unwrap(),
            day.day().try_into().unwrap(),
        )
    };
    parameters.not_before = date(from);
    parameters.not_after = date(from + SignedDuration::from_hours(24 * days));
    parameters.self_signed(&key).unwrap().pem()
}

/// A certificate on an elliptic curve with its key, both as PEM.
pub fn on_a_curve() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(Vec::new()).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A token with these claims, signed by `key` as clusters do.
pub fn token(key: &str, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "1" });
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let claimed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let der = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&der).unwrap();
    let signer = key
        .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
        .unwrap();
    let signature = signer.sign(claimed.as_bytes()).unwrap();
    format!("{claimed}.{}", encode(&signature))
}

/// The claims of a token of the cluster, valid for an hour from `now` on.
pub fn claims(now: Timestamp) -> Value {
    json!({
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": [AUDIENCE],
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": now.as_second() + 3600,
    })
}

/// What an application is told of the cluster, whose key is [`OTHER_KEY`].
pub fn federation() -> FederatedCredential {
    let from = "2020-01-01T00:00:00Z".parse().unwrap();
    FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        audience: AUDIENCE.to_owned(),
        certificate: certificate(OTHER_KEY, from, 10_000),
    }
}
