//! A server that answers as a test wants, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use diarchy_clock::Clock;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::site::{SiteClient, SiteCredentials, SiteOptions, WRITE_DEADLINE};
use diarchy_fleet::{
    ClientCredentials, ClientProof, Counters, DomainAccount, Secret, Service, TransportOptions,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const CLIENT_SECRET: &str = "s3cr3t-of-the-client";
pub const SITE_TOKEN: &str = "t0ken-of-the-admin";
pub const PASSWORD: &str = "p4ssw0rd-of-the-admin";

/// A user of the site, as Windows knows them.
pub fn account() -> SiteCredentials {
    SiteCredentials::Account(DomainAccount {
        username: "CONTOSO\\diarchy".into(),
        password: Secret::new(PASSWORD),
        kdc: None,
    })
}

pub fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub authorization: String,
    pub consistency: String,
    pub body: String,
}

impl Asked {
    pub fn is_token(&self) -> bool {
        self.target.ends_with("/oauth2/v2.0/token")
    }
}

/// What is answered; a status of 0 breaks the connection instead.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn new(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub fn list(items: Value) -> Self {
        Self::ok(json!({ "@odata.context": "x", "value": items }))
    }

    pub fn token(token: &str, lifetime: u64) -> Self {
        Self::ok(json!({ "token_type": "Bearer", "expires_in": lifetime, "access_token": token }))
    }

    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn asked_for(&self, part: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.target.contains(part))
            .count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `reply`, which is given the server's own address too.
pub async fn serve(reply: impl Fn(&Asked, &str) -> Reply + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let reply = Arc::new(reply);
    let app = Router::new().fallback({
        let (asked, url) = (Arc::clone(&asked), url.clone());
        move |request: Request| answer(request, Arc::clone(&asked), Arc::clone(&reply), url.clone())
    });
    let task = tokio::spawn(async move {
        axum::serve(listener, app).await.unwrap();
    });
    Server { url, asked, task }
}

async fn answer(
    request: Request,
    log: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<impl Fn(&Asked, &str) -> Reply>,
    url: String,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let asked = Asked {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        authorization: header("authorization"),
        consistency: header("consistencylevel"),
        body: String::from_utf8(to_bytes(body, 1 << 26).await.unwrap().to_vec()).unwrap(),
    };
    log.lock().unwrap().push(asked.clone());
    let reply = reply(&asked, &url);
    if reply.status == 0 {
        // A body that fails after its head was promised: the connection breaks.
        let broken = futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("broken"))]);
        return Response::builder()
            .header("content-length", "1000")
            .body(Body::from_stream(broken))
            .unwrap();
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// A clock that runs fast enough for waits of minutes not to be felt.
pub fn fast() -> Clock {
    Clock::scaled(noon(), 10_000.0).unwrap()
}

pub fn graph_options(url: &str) -> GraphOptions {
    GraphOptions {
        tenant_id: "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10".into(),
        endpoint: url.into(),
        authority: url.into(),
        beta: true,
        credentials: ClientCredentials {
            client_id: "app".into(),
            proof: ClientProof::Secret(Secret::new(CLIENT_SECRET)),
        },
        transport: TransportOptions::for_service(Service::Graph),
    }
}

pub fn graph(url: &str, clock: &Clock) -> GraphClient {
    GraphClient::new(&graph_options(url), clock, &Arc::default()).unwrap()
}

pub fn site_options(urls: &[&str]) -> SiteOptions {
    SiteOptions {
        write_deadline: WRITE_DEADLINE,
        admin_service: urls
            .iter()
            .map(|url| format!("{url}/AdminService"))
            .collect(),
        credentials: SiteCredentials::Token(Secret::new(SITE_TOKEN)),
        transport: TransportOptions::for_service(Service::AdminService),
    }
}

pub fn site(urls: &[&str], clock: &Clock) -> SiteClient {
    SiteClient::new(&site_options(urls), clock, &Arc::new(Counters::default())).unwrap()
}
