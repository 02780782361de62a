//! Tokens, paging, throttling, trust, failover, and that no secret is ever told.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_core::fact::Fact;
use diarchy_fleet::graph::GraphClient;
use diarchy_fleet::inventory::{Estate, InventoryRequest};
use diarchy_fleet::site::{SiteClient, SiteCredentials};
use diarchy_fleet::{
    CaBundle, ClientCertificate, ClientProof, Counters, EstateError, FederatedToken, Outcome, Pace,
    Secret, Service,
};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::account::{challenge, unauthorized};
use crate::service::*;

fn device(id: usize) -> serde_json::Value {
    json!({ "id": format!("d{id}"), "operatingSystem": "Windows" })
}

#[tokio::test]
async fn a_token_is_kept_renewed_in_time_and_replaced_when_refused() {
    let tokens = Arc::new(AtomicUsize::new(0));
    let issued = Arc::clone(&tokens);
    let server = serve(move |asked, _| {
        if asked.is_token() {
            return Reply::token(
                &format!("token-{}", issued.fetch_add(1, Ordering::SeqCst)),
                3600,
            );
        }
        // The third token has been revoked as soon as it was issued.
        if asked.authorization == "Bearer token-2" {
            return Reply::new(
                401,
                json!({ "error": { "code": "InvalidAuthenticationToken" } }),
            );
        }
        Reply::list(json!([device(1)]))
    })
    .await;
    let clock = Clock::manual(noon());
    let graph = graph(&server.url, &clock);
    graph.managed_devices().await.unwrap();
    clock.advance(Duration::from_mins(50));
    graph.managed_devices().await.unwrap();
    assert_eq!(tokens.load(Ordering::SeqCst), 1);
    clock.advance(Duration::from_mins(5));
    graph.managed_devices().await.unwrap();
    assert_eq!(tokens.load(Ordering::SeqCst), 2);
    clock.advance(Duration::from_secs(3500));
    graph.managed_devices().await.unwrap();
    assert_eq!(tokens.load(Ordering::SeqCst), 4);
    let asked = server.asked();
    let form = &asked.iter().find(|asked| asked.is_token()).unwrap().body;
    assert!(form.contains("grant_type=client_credentials"), "{form}");
    assert!(form.contains("%2F.default"), "{form}");
}

#[tokio::test]
async fn a_list_is_followed_over_empty_and_repeating_pages() {
    let server = serve(|asked, url| {
        let next = |page: usize| {
            format!("{url}/beta/deviceManagement/managedDevices?$skiptoken=a%2Bb{page}")
        };
        if asked.is_token() {
            Reply::token("t", 3600)
        } else if asked.target.contains("b1") {
            Reply::ok(json!({ "value": [], "@odata.nextLink": next(2) }))
        } else if asked.target.contains("b2") {
            Reply::list(json!([device(2), device(3)]))
        } else {
            Reply::ok(json!({ "value": [device(1), device(2)], "@odata.nextLink": next(1) }))
        }
    })
    .await;
    let listing = graph(&server.url, &fast()).managed_devices().await.unwrap();
    let ids: Vec<_> = listing
        .items
        .into_iter()
        .map(|device| device.id.known().unwrap())
        .collect();
    assert_eq!(ids, ["d1", "d2", "d3"]);
    // Followed to the letter, escapes and all.
    assert_eq!(server.asked_for("$skiptoken=a%2Bb1"), 1);
}

