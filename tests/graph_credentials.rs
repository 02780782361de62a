//! Signing in to Entra ID: by secret, by certificate, and by tokens of somebody else.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::{
    CaBundle, ClientCertificate, ClientCredentials, ClientProof, EstateError, Secret, Service,
    TokenFile, TransportOptions,
};
use diarchy_simulator::{Control, Options, Setup, Simulator, start};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::assertions::{
    AUDIENCE, ISSUER, KEY, KEY_ENCRYPTED, KEY_PKCS1, OTHER_KEY, SHORT_KEY, SUBJECT, certificate,
    claims, federation, on_a_curve, token,
};

fn monday() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// A served tenant. Its clock and the client's are two.
struct Tenant {
    simulator: Simulator,
    control: Control,
    clock: Clock,
}

impl Tenant {
    async fn open() -> Self {
        // Every test of this binary installs it; all but the first are told so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Clock::manual(monday());
        let simulator = start(Options::new(Setup::new(3, 20), clock.clone()))
            .await
            .unwrap();
        Self {
            control: simulator.control(),
            simulator,
            clock,
        }
    }

    fn client(&self, proof: ClientProof, clock: &Clock) -> GraphClient {
        let mut transport = TransportOptions::for_service(Service::Graph);
        let roots = CaBundle::read(Service::Graph, self.simulator.ca_pem().as_bytes());
        transport.ca_bundle = Some(roots.unwrap());
        let options = GraphOptions {
            tenant_id: Setup::new(0, 0).tenant_id,
            endpoint: self.simulator.graph_endpoint(),
            authority: self.simulator.authority(),
            beta: true,
            credentials: ClientCredentials {
                client_id: self.simulator.client_id(),
                proof,
            },
            transport,
        };
        GraphClient::new(&options, clock, &Arc::default()).unwrap()
    }

    async fn ask(&self, proof: ClientProof) -> Result<(), EstateError> {
        let client = self.client(proof, &self.clock);
        client.organization().await.map(|_| ())
    }
}

fn with_certificate(certificate: &str, key: &str) -> Result<ClientProof, EstateError> {
    ClientCertificate::read(certificate.as_bytes(), key.as_bytes(), monday())
        .map(ClientProof::Certificate)
}

/// A certificate that is valid around Monday.
fn valid(key: &str) -> String {
    certificate(key, monday() - SignedDuration::from_hours(24), 365)
}

#[tokio::test]
async fn a_certificate_stands_in_for_a_secret() {
    let tenant = Tenant::open().await;
    let registered = valid(KEY);
    assert!(tenant.control.register_certificate(&registered));
    for key in [KEY, KEY_PKCS1] {
        let proof = with_certificate(&registered, key).unwrap();
        tenant.ask(proof).await.unwrap();
    }
    // One that nobody registered.
    let other = valid(OTHER_KEY);
    let error = tenant
        .ask(with_certificate(&other, OTHER_KEY).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::EstateRefused);
    assert_eq!(error.consequence(), Consequence::FixInput);
    assert!(error.to_string().contains("AADSTS700027"), "{error}");
}

