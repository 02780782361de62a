//! Repositories over ssh: `git-upload-pack` at the other end of a channel.

mod identity;
mod known_hosts;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, ChannelMsg, Disconnect, Preferred};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::SshAddress;
use super::error::{FetchError, one_line};
use super::request::FetchRequest;

use known_hosts::KnownHost;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a server that has ended may take to say how.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How much of what a server grumbles is kept.
const GRUMBLE: usize = 2048;
/// What the server sends on the channel beside the answer.
const STDERR: u32 = 1;

/// A repository behind ssh.
pub struct Ssh {
    handle: Handle<Gate>,
    channel: Channel<Msg>,
    host: String,
    address: String,
    grumble: Vec<u8>,
    status: Option<u32>,
    ended: bool,
}

/// Lets nobody but the known host through.
struct Gate {
    known: KnownHost,
    verdict: Arc<Mutex<Option<FetchError>>>,
}

impl client::Handler for Gate {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // A certificate is never asked for; one that comes anyhow is judged by its key.
        let verdict = self.known.judge(&shown.public_key());
        let is_known = verdict.is_ok();
        let mut kept = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = verdict.err();
        Ok(is_known)
    }
}

impl Ssh {
    /// Connects, checks the host, logs in and starts `git-upload-pack`.
    ///
    /// # Errors
    ///
    /// All that can go wrong on the way.
    pub async fn open(request: &FetchRequest, to: &SshAddress) -> Result<Self, FetchError> {
        let (identity, known_hosts) = request.credentials.ssh()?;
        let key = identity::read(identity, &request.credentials)?;
        let known = KnownHost::find(known_hosts, &to.known_as())?;
        let mut handle = connect(to, known).await?;
        log_in(&mut handle, to, key).await?;
        let broken = |error: russh::Error| unreachable(to, &error);
        let channel = handle.channel_open_session().await.map_err(broken)?;
        // A server that does not take it speaks an older version, which is understood as well.
        channel
            .set_env(false, "GIT_PROTOCOL", "version=2")
            .await
            .map_err(broken)?;
        let command = format!("git-upload-pack {}", quoted(&to.path));
        channel.exec(true, command).await.map_err(broken)?;
        Ok(Self {
            handle,
            channel,
            host: to.known_as(),
            address: request.address.to_string(),
            grumble: Vec::new(),
            status: None,
            ended: false,
        })
    }

    /// Sends `bytes` to the server.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<(), FetchError> {
        let sent = self.channel.data_bytes(bytes).await;
        sent.map_err(|error| FetchError::Unreachable {
            host: self.host.clone(),
            detail: one_line(&error.to_string()),
        })
    }

    /// Adds what comes next to `buffer`; false at the end.
    pub async fn more(&mut self, buffer: &mut Vec<u8>) -> Result<bool, FetchError> {
        loop {
            let message = if self.ended {
                timeout(LAST_WORDS, self.channel.wait())
                    .await
                    .ok()
                    .flatten()
            } else {
                self.channel.wait().await
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    buffer.extend_from_slice(&data);
                    return Ok(true);
                }
                Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
                    let room = GRUMBLE.saturating_sub(self.grumble.len());
                    self.grumble.extend(data.iter().take(room));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
                Some(ChannelMsg::Failure) => {
                    return Err(self.forbidden("it does not run git-upload-pack".to_owned()));
                }
                Some(ChannelMsg::Eof) => self.ended = true,
                Some(ChannelMsg::Close) | None => {
                    self.ended = true;
                    return Ok(false);
                }
                Some(_) => {}
            }
        }
    }

    /// What the end of the answer means, if the server has said anything about it.
    pub fn fault(&self) -> Option<FetchError> {
        let words = one_line(&String::from_utf8_lossy(&self.grumble));
        if words.is_empty() {
            let status = self.status.filter(|status| *status != 0)?;
            return Some(FetchError::Answer {
                host: self.host.clone(),
                detail: format!("git-upload-pack ended with status {status}"),
            });
        }
        Some(self.grumbled(&words))
    }

    /// Servers have no codes for this, only words, which most of them take from git.
    fn grumbled(&self, words: &str) -> FetchError {
        let lower = words.to_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
        if says(&[
            "denied",
            "permission",
            "not allowed",
            "unauthorized",
            "forbidden",
        ]) {
            return self.forbidden(format!("`{words}`"));
        }
        let host = self.host.clone();
        if says(&[
            "not found",
            "not exist",
            "not appear to be a git repository",
        ]) {
            return FetchError::NotFound {
                host,
                address: self.address.clone(),
                detail: format!("`{words}`"),
            };
        }
        FetchError::Answer {
            host,
            detail: format!("it says `{words}`"),
        }
    }

    fn forbidden(&self, detail: String) -> FetchError {
        FetchError::Forbidden {
            host: self.host.clone(),
            address: self.address.clone(),
            detail,
        }
    }

    /// Takes leave, so that the server does not log an accident. Nothing depends on it.
    pub async fn close(self) {
        let leave = async {
            let _ = self.channel.data_bytes(&b"0000"[..]).await;
            let _ = self.channel.eof().await;
            let _ = self
                .handle
                .disconnect(Disconnect::ByApplication, "", "en")
                .await;
        };
        let _ = timeout(LAST_WORDS, leave).await;
    }
}

