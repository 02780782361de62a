//! The estate's own certificate authority, and the certificate of `localhost`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::assertion::hash;

/// Certificates that cannot be made, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("no certificate could be made: {0}")]
    Made(#[from] rcgen::Error),
    #[error("{path}: {source}")]
    Kept {
        path: String,
        source: std::io::Error,
    },
    #[error("the certificate cannot be used: {0}")]
    Used(#[from] rustls::Error),
    #[error("the certificate cannot be read: {0}")]
    Read(#[from] rustls::pki_types::pem::Error),
}

/// What a server and its clients need, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    pub(crate) ca: String,
    server: String,
    key: String,
}

const FILES: [&str; 3] = ["ca.pem", "server.pem", "server.key"];

impl Certificates {
    /// Those kept in `directory`, so that whoever trusted the estate once still does; else new ones.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub(crate) fn load(directory: Option<&Path>) -> Result<Self, TlsError> {
        let Some(directory) = directory else {
            return Self::make();
        };
        let paths = FILES.map(|name| directory.join(name));
        let kept = |path: &Path, source| TlsError::Kept {
            path: path.display().to_string(),
            source,
        };
        if paths.iter().all(|path| path.exists()) {
            let read = |path: &Path| fs::read_to_string(path).map_err(|error| kept(path, error));
            return Ok(Self {
                ca: read(&paths[0])?,
                server: read(&paths[1])?,
                key: read(&paths[2])?,
            });
        }
        let made = Self::make()?;
        fs::create_dir_all(directory).map_err(|error| kept(directory, error))?;
        for (path, text) in paths.iter().zip([&made.ca, &made.server, &made.key]) {
            fs::write(path, text).map_err(|error| kept(path, error))?;
        }
        Ok(made)
    }

    fn make() -> Result<Self, TlsError> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name
            .push(DnType::CommonName, "Simulated estate SMS Issuing");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate()?;
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        server
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        server
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &issuer)?;
        Ok(Self {
            ca: ca_certificate.pem(),
            server: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// The hash of the server's certificate, which is signed with SHA-256.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], TlsError> {
        let certificate = CertificateDer::from_pem_slice(self.server.as_bytes())?;
        Ok(hash(&certificate))
    }

    /// What a listener is configured with.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain =
            CertificateDer::pem_slice_iter(self.server.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
