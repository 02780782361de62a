//! The side that asks: a process for each fetch, and an end to it in time.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::error::{FetchError, one_line};
use super::request::{Answer, FetchRequest, Fetched, Wire};

/// The program's own file, even after an update has replaced it.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How much of an answer is read.
const LONGEST_ANSWER: u64 = 1 << 20;
/// How much of what a process grumbles is kept.
const LONGEST_GRUMBLE: u64 = 4096;

/// Starts a short-lived process for each fetch.
///
/// libgit2's state belongs to a whole process, and what a server sends may make it take any amount
/// of memory or time; a process of its own can be bounded and killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetcher {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Fetcher {
    /// Runs `program`, which must call [`super::serve`] when it is started with `arguments`.
    #[must_use]
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// Runs this very program again, which must call [`super::serve`] when it is started with
    /// `arguments`.
    ///
    /// # Errors
    ///
    /// The program's own file is not to be found.
    pub fn of_this_program<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let program = if Path::new(THIS_PROGRAM).exists() {
            PathBuf::from(THIS_PROGRAM)
        } else {
            std::env::current_exe()?
        };
        Ok(Self::new(program, arguments))
    }

    /// Fetches, and kills the process when the time allowed is over or the caller loses interest.
    ///
    /// # Errors
    ///
    /// [`FetchError`], typed by what it asks of the caller.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let allowed = request.limits.timeout;
        let mut child = self
            .start()
            .map_err(|error| stopped(request, &error.to_string()))?;
        let outcome = timeout(allowed, converse(&mut child, request)).await;
        let Ok(outcome) = outcome else {
            // Whatever it leaves behind, the next fetch repairs.
            let _ = child.kill().await;
            return Err(FetchError::TooSlow {
                address: request.address.to_string(),
                allowed: format!("{}s", allowed.as_secs_f64()),
            });
        };
        outcome.map_err(|error| stopped(request, &error.to_string()))?
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            // How it ended is said in a line; a trace needs memory that it may not have.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

async fn converse(
    child: &mut Child,
    request: &FetchRequest,
) -> io::Result<Result<Fetched, FetchError>> {
    let question = serde_json::to_vec(&Wire::from(request))?;
    let ask = async {
        if let Some(mut input) = child.stdin.take() {
            // A process that ends early says why by how it ends.
            let _ = input.write_all(&question).await;
        }
    };
    let answer = read(child.stdout.take(), LONGEST_ANSWER);
    let grumble = read(child.stderr.take(), LONGEST_GRUMBLE);
    let ((), answer, grumble) = tokio::join!(ask, answer, grumble);
    let status = child.wait().await?;
    Ok(match serde_json::from_str(&answer?) {
        Ok(Answer::Fetched(fetched)) => Ok(fetched),
        Ok(Answer::Failed(error)) => Err(error),
        Err(_) => {
            let words = request.credentials.hidden_in(&grumble.unwrap_or_default());
            Err(stopped(request, &how_it_ended(status, &words)))
        }
    })
}

/// The beginning of what a process writes. The rest is read too: a full pipe would stop it.
async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(most).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn how_it_ended(status: ExitStatus, words: &str) -> String {
    match words.lines().last().map(one_line) {
        Some(words) if !words.is_empty() => format!("{status}, {words}"),
        _ => status.to_string(),
    }
}

fn stopped(request: &FetchRequest, detail: &str) -> FetchError {
    FetchError::Stopped {
        address: request.address.to_string(),
        detail: one_line(detail),
    }
}