#[tokio::test]
async fn a_wish_for_a_page_size_may_be_rejected() {
    let server = serve(|asked, _| {
        if asked.is_token() {
            Reply::token("t", 3600)
        } else if asked.target.contains("$top") {
            Reply::new(
                400,
                json!({ "error": { "code": "BadRequest", "message": "$top" } }),
            )
        } else {
            Reply::list(json!([device(1)]))
        }
    })
    .await;
    let graph = graph(&server.url, &fast());
    assert_eq!(graph.managed_devices().await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn throttled_to_a_limit_it_slows_down_and_finishes() {
    const PAGES: usize = 60;
    let clock = Clock::scaled(noon(), 100.0).unwrap();
    let served = Mutex::new(Vec::new());
    let now = clock.clone();
    let server = serve(move |asked, url| {
        if asked.is_token() {
            return Reply::token("t", 36_000);
        }
        let mut served = served.lock().unwrap();
        served.retain(|at| now.now().duration_since(*at) < SignedDuration::from_secs(20));
        // Refused requests count too.
        served.push(now.now());
        if served.len() > 20 {
            let body = json!({ "error": { "code": "TooManyRequests" } });
            return Reply::new(429, body).header("retry-after", "20.128");
        }
        let page: usize = asked
            .target
            .rsplit('=')
            .next()
            .unwrap()
            .parse()
            .unwrap_or(0);
        let page = if asked.target.contains("skip") {
            page
        } else {
            0
        };
        let mut body = json!({ "value": [device(page)] });
        if page + 1 < PAGES {
            body["@odata.nextLink"] = json!(format!("{url}/beta/x?skip={}", page + 1));
        }
        Reply::ok(body)
    })
    .await;
    let counters = Arc::new(Counters::default());
    let graph = GraphClient::new(&graph_options(&server.url), &clock, &counters).unwrap();
    assert_eq!(graph.managed_devices().await.unwrap().items.len(), PAGES);
    let throttled: u64 = counters
        .snapshot()
        .iter()
        .filter(|count| count.outcome == Outcome::Status(429))
        .map(|count| count.count)
        .sum();
    assert!((1..20).contains(&throttled), "{throttled}");
}

#[tokio::test]
async fn a_wait_beyond_patience_goes_to_the_caller_with_its_end() {
    let server = serve(|asked, _| {
        if asked.is_token() {
            Reply::token("t", 3600)
        } else {
            Reply::new(429, "").header("retry-after", "3600")
        }
    })
    .await;
    let clock = Clock::manual(noon());
    let graph = graph(&server.url, &clock);
    let until = noon() + SignedDuration::from_hours(1);
    let error = graph.managed_devices().await.unwrap_err();
    assert_eq!(error.consequence(), Consequence::WaitUntil(until));
    assert_eq!(error.code(), Code::EstateThrottled);
    assert_eq!(graph.throttled_until(), Some(until));
    // Requests made while throttled still count: none is made.
    graph.devices().await.unwrap_err();
    assert_eq!(server.asked_for("/devices?"), 0);
}

#[tokio::test]
async fn a_fault_that_passes_is_not_noticed() {
    let tries = AtomicUsize::new(0);
    let server = serve(move |asked, _| {
        if asked.is_token() {
            return Reply::token("t", 3600);
        }
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::new(503, "<html><title>Unavailable</title>"),
            1 => Reply::new(504, ""),
            2 => Reply::new(0, ""),
            _ => Reply::list(json!([device(1)])),
        }
    })
    .await;
    let listing = graph(&server.url, &fast()).managed_devices().await.unwrap();
    assert_eq!(listing.items.len(), 1);
}

#[tokio::test]
async fn refusals_are_told_apart_by_what_they_ask_for() {
    for (status, code) in [
        (401, Code::EstateRefused),
        (403, Code::EstateForbidden),
        (404, Code::EstateAnswer),
        (500, Code::EstateAnswer),
        (302, Code::EstateAnswer),
    ] {
        let server = serve(move |_, _| Reply::new(status, "<html>no</html>")).await;
        let error = site(&[&server.url], &fast())
            .collections()
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{status}: {error}");
    }
    let site = site(&["http://127.0.0.1:1"], &fast());
    let error = site.collections().await.unwrap_err();
    assert_eq!(error.consequence(), Consequence::Retry);
    assert_eq!(error.code(), Code::EstateUnreachable);
}

#[tokio::test]
async fn the_next_provider_is_asked_when_one_is_down() {
    let server = serve(|_, _| Reply::list(json!([{ "SiteCode": "PS1" }]))).await;
    let site = site(&["http://127.0.0.1:1", &server.url], &fast());
    assert_eq!(
        site.sites().await.unwrap().items[0].code,
        Fact::Known("PS1".into())
    );
}

#[tokio::test]
async fn an_answer_longer_than_allowed_is_not_read() {
    let server = serve(|_, _| Reply::new(200, "x".repeat(10_000))).await;
    let mut options = site_options(&[&server.url]);
    options.transport.longest_answer = 5_000;
    let site = SiteClient::new(&options, &fast(), &Arc::default()).unwrap();
    let error = site.collections().await.unwrap_err();
    assert!(
        error.to_string().contains("more than 5000 bytes"),
        "{error}"
    );
}

/// Serves one list over TLS, with a certificate of an authority of its own; that authority's
/// certificate as PEM and as DER.
async fn private_service() -> (String, String, Vec<u8>) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            tokio_rustls::rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(async |_| {
                    let body = r#"{"value":[{"SiteCode":"PS1"}]}"#.to_owned();
                    Ok::<_, std::convert::Infallible>(axum::http::Response::new(body))
                });
                let stream = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .await;
            });
        }
    });
    (url, ca_certificate.pem(), ca_certificate.der().to_vec())
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_given_and_named_when_not() {
    let (url, pem, der) = private_service().await;
    let mut options = site_options(&[&url]);
    for bundle in [pem.as_bytes(), &der] {
        let bundle = CaBundle::read(Service::AdminService, bundle).unwrap();
        options.transport.ca_bundle = Some(bundle);
        let site = SiteClient::new(&options, &fast(), &Arc::default()).unwrap();
        assert_eq!(site.sites().await.unwrap().items.len(), 1);
    }
    options.transport.ca_bundle = None;
    let site = SiteClient::new(&options, &fast(), &Arc::default()).unwrap();
    let error = site.sites().await.unwrap_err();
    assert_eq!(
        (error.code(), error.consequence()),
        (Code::EstateTrust, Consequence::FixInput)
    );
    assert!(error.to_string().contains("CA bundle"), "{error}");
    for nothing in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nx"] {
        assert!(CaBundle::read(Service::AdminService, nothing).is_err());
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A service that echoes everything it was sent, after it has asked who it is.
async fn echo() -> Server {
    serve(|asked, _| {
        if asked.is_token() && asked.body.contains("good") {
            return Reply::token("t0ken-of-the-hour", 3600);
        }
        let form = url::form_urlencoded::parse(asked.body.as_bytes());
        let values: Vec<_> = form.map(|(_, value)| value.into_owned()).collect();
        let echo = format!(
            "{} {} {}",
            asked.authorization,
            asked.body,
            values.join(" ")
        );
        if asked.is_token() {
            let description = format!("{echo} {CLIENT_SECRET}");
            let body = json!({ "error": "invalid_client", "error_description": description });
            return Reply::new(401, body);
        }
        let is_site = asked.target.contains("/AdminService");
        let hello = "NTLM TlRMTVNTUAAB";
        if is_site && asked.authorization.is_empty() {
            return unauthorized(&["NTLM"]);
        }
        if is_site && asked.authorization.starts_with(hello) {
            return unauthorized(&[&challenge()]);
        }
        Reply::new(
            403,
            json!({ "error": { "code": "Denied", "message": echo } }),
        )
    })
    .await
}

#[derive(Debug)]
struct Vouching;

impl FederatedToken for Vouching {
    fn token(&self) -> BoxFuture<'_, Result<Secret, EstateError>> {
        ready(Ok(Secret::new(FEDERATED))).boxed()
    }
}

