//! Ssh servers with the real `git-upload-pack` behind them: one of the library's, which is always
//! there, and the real sshd where the machine has one.

use std::fs;
use std::net::TcpListener as Listener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A key pair made by ssh-keygen.
pub struct Key {
    _folder: TempDir,
    pub private: String,
    pub public: String,
}

impl Key {
    pub fn new(kind: &str) -> Self {
        Self::encrypted(kind, "")
    }

    /// One that is encrypted with `passphrase`.
    pub fn encrypted(kind: &str, passphrase: &str) -> Self {
        loop {
            let key = Self::any(kind, passphrase);
            // One ECDSA key in 256 begins with a zero, and the library cannot read it.
            if kind != "ecdsa" || PrivateKey::from_openssh(&key.private).is_ok() {
                return key;
            }
        }
    }

    fn any(kind: &str, passphrase: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let status = Command::new("ssh-keygen")
            .args([
                "-q",
                "-t",
                kind,
                "-N",
                passphrase,
                "-C",
                "made for a test",
                "-f",
            ])
            .arg(&file)
            .status()
            .unwrap();
        assert!(status.success());
        Self {
            private: fs::read_to_string(&file).unwrap(),
            public: fs::read_to_string(file.with_extension("pub")).unwrap(),
            _folder: folder,
        }
    }

    /// As `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        PublicKey::from_openssh(&self.public)
            .unwrap()
            .fingerprint(russh::keys::HashAlg::Sha256)
            .to_string()
    }
}

/// What the server of the library does.
#[derive(Clone)]
pub struct Manners {
    /// Whose key is let in.
    pub known: String,
    /// The folder that the paths of repositories are below.
    pub root: PathBuf,
    /// Whether the wish for a newer protocol is passed on to git.
    pub passes_environment: bool,
    /// What is said instead of letting git answer.
    pub refuses: Option<&'static str>,
}

/// A running server; it ends with the test.
pub struct SshServer {
    pub port: u16,
    task: Option<JoinHandle<()>>,
    sshd: Option<(Child, TempDir)>,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        if let Some((child, _)) = &mut self.sshd {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl SshServer {
    /// The line of a `known_hosts` file.
    pub fn known_as(&self, key: &Key) -> String {
        format!("[127.0.0.1]:{} {}", self.port, key.public)
    }
}

/// The library's server.
pub async fn serve(host_keys: &[&Key], manners: Manners) -> SshServer {
    let keys = host_keys
        .iter()
        .map(|key| PrivateKey::from_openssh(&key.private).unwrap())
        .collect();
    let config = Arc::new(server::Config {
        keys,
        auth_rejection_time: Duration::from_millis(10),
        ..server::Config::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let session = Guest {
                manners: manners.clone(),
                protocol: None,
                input: None,
            };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(running) = server::run_stream(config, stream, session).await {
                    let _ = running.await;
                }
            });
        }
    });
    SshServer {
        port,
        task: Some(task),
        sshd: None,
    }
}

struct Guest {
    manners: Manners,
    protocol: Option<String>,
    input: Option<tokio::process::ChildStdin>,
}

impl server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        let known = PublicKey::from_openssh(&self.manners.known).unwrap();
        if known.key_data() == key.public_key.key_data() {
            Ok(Auth::Accept)
        } else {
            Ok(Auth::reject())
        }
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.manners.passes_environment && name == "GIT_PROTOCOL" {
            self.protocol = Some(value.to_owned());
        }
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        let handle = session.handle();
        if let Some(words) = self.manners.refuses {
            session.extended_data(channel, 1, words.as_bytes().to_vec())?;
            session.exit_status_request(channel, 1)?;
            session.eof(channel)?;
            return session.close(channel);
        }
        // A shell takes the word apart, as at any host of git.
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", str::from_utf8(command).unwrap()])
            .current_dir(&self.manners.root)
            .env_remove("GIT_PROTOCOL")
            .envs(
                self.protocol
                    .clone()
                    .map(|protocol| ("GIT_PROTOCOL", protocol)),
            )
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.input = child.stdin.take();
        tokio::spawn(async move {
            let mut output = child.stdout.take().unwrap();
            let mut piece = vec![0; 1 << 15];
            while let Ok(size) = output.read(&mut piece).await
                && size > 0
            {
                if handle.data(channel, piece[..size].to_vec()).await.is_err() {
                    return;
                }
            }
            let mut words = Vec::new();
            let _ = child.stderr.take().unwrap().read_to_end(&mut words).await;
            let _ = handle.extended_data(channel, 1, words).await;
            let status = child.wait().await.unwrap().code().unwrap_or(128);
            let _ = handle
                .exit_status_request(channel, status.try_into().unwrap())
                .await;
            let _ = handle.eof(channel).await;
            let _ = handle.close(channel).await;
        });
        Ok(())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(data).await;
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.input = None;
        Ok(())
    }
}

/// Where the machine keeps the real server, if it has one.
fn sshd_of_the_machine() -> PathBuf {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
        .map(PathBuf::from)
        .into_iter()
        .find(|place| place.is_file())
        .expect("sshd, the server of OpenSSH: tests/run installs it")
}

/// The real server of OpenSSH, for the user who runs the test.
pub fn sshd(host_key: &Key, known: &str) -> SshServer {
    let program = sshd_of_the_machine();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("authorized_keys");
    fs::write(&keys, known).unwrap();
    let host = folder.path().join("host_key");
    fs::write(&host, &host_key.private).unwrap();
    for file in [&keys, &host] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let port = Listener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // The real one wants this folder, which the package makes when it starts as a service.
    let _ = fs::create_dir_all("/run/sshd");
    let config = folder.path().join("config");
    let text = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
         PidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n\
         AcceptEnv GIT_PROTOCOL\n",
        host.display(),
        keys.display()
    );
    fs::write(&config, text).unwrap();
    let child = Command::new(program)
        .args(["-D", "-e", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "sshd does not listen");
        std::thread::yield_now();
    }
    SshServer {
        port,
        task: None,
        sshd: Some((child, folder)),
    }
}

/// Whoever runs the test: the real server lets nobody else in.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// How the repository below `root` is written.
pub fn path_of(root: &Path) -> String {
    root.join("fleet.git").to_str().unwrap().to_owned()
}
