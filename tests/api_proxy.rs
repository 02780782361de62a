//! What lies between a controller and the API server, and fails as a test says.
//!
//! It ends TLS with a certificate of its own and passes on what is asked to the real server, with the
//! credentials that come along. A rule judges each request, and a watch again with each event and
//! each change of the rule.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{Request, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::{StreamExt as _, stream};
use hyper::body::Incoming;
use hyper::client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::cluster::{ADMIN, Cluster};
use crate::deployed::{Controller, Deployment, wait};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Counts up.
    pub number: u64,
    pub method: String,
    pub path: String,
    pub query: String,
}

impl Asked {
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=")
    }

    /// Whether it is about this resource, in whatever namespace: all objects, one, or a part of one.
    pub fn is_about(&self, resource: &str) -> bool {
        self.path.split('/').any(|part| part == resource)
    }

    /// Whether it writes a status.
    pub fn is_status(&self) -> bool {
        self.method == "PATCH" && self.path.ends_with("/status")
    }
}

/// What becomes of a request, or of an event of a watch.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It waits until a rule says something else. The connection stays open and says nothing.
    Hold,
    /// The connection ends.
    Cut,
    /// This is the answer.
    Say(u16, String),
}

impl Verdict {
    /// As the API server refuses a write of what somebody else has written meanwhile.
    pub fn conflict() -> Self {
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Operation cannot be fulfilled: the object has been modified",
            "reason": "Conflict",
            "code": 409,
        });
        Self::Say(409, status.to_string())
    }
}

type Rule = Arc<dyn Fn(&Asked) -> Verdict + Send + Sync>;

/// A running proxy; it ends with the test.
pub struct ApiProxy {
    shared: Arc<Shared>,
    /// The clusters of a kubeconfig: this.
    way: Value,
    folder: TempDir,
    _runtime: Runtime,
}

impl ApiProxy {
    /// One that passes everything on to the API server of `cluster`.
    pub fn of(cluster: &Cluster) -> Self {
        let kubeconfig = fs::read(cluster.kubeconfig(&ADMIN)).unwrap();
        let mut kubeconfig: Value = serde_json::from_slice(&kubeconfig).unwrap();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::to(&kubeconfig["clusters"][0]["cluster"]));
        let (certificate, config) = certificate();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        runtime.spawn(serve(listener, acceptor, Arc::clone(&shared)));

        kubeconfig["clusters"][0]["cluster"] = json!({
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": BASE64_STANDARD.encode(certificate),
        });
        Self {
            shared,
            way: kubeconfig["clusters"].take(),
            folder: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        }
    }

    /// The kubeconfig of an account, which shall come this way.
    fn kubeconfig(&self, account: &Path) -> PathBuf {
        let mut kubeconfig: Value = serde_json::from_slice(&fs::read(account).unwrap()).unwrap();
        kubeconfig["clusters"] = self.way.clone();
        let file = self.folder.path().join(account.file_name().unwrap());
        fs::write(&file, kubeconfig.to_string()).unwrap();
        file
    }

    /// Starts a replica that comes this way, with Leases of this length. A watch that says nothing is
    /// given up after that time too.
    pub fn start(&self, deployment: &Deployment<'_>, replica: &str, lease: &str) -> Controller {
        self.start_command(&mut deployment.command_with_lease(replica, lease))
    }

    /// Starts what this command runs, and has it come this way.
    pub fn start_command(&self, command: &mut Command) -> Controller {
        let mut set = command.get_envs();
        let account = set.find_map(|(name, value)| (name == "KUBECONFIG").then_some(value)?);
        let kubeconfig = self.kubeconfig(Path::new(account.unwrap()));
        Controller::start(command.env("KUBECONFIG", kubeconfig))
    }

    /// Judges by this rule from now on, what is held included.
    pub fn rule(&self, rule: impl Fn(&Asked) -> Verdict + Send + Sync + 'static) {
        self.shared.rule.send_replace(Arc::new(rule));
    }

    /// Passes everything on again.
    pub fn mend(&self) {
        self.rule(|_| Verdict::Pass);
    }

    /// The number of the last request so far.
    pub fn last(&self) -> u64 {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many requests were asked of which this is true.
    pub fn count(&self, is: impl Fn(&Asked) -> bool) -> usize {
        self.asked().iter().filter(|asked| is(asked)).count()
    }

    /// Waits until so many more requests have come than at this moment.
    pub fn wait_for(&self, what: &str, more: usize, is: impl Fn(&Asked) -> bool) {
        let before = self.count(&is);
        wait(what, || {
            let now = self.count(&is) - before;
            (now >= more).then_some(()).ok_or(json!(now))
        });
    }

    /// Waits until a request is held of which this is true.
    pub fn wait_until_held(&self, what: &str, is: impl Fn(&Asked) -> bool) {
        wait(what, || {
            let held = self.shared.held.lock().unwrap();
            held.values().any(&is).then_some(()).ok_or(Value::Null)
        });
    }
}