const FEDERATED: &str = "eyJhbGciOiJSUzI1NiJ9.federated.token";
const KEY: &str = include_str!("../../../../tests/keys/one.pem");

fn certificate() -> ClientProof {
    let key = rcgen::KeyPair::from_pem(KEY).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let read = ClientCertificate::read(certificate.as_bytes(), KEY.as_bytes(), noon());
    ClientProof::Certificate(read.unwrap())
}

#[tokio::test]
async fn no_secret_is_ever_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = echo().await;
    let clock = fast();
    let mut told = String::new();
    for (proof, credentials) in [
        (
            ClientProof::Secret(Secret::new(CLIENT_SECRET)),
            SiteCredentials::Token(Secret::new(SITE_TOKEN)),
        ),
        (certificate(), account()),
        (ClientProof::Federated(Arc::new(Vouching)), account()),
    ] {
        let mut options = graph_options(&server.url);
        options.credentials.proof = proof;
        let graph = GraphClient::new(&options, &clock, &Arc::default()).unwrap();
        options.credentials.client_id = "good".into();
        let good = GraphClient::new(&options, &clock, &Arc::default()).unwrap();
        let mut options = site_options(&[&server.url]);
        options.credentials = credentials;
        let site = SiteClient::new(&options, &clock, &Arc::default()).unwrap();
        let clock = clock.clone();
        let estate = Estate { graph, site, clock };
        let readings = estate.read(&InventoryRequest::default()).await;
        assert_eq!(readings.failures().len(), 14);
        let error = good.managed_devices().await.unwrap_err();
        assert!(matches!(error, EstateError::Forbidden { .. }), "{error}");
        told.extend([format!(
            "{options:?} {estate:?} {estate:#?} {readings:?} {error} {error:?}"
        )]);
        told.extend(readings.failures().into_iter().map(ToString::to_string));
    }
    told.push_str(&String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    for secret in [
        CLIENT_SECRET,
        SITE_TOKEN,
        PASSWORD,
        FEDERATED,
        "t0ken-of-the-hour",
    ] {
        let encoded = BASE64_STANDARD.encode(secret);
        assert!(!told.contains(secret), "{secret} in {told}");
        assert!(!told.contains(&encoded), "{secret} in {told}");
    }
    // Proofs of NTLM and assertions, which nobody knows before; and the lines of the key.
    let proofs = server.asked().into_iter().map(|asked| asked.authorization);
    let proofs: Vec<_> = proofs.filter(|header| header.starts_with("NTLM")).collect();
    assert!(proofs.iter().any(|header| header.contains("TlRMTVNTUAAD")));
    let assertions = server.asked().into_iter().filter_map(|asked| {
        let (_, after) = asked.body.split_once("client_assertion=")?;
        after.split('&').next().map(str::to_owned)
    });
    let assertions: Vec<_> = assertions.collect();
    assert!(assertions.len() >= 4, "{assertions:?}");
    let key = KEY.lines().filter(|line| !line.starts_with('-'));
    for proof in proofs.iter().map(|header| &header[5..]) {
        assert!(!told.contains(proof), "{proof} in {told}");
    }
    for piece in assertions.iter().map(String::as_str).chain(key) {
        assert!(!told.contains(piece), "{piece} in {told}");
    }
}

