//! The process that fetches: one request in, one answer out, and an end.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connection::Connection;
use super::error::FetchError;
use super::mirror::Mirror;
use super::protocol::{self, Conversation};
use super::request::{Answer, FetchRequest, Fetched, Limits, Wire};

/// The longest request: keys and certificates are some kilobytes.
const LONGEST_REQUEST: u64 = 4 << 20;
/// How long after the time allowed a process ends that nobody has ended.
const GRACE: Duration = Duration::from_secs(5);

/// Carries out the one request that `input` holds, and writes one line to `output`.
///
/// This is what the program does in a process of its own, started by a [`super::Fetcher`]. It bounds
/// its own memory, so it must not be called in a process that does anything else.
///
/// # Errors
///
/// A request that cannot be read, or an answer that cannot be written: the one who asked is gone.
pub fn serve(input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut text = String::new();
    input.take(LONGEST_REQUEST).read_to_string(&mut text)?;
    // What is wrong with it is not said: it would be said with a piece of what is secret.
    let wire: Wire =
        serde_json::from_str(&text).map_err(|_| io::Error::other("the request cannot be read"))?;
    drop(text);
    let request = FetchRequest::from(wire);
    bound(&request.limits);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = match runtime.block_on(fetch(&request)) {
        Ok(fetched) => Answer::Fetched(fetched),
        Err(error) => Answer::Failed(error),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Fetches in this very process, without any limit of memory or time.
///
/// # Errors
///
/// [`FetchError`], typed by what it asks of the caller.
pub async fn fetch(request: &FetchRequest) -> Result<Fetched, FetchError> {
    let mut mirror = Mirror::open(&request.mirror, request.afresh)?;
    let mut connection = Connection::open(request).await?;
    let mut conversation = Conversation {
        connection: &mut connection,
        request,
        host: request.address.host(),
    };
    let fetched = protocol::fetch(&mut conversation, &mut mirror).await;
    connection.close().await;
    fetched
}

/// Bounds what the process may take, whatever the server makes it do.
fn bound(limits: &Limits) {
    let longest = limits.timeout + GRACE;
    // Ends even what waits for a lock, when the one who asked was killed and cannot. Started first:
    // below a low limit of memory no thread can be.
    thread::spawn(move || {
        thread::sleep(longest);
        std::process::exit(1);
    });
    // What is not allowed anyhow cannot be raised, and is no reason not to fetch.
    let lower = |resource: Resource, most: u64| {
        let now = getrlimit(resource);
        let most = now.maximum.map_or(most, |maximum| maximum.min(most));
        let bounded = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        if let Err(error) = setrlimit(resource, bounded) {
            tracing::debug!(%error, ?resource, "a limit is not set");
        }
    };
    // No picture of a memory with credentials in it.
    lower(Resource::Core, 0);
    lower(Resource::Data, limits.memory_bytes);
}