struct Shared {
    address: String,
    connector: TlsConnector,
    rule: watch::Sender<Rule>,
    count: AtomicU64,
    asked: Mutex<Vec<Asked>>,
    held: Mutex<BTreeMap<u64, Asked>>,
}

impl Shared {
    /// To the server that a kubeconfig names.
    fn to(cluster: &Value) -> Self {
        let server = cluster["server"].as_str().unwrap();
        let authority = cluster["certificate-authority"].as_str().unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let pass: Rule = Arc::new(|_| Verdict::Pass);
        Self {
            address: server.trim_start_matches("https://").to_owned(),
            connector: TlsConnector::from(Arc::new(config)),
            rule: watch::Sender::new(pass),
            count: AtomicU64::new(0),
            asked: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// What becomes of it when it is held no more.
    async fn verdict(&self, asked: &Asked) -> Verdict {
        let mut rules = self.rule.subscribe();
        let mut held = None;
        loop {
            let rule = Arc::clone(&rules.borrow_and_update());
            match rule(asked) {
                Verdict::Hold => held = held.or_else(|| Some(Held::of(self, asked))),
                verdict => return verdict,
            }
            // The sender lives as long as this does.
            let _ = rules.changed().await;
        }
    }

    /// Ends when a watch is cut that goes on.
    async fn cut(&self, asked: &Asked) {
        let mut rules = self.rule.subscribe();
        loop {
            let rule = Arc::clone(&rules.borrow_and_update());
            if matches!(rule(asked), Verdict::Cut) {
                return;
            }
            let _ = rules.changed().await;
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let uri = request.uri();
        let asked = Asked {
            number: self.count.fetch_add(1, Ordering::SeqCst) + 1,
            method: request.method().to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
        };
        self.asked.lock().unwrap().push(asked.clone());
        match self.verdict(&asked).await {
            Verdict::Pass | Verdict::Hold => {}
            Verdict::Cut => return Err(cut_off()),
            Verdict::Say(status, body) => {
                let response = Response::builder()
                    .status(status)
                    .header("content-type", "application/json")
                    .body(Body::from(body));
                return Ok(response.unwrap());
            }
        }
        let answer = self.pass_on(request).await?;
        if !asked.is_watch() {
            return Ok(answer.map(Body::new));
        }
        let (head, body) = answer.into_parts();
        let events = Body::new(body).into_data_stream();
        let events = Events {
            shared: self,
            asked,
            incoming: events,
        };
        Ok(Response::from_parts(head, events.into_body()))
    }

    /// The real server's answer.
    async fn pass_on(&self, request: Request<Incoming>) -> io::Result<Response<Incoming>> {
        let stream = TcpStream::connect(&self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = self.connector.connect(name, stream).await?;
        let handshake = client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(io::Error::other)
    }
}

/// That a request is held, for as long as it is.
struct Held<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Held<'a> {
    fn of(shared: &'a Shared, asked: &Asked) -> Self {
        let mut held = shared.held.lock().unwrap();
        held.insert(asked.number, asked.clone());
        Self {
            shared,
            number: asked.number,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.held.lock().unwrap().remove(&self.number);
    }
}

/// The events of a watch, each judged when it comes.
struct Events {
    shared: Arc<Shared>,
    asked: Asked,
    incoming: BodyDataStream,
}

impl Events {
    fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), |this| async {
            let mut this = this?;
            match this.next().await {
                Some(Ok(event)) => Some((Ok(event), Some(this))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        }))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let event = tokio::select! {
            event = self.incoming.next() => event,
            () = self.shared.cut(&self.asked) => return Some(Err(cut_off())),
        };
        // The end is an event too: who hangs does not say so either.
        match self.shared.verdict(&self.asked).await {
            Verdict::Cut => Some(Err(cut_off())),
            _ => event.map(|event| event.map_err(io::Error::other)),
        }
    }
}

fn cut_off() -> io::Error {
    io::Error::other("cut off")
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let answer = service_fn(move |request| Arc::clone(&shared).answer(request));
            // A connection that was cut, or that the controller has ended.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// A certificate that is its own authority, as PEM, and a server that shows it.
fn certificate() -> (String, ServerConfig) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    (made.cert.pem(), config)
}