#[tokio::test]
async fn a_whole_inventory_can_be_read_by_a_task() {
    let server = serve(|asked, _| {
        if asked.is_token() {
            Reply::token("t", 3600)
        } else if asked.target.contains("HARDWARE") || asked.target.contains("SMS_G_System") {
            Reply::new(404, "")
        } else if asked.target.contains("organization") {
            Reply::list(json!([{ "id": "x", "mobileDeviceManagementAuthority": "intune" }]))
        } else {
            Reply::list(json!([]))
        }
    })
    .await;
    let clock = fast();
    let estate = Estate {
        graph: graph(&server.url, &clock),
        site: site(&[&server.url], &clock),
        clock,
    };
    let readings = tokio::spawn(async move { estate.read(&InventoryRequest::default()).await })
        .await
        .unwrap();
    let failed: Vec<_> = readings
        .failures()
        .iter()
        .map(ToString::to_string)
        .collect();
    // A site without a single collection.
    assert_eq!(failed.len(), 1, "{failed:?}");
    // The four hardware classes.
    assert_eq!(readings.lacking().len(), 4);
    assert!(readings.site.schema.is_none());
}

#[tokio::test]
async fn group_members_are_asked_for_as_an_advanced_query() {
    let server = serve(|asked, _| {
        if asked.is_token() {
            Reply::token("t", 3600)
        } else if asked.target.contains("00b") {
            Reply::list(json!([{ "displayName": "who?" }]))
        } else {
            Reply::list(json!([{ "id": "0a1b2c3d-0000-4000-8000-000000000001", "deviceId": "0a1b2c3d-0000-4000-8000-000000000002" }]))
        }
    })
    .await;
    let graph = graph(&server.url, &fast());
    let members = graph
        .device_members("0a1b2c3d-0000-4000-8000-00000000000a")
        .await
        .unwrap();
    assert_eq!(members.len(), 1);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.consistency, "eventual");
    assert!(asked.target.contains("$count=true"), "{}", asked.target);
    // A member that cannot be told from others would look like one that left.
    graph
        .device_members("0a1b2c3d-0000-4000-8000-00000000000b")
        .await
        .unwrap_err();
    graph.device_members("../users").await.unwrap_err();
}

#[test]
fn published_limits_are_the_published_ones() {
    assert_eq!(
        (Pace::GRAPH.requests, Pace::GRAPH.per),
        (2000, Duration::from_secs(20))
    );
    assert_eq!(Pace::ADMIN_SERVICE.requests, 200);
}
