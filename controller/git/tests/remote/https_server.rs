//! A TLS server with an authority of its own and the real `git http-backend` behind it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use futures::stream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub const USERNAME: &str = "fleet-reader";
pub const PASSWORD: &str = "p4ssw0rd-of-the-reader";
pub const TOKEN: &str = "t0ken-of-the-reader";

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub protocol: Option<String>,
}

/// What the server does.
pub enum Reaction {
    /// What git does.
    Git,
    /// What a git does that knows protocol version 0 alone.
    OldGit,
    /// What git does, with this much time before each piece of the answer.
    SlowGit(Duration),
    /// What git does, cut off after so many bytes.
    CutGit(usize),
    /// This, with these headers.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// This again and again, under a content type of git's.
    Endless(&'static str, &'static [u8]),
    /// Nothing at all.
    Hang,
}

/// A running server; it ends with the test.
pub struct HttpsServer {
    pub port: u16,
    /// The authority's certificate as PEM.
    pub ca: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl HttpsServer {
    /// Where the repository is.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/fleet.git", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that asks for the password and otherwise does what git does.
pub async fn serve(root: &Path) -> HttpsServer {
    serve_as(root, |asked| {
        if is_allowed(asked) {
            Reaction::Git
        } else {
            unauthorized()
        }
    })
    .await
}

pub fn unauthorized() -> Reaction {
    let realm = ("www-authenticate", "Basic realm=\"git\"".to_owned());
    Reaction::Say(401, vec![realm], b"who are you?".to_vec())
}

/// Whether the right credentials came along.
pub fn is_allowed(asked: &Asked) -> bool {
    // base64 of `fleet-reader:p4ssw0rd-of-the-reader`
    let basic = "Basic ZmxlZXQtcmVhZGVyOnA0c3N3MHJkLW9mLXRoZS1yZWFkZXI=";
    let bearer = format!("Bearer {TOKEN}");
    asked
        .authorization
        .as_ref()
        .is_some_and(|header| *header == bearer || header == basic)
}

/// A server that reacts to each request as a test wants.
pub async fn serve_as(
    root: &Path,
    reaction: impl Fn(&Asked) -> Reaction + Send + Sync + 'static,
) -> HttpsServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ca, config) = certificates();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let shared = Arc::new(Shared {
        root: root.to_owned(),
        asked: Arc::clone(&asked),
        reaction: Box::new(reaction),
    });
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away here.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(shared.answer(request.map(Body::new)).await) }
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    HttpsServer {
        port,
        ca,
        asked,
        task,
    }
}

fn certificates() -> (String, ServerConfig) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    server
        .subject_alt_names
        .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (ca_certificate.pem(), config)
}

struct Shared {
    root: PathBuf,
    asked: Arc<Mutex<Vec<Asked>>>,
    reaction: Box<dyn Fn(&Asked) -> Reaction + Send + Sync>,
}

impl Shared {
    async fn answer(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let header = |name: &str| text_of(&parts.headers, name);
        let asked = Asked {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            authorization: header("authorization"),
            protocol: header("git-protocol"),
        };
        self.asked.lock().unwrap().push(asked.clone());
        let body = to_bytes(body, 1 << 28).await.unwrap();
        let (wait, cut, old) = match (self.reaction)(&asked) {
            Reaction::Git => (Duration::ZERO, None, false),
            Reaction::OldGit => (Duration::ZERO, None, true),
            Reaction::SlowGit(wait) => (wait, None, false),
            Reaction::CutGit(bytes) => (Duration::ZERO, Some(bytes), false),
            Reaction::Say(status, headers, body) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                return response.body(Body::from(body)).unwrap();
            }
            Reaction::Endless(content_type, piece) => {
                let pieces = stream::repeat_with(move || Ok::<_, Infallible>(piece.repeat(1000)));
                return Response::builder()
                    .header("content-type", content_type)
                    .body(Body::from_stream(pieces))
                    .unwrap();
            }
            Reaction::Hang => std::future::pending().await,
        };
        let protocol = asked.protocol.clone().filter(|_| !old);
        let backend = self.backend(&asked, header("content-type"), protocol, &body);
        backend.into_response(wait, cut).await
    }

    /// Runs git's own server program for one request.
    fn backend(
        &self,
        asked: &Asked,
        content_type: Option<String>,
        protocol: Option<String>,
        body: &[u8],
    ) -> Backend {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let mut command = tokio::process::Command::new("git");
        command
            .arg("http-backend")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &asked.method)
            .env("CONTENT_TYPE", content_type.unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("REMOTE_USER", USERNAME)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(protocol) = protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let body = body.to_vec();
        tokio::spawn(async move { input.write_all(&body).await });
        Backend {
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }
}

struct Backend {
    output: BufReader<tokio::process::ChildStdout>,
    child: tokio::process::Child,
}

impl Backend {
    /// The head as CGI has it, and the body as it comes.
    async fn into_response(mut self, wait: Duration, cut: Option<usize>) -> Response<Body> {
        let mut response = Response::builder();
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            response = match name {
                "Status" => {
                    response.status(value.split(' ').next().unwrap().parse::<u16>().unwrap())
                }
                name => response.header(name, value),
            };
        }
        let left = cut.unwrap_or(usize::MAX);
        let pieces = stream::unfold((self, left), move |(mut backend, left)| async move {
            tokio::time::sleep(wait).await;
            let mut piece = vec![0; if wait.is_zero() { 1 << 16 } else { 64 }];
            let size = backend.output.read(&mut piece).await.unwrap();
            if size == 0 {
                let _ = backend.child.wait().await;
                return None;
            }
            if left == 0 {
                let broken = Err(std::io::Error::other("cut off"));
                return Some((broken, (backend, 0)));
            }
            piece.truncate(size.min(left));
            let left = left - piece.len();
            Some((Ok(piece), (backend, left)))
        });
        response.body(Body::from_stream(pieces)).unwrap()
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