async fn connect(to: &SshAddress, known: KnownHost) -> Result<Handle<Gate>, FetchError> {
    let verdict = Arc::new(Mutex::new(None));
    let config = client::Config {
        preferred: Preferred {
            key: known.algorithms(),
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..Preferred::DEFAULT
        },
        nodelay: true,
        ..client::Config::default()
    };
    let gate = Gate {
        known: known.clone(),
        verdict: Arc::clone(&verdict),
    };
    let connecting = async {
        let stream = TcpStream::connect((to.host.as_str(), to.port)).await?;
        client::connect_stream(Arc::new(config), stream, gate).await
    };
    let connected = timeout(CONNECT, connecting).await;
    if let Some(refused) = verdict
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
    {
        return Err(refused);
    }
    match connected {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(russh::Error::NoCommonAlgo {
            kind: AlgorithmKind::Key,
            theirs,
            ..
        })) => Err(known.no_common(&theirs)),
        Ok(Err(error)) => Err(unreachable(to, &error)),
        Err(_) => Err(unreachable(to, &russh::Error::ConnectionTimeout)),
    }
}

async fn log_in(
    handle: &mut Handle<Gate>,
    to: &SshAddress,
    key: russh::keys::PrivateKey,
) -> Result<(), FetchError> {
    let broken = |error: russh::Error| unreachable(to, &error);
    let shown = known_hosts::named(key.public_key());
    let hash = if key.algorithm().is_rsa() {
        let best = handle.best_supported_rsa_hash().await.map_err(broken)?;
        // SHA-1 is not signed with, whatever the server asks for.
        Some(best.flatten().unwrap_or(HashAlg::Sha256))
    } else {
        None
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let outcome = handle
        .authenticate_publickey(&to.user, key)
        .await
        .map_err(broken)?;
    match outcome {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => Err(FetchError::Refused {
            host: to.known_as(),
            detail: format!("it does not know the key {shown} of user `{}`", to.user),
            remedy: "add the public key to the repository as a deploy key that may read".to_owned(),
        }),
    }
}

fn unreachable(to: &SshAddress, error: &russh::Error) -> FetchError {
    FetchError::Unreachable {
        host: to.known_as(),
        detail: one_line(&error.to_string()),
    }
}

/// A word for the shell at the other end.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(quoted("/srv/a b.git"), "'/srv/a b.git'");
        assert_eq!(quoted("x'; rm -rf /'"), r"'x'\''; rm -rf /'\'''");
    }
}
