//! Where the loop's resources come from.

use std::time::Duration;

use diarchy_core::consequence::Consequence;
use diarchy_git::signature::{self, TrustedKeys};
use diarchy_git::{FetchRequest, Fetched, Fetcher, Source};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::error::OperatorError;

/// Where the loop's resources come from.
pub enum Origin {
    /// From this machine.
    Here(Source),
    /// From a repository on another machine.
    Remote(Box<Remote>),
}

/// A repository on another machine, looked at again and again.
///
/// Between two looks real time passes, whatever the loop's clock does: the server is no part of a
/// simulation, and must not be asked a thousand times as often because of one.
pub struct Remote {
    fetcher: Fetcher,
    request: FetchRequest,
    keys: Option<TrustedKeys>,
    interval: Duration,
    next: Option<Instant>,
    last: Option<Result<Fetched, OperatorError>>,
}

impl Remote {
    /// What `request` asks for, looked at every `interval`, and accepted only if it is signed with
    /// one of `keys`, where any are given. Nothing is fetched yet.
    #[must_use]
    pub const fn new(
        fetcher: Fetcher,
        request: FetchRequest,
        keys: Option<TrustedKeys>,
        interval: Duration,
    ) -> Self {
        Self {
            fetcher,
            request,
            keys,
            interval,
            next: None,
            last: None,
        }
    }

    /// Takes what was fetched just now for the first look.
    #[must_use]
    pub fn after(mut self, fetched: Fetched) -> Self {
        self.next = Some(Instant::now() + self.interval);
        self.last = Some(Ok(fetched));
        self
    }

    /// What there is: as of the last look, or of one now if it is time.
    async fn newest(&mut self) -> Result<Fetched, OperatorError> {
        if let Some(last) = &self.last
            && self.next.is_some_and(|next| Instant::now() < next)
        {
            return last.clone();
        }
        let outcome = self.look().await;
        self.request.afresh = false;
        self.next = Some(Instant::now() + self.pause(&outcome));
        self.last = Some(outcome.clone());
        outcome
    }

    async fn look(&self) -> Result<Fetched, OperatorError> {
        let fetched = self.fetcher.fetch(&self.request).await?;
        if let Some(keys) = &self.keys {
            let signer = signature::verify(&fetched, keys, Timestamp::now())?;
            tracing::debug!(
                revision = fetched.revision,
                signer = signer.name,
                "verified"
            );
        }
        Ok(fetched)
    }

    /// How long until the next look: the interval, or longer if the server asks for it.
    fn pause(&self, outcome: &Result<Fetched, OperatorError>) -> Duration {
        let asked = match outcome {
            Err(OperatorError::Fetch(error)) => match error.consequence() {
                Consequence::WaitUntil(until) => until.duration_since(Timestamp::now()),
                Consequence::FixInput | Consequence::Retry => return self.interval,
            },
            _ => return self.interval,
        };
        Duration::try_from(asked).map_or(self.interval, |asked| asked.max(self.interval))
    }

    /// What was in force at the end of another run, out of the mirror.
    fn remembered(&self, commit: &str) -> Fetched {
        Fetched {
            address: self.request.address.clone(),
            mirror: self.request.mirror.clone(),
            commit: commit.to_owned(),
            tag: None,
            revision: format!("sha1:{commit}"),
        }
    }
}

impl Origin {
    /// What there is to read.
    pub(crate) async fn newest(&mut self) -> Result<Source, OperatorError> {
        match self {
            Self::Here(source) => Ok(source.clone()),
            Self::Remote(remote) => Ok(Source::Fetched(Box::new(remote.newest().await?))),
        }
    }

    /// Has the next look fetch everything anew: what was fetched cannot be read.
    pub(crate) fn distrust(&mut self) {
        if let Self::Remote(remote) = self {
            remote.request.afresh = true;
            remote.next = None;
        }
    }

    /// Where the commit that was in force at the end of another run is read from; a folder on disk
    /// has none.
    pub(crate) fn remembered(&self, commit: &str) -> Option<Source> {
        match self {
            Self::Here(Source::WorkingTree(_)) => None,
            Self::Here(source) => Some(source.clone()),
            Self::Remote(remote) => Some(Source::Fetched(Box::new(remote.remembered(commit)))),
        }
    }

    /// Looks at the interval of the source until something is there that was not there before. On
    /// this machine every pass looks by itself, so that nothing is waited for.
    pub(crate) async fn news(&mut self) {
        let Self::Remote(remote) = self else {
            return std::future::pending().await;
        };
        loop {
            let before = commit(remote.last.as_ref());
            if let Some(next) = remote.next {
                tokio::time::sleep_until(next).await;
            }
            // Given up in the middle, a look is taken again by whoever wants to know next.
            let _ = remote.newest().await;
            let now = commit(remote.last.as_ref());
            if now.is_some() && now != before {
                return;
            }
        }
    }
}

fn commit(outcome: Option<&Result<Fetched, OperatorError>>) -> Option<String> {
    let fetched = outcome?.as_ref().ok()?;
    Some(fetched.commit.clone())
}
