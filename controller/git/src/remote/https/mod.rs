//! Repositories over https.

mod failure;

use std::time::Duration;

use reqwest::header::{
    ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::address::host_of;
use super::credentials::{Credentials, Login, ca_unusable};
use super::error::FetchError;
use super::request::FetchRequest;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(15);
/// How often a server may send one elsewhere.
const MOST_REDIRECTS: usize = 5;

const GREETING: &str = "application/x-git-upload-pack-advertisement";
const QUESTION: &str = "application/x-git-upload-pack-request";
const ANSWER: &str = "application/x-git-upload-pack-result";

/// A repository behind https.
pub struct Https {
    client: Client,
    /// Where it is: where the address said, or where the server sent on to.
    url: Url,
    credentials: Credentials,
    /// Whether the server is the one that the credentials are for.
    at_home: bool,
    /// As the address was written.
    address: String,
}

impl Https {
    /// A way to the repository at `url`; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`FetchError::Credentials`] for a CA or a login that cannot be used.
    pub fn new(request: &FetchRequest, url: &Url) -> Result<Self, FetchError> {
        super::provide_cryptography();
        let mut builder = Client::builder()
            .user_agent(super::AGENT)
            .connect_timeout(CONNECT)
            // Each is looked at, because credentials must not follow to another host.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &request.credentials.ca {
            builder = builder.tls_certs_only(certificates(ca)?);
        }
        let client = builder
            .build()
            .map_err(|error| ca_unusable(format!("no TLS client can be made: {error}")))?;
        Ok(Self {
            client,
            url: url.clone(),
            credentials: request.credentials.clone(),
            at_home: true,
            address: request.address.to_string(),
        })
    }

    /// What the server says first, wherever it sends one on to.
    pub async fn greeting(&mut self) -> Result<Body, FetchError> {
        for _ in 0..=MOST_REDIRECTS {
            let mut url = self.service("info/refs");
            url.set_query(Some("service=git-upload-pack"));
            let request = self.client.request(Method::GET, url.clone());
            let response = self.send(request).await?;
            if response.status().is_redirection() {
                self.go_on(&url, response.headers())?;
                continue;
            }
            return self.body(response, GREETING).await;
        }
        Err(self.answer(&format!(
            "it sends elsewhere more than {MOST_REDIRECTS} times"
        )))
    }

    /// What the server answers to `question`.
    pub async fn ask(&self, question: Vec<u8>) -> Result<Body, FetchError> {
        let request = self
            .client
            .request(Method::POST, self.service("git-upload-pack"))
            .header(CONTENT_TYPE, QUESTION)
            .header(ACCEPT, ANSWER)
            .body(question);
        let response = self.send(request).await?;
        self.body(response, ANSWER).await
    }

    /// The address of a part of the repository.
    fn service(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, FetchError> {
        let request = request.header(
            HeaderName::from_static("git-protocol"),
            HeaderValue::from_static("version=2"),
        );
        let request = match self.login()? {
            Login::Nobody => request,
            Login::Basic(username, password) => {
                request.basic_auth(username, Some(password.reveal()))
            }
            Login::Bearer(token) => request.bearer_auth(token.reveal()),
        };
        request
            .send()
            .await
            .map_err(|error| failure::of_network(error, &self.host(), &self.credentials))
    }

    /// Who asks: nobody, once the server has sent one on to another.
    fn login(&self) -> Result<Login<'_>, FetchError> {
        if self.at_home {
            self.credentials.login()
        } else {
            Ok(Login::Nobody)
        }
    }

    /// Goes where the server says, without credentials if that is another server.
    fn go_on(&mut self, from: &Url, headers: &HeaderMap) -> Result<(), FetchError> {
        let to = headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| self.answer("it sends elsewhere, and does not say where"))?;
        let base = to
            .path()
            .strip_suffix("/info/refs")
            .map(ToOwned::to_owned)
            .ok_or_else(|| {
                self.answer(&format!(
                    "it sends to a page on {} that is no repository, such as one to sign in",
                    host_of(&to)
                ))
            })?;
        let plain = to.scheme() == "http" && diarchy_crds::is_loopback(&to);
        if to.scheme() != "https" && !plain {
            return Err(self.answer(&format!("it sends to {}, which is not https", host_of(&to))));
        }
        // Scheme, host and port: a port is another server.
        self.at_home &= to.origin() == from.origin();
        let mut url = to;
        url.set_path(&base);
        url.set_query(None);
        url.set_fragment(None);
        // What a redirect carries as a login is not ours, and must not be shown.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        self.url = url;
        Ok(())
    }

    /// The answer, if it is one of git's.
    async fn body(&self, response: Response, content_type: &str) -> Result<Body, FetchError> {
        let status = response.status();
        let found = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|found| found.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if status != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        if found.split(';').next().unwrap_or_default().trim() != content_type {
            let found = super::error::one_line(&found);
            return Err(if found.is_empty() {
                self.answer("it does not say what it sends")
            } else {
                self.answer(&format!("it sends {found} and nothing of git's"))
            });
        }
        Ok(Body {
            response,
            host: self.host(),
            credentials: self.credentials.clone(),
        })
    }

    /// What a status other than 200 means.
    async fn refusal(&self, response: Response) -> FetchError {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|header| header.to_str().ok())
            .map(ToOwned::to_owned);
        let page = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|found| !found.as_bytes().starts_with(b"text/plain"));
        let words = failure::beginning(response).await;
        failure::Refusal {
            host: self.host(),
            address: &self.address,
            status,
            retry_after,
            // A page for people says nothing in its first lines.
            words: if page {
                String::new()
            } else {
                self.credentials.hidden_in(&words)
            },
            asked_as_nobody: self.login() == Ok(Login::Nobody),
            sent_on: !self.at_home,
        }
        .into_error()
    }

    fn host(&self) -> String {
        host_of(&self.url)
    }

    fn answer(&self, detail: &str) -> FetchError {
        FetchError::Answer {
            host: self.host(),
            detail: self.credentials.hidden_in(detail),
        }
    }
}

fn certificates(pem: &str) -> Result<Vec<Certificate>, FetchError> {
    let certificates = Certificate::from_pem_bundle(pem.as_bytes())
        .map_err(|error| ca_unusable(format!("it cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(ca_unusable("it holds no certificate"));
    }
    Ok(certificates)
}

/// The rest of an answer.
pub struct Body {
    response: Response,
    host: String,
    credentials: Credentials,
}

impl Body {
    /// Adds what comes next to `buffer`; false at the end.
    pub async fn more(&mut self, buffer: &mut Vec<u8>) -> Result<bool, FetchError> {
        let chunk = self
            .response
            .chunk()
            .await
            .map_err(|error| failure::of_network(error, &self.host, &self.credentials))?;
        Ok(chunk.is_some_and(|chunk| {
            buffer.extend_from_slice(&chunk);
            true
        }))
    }
}
