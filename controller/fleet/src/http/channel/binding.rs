//! Channel bindings: what ties a sign-in to the TLS connection that it travels on, so that nobody in
//! between can pass it on to another server ("extended protection for authentication").
//!
//! The kind is `tls-server-end-point` (RFC 5929, section 4): the hash of the server's certificate.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;

const PREFIX: &[u8] = b"tls-server-end-point:";
/// The size of `SEC_CHANNEL_BINDINGS`, which is eight numbers of four bytes.
const HEADER: usize = 32;

/// How a certificate's signature hashes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The bindings for a connection to whoever showed `certificate`, in the form of
/// `SEC_CHANNEL_BINDINGS`; `None` where the standard defines none, such as for Ed25519.
pub(crate) fn binding(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let digest = match hash(&parsed.signature_algorithm().oid)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    let data = [PREFIX, &digest].concat();
    let mut bytes = vec![0; HEADER];
    bytes[24..28].copy_from_slice(&u32::try_from(data.len()).ok()?.to_le_bytes());
    bytes[28..32].copy_from_slice(&u32::try_from(HEADER).ok()?.to_le_bytes());
    bytes.extend_from_slice(&data);
    Some(bytes)
}

/// The hash of a signature algorithm. MD5 and SHA-1 are replaced by SHA-256, as the standard says.
fn hash(algorithm: &ObjectIdentifier) -> Option<Hash> {
    match algorithm.to_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> rcgen::Certificate {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["cm01".to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap()
    }

    #[test]
    fn is_the_hash_that_the_certificate_is_signed_with() {
        let certificate = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let bytes = binding(certificate.der()).unwrap();
        let digest = Sha256::digest(certificate.der());
        assert_eq!(&bytes[..24], [0; 24]);
        assert_eq!(&bytes[24..32], [53, 0, 0, 0, 32, 0, 0, 0]);
        assert_eq!(bytes[32..53], *PREFIX);
        assert_eq!(bytes[53..], digest[..]);
        let certificate = self::certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        let bytes = binding(certificate.der()).unwrap();
        assert_eq!(bytes[53..], Sha384::digest(certificate.der())[..]);
    }

    #[test]
    fn is_left_out_where_none_is_defined() {
        assert_eq!(binding(certificate(&rcgen::PKCS_ED25519).der()), None);
        assert_eq!(binding(&CertificateDer::from(vec![0x30, 0])), None);
    }

    #[test]
    fn weak_hashes_are_replaced() {
        let hash = |oid: &str| hash(&ObjectIdentifier::new(oid).unwrap());
        assert_eq!(hash("1.2.840.113549.1.1.5"), Some(Hash::Sha256));
        assert_eq!(hash("1.2.840.113549.1.1.13"), Some(Hash::Sha512));
        assert_eq!(hash("1.2.840.113549.1.1.10"), None);
    }
}