#[test]
fn what_entra_would_refuse_is_refused_before() {
    let curve = on_a_curve();
    let expired = certificate(KEY, monday() - SignedDuration::from_hours(48), 1);
    let later = certificate(KEY, monday() + SignedDuration::from_hours(48), 30);
    for (name, certificate, key, part) in [
        (
            "another key",
            valid(KEY),
            OTHER_KEY,
            "not that of the certificate",
        ),
        (
            "expired",
            expired,
            KEY,
            "has expired at 2026-11-22T00:00:00Z",
        ),
        (
            "not valid yet",
            later,
            KEY,
            "valid from 2026-11-25T00:00:00Z",
        ),
        ("on a curve", curve.0, curve.1.as_str(), "no RSA key"),
        ("a short key", valid(KEY), SHORT_KEY, "2048"),
        ("a passphrase", valid(KEY), KEY_ENCRYPTED, "passphrase"),
        ("no key", valid(KEY), "hello", "no PEM private key"),
        ("no certificate", String::new(), KEY, "no PEM certificate"),
        (
            "a key as certificate",
            KEY.to_owned(),
            KEY,
            "no PEM certificate",
        ),
    ] {
        let error = with_certificate(&certificate, key).unwrap_err();
        assert_eq!(error.code(), Code::CertificateNotUsable, "{name}: {error}");
        assert_eq!(error.consequence(), Consequence::FixInput);
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_ends_is_told_of_before_and_not_used_after() {
    let tenant = Tenant::open().await;
    let short = certificate(KEY, monday() - SignedDuration::from_hours(24), 32);
    tenant.control.register_certificate(&short);
    let client = tenant.client(with_certificate(&short, KEY).unwrap(), &tenant.clock);
    let expiry = client.certificate_expiry(monday()).unwrap();
    assert_eq!(expiry.until, "2026-12-24T00:00:00Z".parse().unwrap());
    assert!(!expiry.soon);
    let later = monday() + SignedDuration::from_hours(24);
    assert!(client.certificate_expiry(later).unwrap().soon);
    client.organization().await.unwrap();
    tenant.clock.advance(Duration::from_hours(768));
    let error = client.organization().await.unwrap_err();
    assert_eq!(error.code(), Code::CertificateNotUsable);
    let secret = ClientProof::Secret(Secret::new(tenant.simulator.client_secret()));
    let other = tenant.client(secret, &tenant.clock);
    assert_eq!(other.certificate_expiry(monday()), None);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_of_as_such() {
    let tenant = Tenant::open().await;
    let registered = valid(KEY);
    tenant.control.register_certificate(&registered);
    for (minutes, works) in [(-15, false), (-4, true), (0, true), (4, true), (11, false)] {
        let clock = Clock::manual(monday() + SignedDuration::from_mins(minutes));
        let client = tenant.client(with_certificate(&registered, KEY).unwrap(), &clock);
        match client.organization().await {
            Ok(_) => assert!(works, "{minutes}"),
            Err(error) => {
                assert!(!works, "{minutes}: {error}");
                assert_eq!(error.code(), Code::ClockSkew, "{error}");
                assert_eq!(error.consequence(), Consequence::FixInput);
            }
        }
    }
}

/// The tokens in a file with these claims, and the folder that it is in.
fn file(key: &str, claims: &Value) -> (ClientProof, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, token(key, claims)).unwrap();
    (
        ClientProof::Federated(Arc::new(TokenFile::new(file))),
        folder,
    )
}

#[tokio::test]
async fn tokens_of_a_cluster_stand_in_for_a_secret() {
    let tenant = Tenant::open().await;
    tenant.control.federate(federation());
    let (proof, _folder) = file(OTHER_KEY, &claims(monday()));
    tenant.ask(proof).await.unwrap();
    let but = |name: &str, value: Value| {
        let mut claims = claims(monday());
        claims[name] = value;
        claims
    };
    let yesterday = claims(monday() - SignedDuration::from_hours(24));
    for (key, claims, code, part) in [
        (
            OTHER_KEY,
            but("iss", json!("https://else")),
            Code::EstateRefused,
            "AADSTS700211",
        ),
        (
            OTHER_KEY,
            but("sub", json!("system:x")),
            Code::EstateRefused,
            "AADSTS700213",
        ),
        (
            OTHER_KEY,
            but("aud", json!("else")),
            Code::EstateRefused,
            "AADSTS700212",
        ),
        (KEY, claims(monday()), Code::EstateRefused, "AADSTS50013"),
        (OTHER_KEY, yesterday, Code::ClockSkew, "AADSTS700024"),
    ] {
        let (proof, _folder) = file(key, &claims);
        let error = tenant.ask(proof).await.unwrap_err();
        assert_eq!(error.code(), code, "{part}: {error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(federation().issuer, ISSUER);
    assert_eq!(
        (federation().subject.as_str(), AUDIENCE),
        (SUBJECT, "api://AzureADTokenExchange")
    );
}

#[tokio::test]
async fn a_token_file_is_read_again_and_a_new_token_is_tried_at_once() {
    let tenant = Tenant::open().await;
    tenant.control.federate(federation());
    let (proof, folder) = file(KEY, &claims(monday()));
    let client = tenant.client(proof, &tenant.clock);
    for _ in 0..3 {
        client.organization().await.unwrap_err();
    }
    assert_eq!(
        tenant.control.tokens_asked(),
        1,
        "the same token was shown again"
    );
    let file = folder.path().join("token");
    fs::write(&file, token(OTHER_KEY, &claims(monday())) + "\n").unwrap();
    client.organization().await.unwrap();
    assert_eq!(tenant.control.tokens_asked(), 2);
    // The access token is kept; for the next one the file is read anew.
    tenant.clock.advance(Duration::from_secs(4000));
    fs::write(&file, " \n").unwrap();
    let error = client.organization().await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.to_string().contains("is empty"), "{error}");
    fs::remove_file(&file).unwrap();
    let error = client.organization().await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    fs::write(&file, token(OTHER_KEY, &claims(tenant.clock.now()))).unwrap();
    client.organization().await.unwrap();
}

#[tokio::test]
async fn a_secret_that_was_refused_is_not_shown_again_for_an_hour() {
    let tenant = Tenant::open().await;
    tenant.control.set_client_secret("another");
    let secret = || ClientProof::Secret(Secret::new(tenant.simulator.client_secret()));
    let stale = ClientProof::Secret(Secret::new("stale"));
    let client = tenant.client(stale, &tenant.clock);
    for _ in 0..5 {
        let error = client.organization().await.unwrap_err();
        assert_eq!(error.code(), Code::EstateRefused);
        assert!(error.to_string().contains("AADSTS7000215"), "{error}");
        tenant.clock.advance(Duration::from_mins(10));
    }
    assert_eq!(tenant.control.tokens_asked(), 1);
    tenant.clock.advance(Duration::from_mins(10));
    // What mends it may have happened in Entra.
    tenant.control.set_client_secret("stale");
    client.organization().await.unwrap();
    assert_eq!(tenant.control.tokens_asked(), 2);
    tenant.ask(secret()).await.unwrap();
}
