//! The loop of one source for as long as this replica has it.

use std::sync::Arc;
use std::time::Duration;

use diarchy_core::consequence::Consequence;
use diarchy_core::resource::Kind;
use diarchy_crds::git_source::{GitSourceSpec, GitSourceStatus};
use diarchy_git::signature::VerifyError;
use diarchy_operator::connect::Fingerprint;
use diarchy_operator::error::OperatorError;
use jiff::Timestamp;
use tokio::sync::watch;

use super::SourcesShared;
use super::error::SourceError;
use super::events::events;
use super::look::{Look, Memory};
use super::recall;
use super::status::{About, Outcome};
use super::wanted::Wanted;
use super::work::Work;
use crate::backoff::doubled;
use crate::holds::Thing;
use crate::loops::Wanted as _;
use crate::statuses::{Found, resource};

/// The first wait after a look that failed and may come to something by itself; each further one is
/// twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(10);
/// How seldom a server is asked at most that refuses the credentials.
const REFUSED_WAIT: Duration = Duration::from_hours(1);

/// Looks again and again, until the source is wanted here no more.
///
/// A fetch is given up then; an apply that has begun is made to its end.
pub async fn run(shared: Arc<SourcesShared>, mut wanted: watch::Receiver<Wanted>) {
    let mut of_source = SourceLoop {
        shared: &shared,
        memory: Memory::default(),
        last: None,
        failures: 0,
    };
    loop {
        let now = wanted.borrow_and_update().clone();
        let Some(next) = of_source.turn(&now, &mut wanted).await else {
            return;
        };
        tokio::select! {
            () = next.due() => {}
            () = of_source.secrets_change(&now, next.fingerprint.as_ref()) => {}
            differs = wanted.wait_for(|new| new.differs_from(&now)) => {
                if differs.is_err() {
                    return;
                }
            }
        }
    }
}

/// When to look again.
#[derive(Default)]
struct Next {
    /// None: when something changes.
    wait: Option<Duration>,
    /// The Secrets that were used.
    fingerprint: Option<Fingerprint>,
}

impl Next {
    const fn after(wait: Duration) -> Self {
        Self {
            wait: Some(wait),
            fingerprint: None,
        }
    }

    async fn due(&self) {
        match self.wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }
}

struct SourceLoop<'a> {
    shared: &'a SourcesShared,
    memory: Memory,
    /// The status that was read or written last: the cache may be behind.
    last: Option<GitSourceStatus>,
    failures: u32,
}

impl SourceLoop<'_> {
    /// Looks once. None when the source is wanted no more.
    async fn turn(&mut self, now: &Wanted, wanted: &mut watch::Receiver<Wanted>) -> Option<Next> {
        if let Err(error) = self.recall(now).await {
            tracing::warn!(source = %now.name, %error, "a source was not looked at");
            return Some(Next::after(FIRST_WAIT));
        }
        if now.is_stopped() {
            self.report(now, None).await;
            return Some(Next::default());
        }
        let spec = match &now.spec {
            Ok(spec) => spec,
            Err(error) => {
                self.report_error(now, error.clone(), None).await;
                return Some(Next::default());
            }
        };
        let shared = self.shared;
        let look = Look {
            shared,
            wanted: now,
            spec,
        };
        let fingerprint = look.fingerprint();
        let fetched = tokio::select! {
            fetched = look.fetch(&mut self.memory) => fetched,
            () = gone(wanted) => return None,
        };
        let error = match fetched {
            Ok(content) => {
                let work = look.plan(content, self.before());
                let outcome = match self.begin(now, &work).await {
                    Ok(()) => look.carry_out(work, &mut self.memory).await,
                    Err(error) => work.failed(error),
                };
                let error = outcome.error.clone();
                self.report(now, Some(outcome)).await;
                error
            }
            // What a source named before is not read any more: the next look has what it names now.
            Err(SourceError::Secret(OperatorError::SecretUnread(_))) => {
                return Some(Next {
                    wait: Some(FIRST_WAIT),
                    fingerprint: Some(fingerprint),
                });
            }
            Err(error) => {
                let attempted = attempted(&error);
                self.report_error(now, error.clone(), attempted).await;
                Some(error)
            }
        };
        Some(Next {
            wait: Some(self.wait(error.as_ref(), spec)),
            fingerprint: Some(fingerprint),
        })
    }

    fn wait(&mut self, error: Option<&SourceError>, spec: &GitSourceSpec) -> Duration {
        self.failures = if error.is_some() {
            self.failures + 1
        } else {
            0
        };
        wait_after(error, self.failures, spec.interval(), Timestamp::now())
    }

    /// Ends when the Secrets are others than those that were used.
    async fn secrets_change(&self, now: &Wanted, used: Option<&Fingerprint>) {
        let (Ok(spec), Some(used)) = (&now.spec, used) else {
            return std::future::pending().await;
        };
        let look = Look {
            shared: self.shared,
            wanted: now,
            spec,
        };
        let mut changes = self.shared.credentials.changes();
        while look.fingerprint() == *used {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Reads what is known of the source, if that has not been done yet.
    async fn recall(&mut self, now: &Wanted) -> Result<(), kube::Error> {
        if self.last.is_none() {
            let client = &self.shared.client;
            self.last = Some(recall::status(client, &now.name).await?);
        }
        Ok(())
    }

    fn before(&self) -> GitSourceStatus {
        self.last.clone().unwrap_or_default()
    }

    /// Says that a revision is being applied, before anything of it is: so it is known that there is
    /// more to come, should this be the last that is heard from here.
    async fn begin(&mut self, now: &Wanted, work: &Work) -> Result<(), SourceError> {
        let before = self.before();
        let revision = &work.content.revision;
        let changes = work.changes(&now.name.name, &self.memory.tried);
        let signed = changes.then(|| work.signed());
        let status = about(now, &before).during(revision, signed);
        match self.write(now, before, status).await {
            Err(error) if changes => Err(error),
            _ => Ok(()),
        }
    }

    async fn report_error(&mut self, now: &Wanted, error: SourceError, attempted: Option<String>) {
        let outcome = Outcome {
            attempted,
            ..Outcome::failed(&self.before(), error)
        };
        self.report(now, Some(outcome)).await;
    }

    /// Reports what a look came to; without one, that the source is stopped.
    async fn report(&mut self, now: &Wanted, outcome: Option<Outcome>) {
        let before = self.before();
        let about = about(now, &before);
        let status = match &outcome {
            Some(outcome) => about.after(outcome),
            None => about.stopped(),
        };
        if let Some(error) = outcome.as_ref().and_then(|outcome| outcome.error.as_ref()) {
            let told = error.told();
            tracing::warn!(source = %now.name, told, "a source was not carried out");
        }
        let events = events(&before, &status);
        if let Ok(true) = self.write(now, before, status).await {
            let resource = resource(Kind::GitSource);
            for event in events {
                let reporter = &self.shared.reporter;
                reporter
                    .publish(&event, &resource, &now.name, &now.version)
                    .await;
            }
        }
    }

    /// Writes a status, if it says something new. Whether it did; an error if it does not stand now.
    async fn write(
        &mut self,
        now: &Wanted,
        before: GitSourceStatus,
        status: GitSourceStatus,
    ) -> Result<bool, SourceError> {
        if before == status {
            return Ok(false);
        }
        if !self.shared.holds.may_send(&Thing::source(&now.name)) {
            return Err(SourceError::NotHolder);
        }
        let value = |status: &GitSourceStatus| serde_json::to_value(status).unwrap_or_default();
        let found = Found {
            key: (Kind::GitSource, now.name.clone()),
            version: now.version.clone(),
            old: Some(value(&before)),
            status: value(&status),
        };
        let detail = match self.shared.reporter.write_new(vec![found]).await {
            Ok(true) => {
                self.last = Some(status);
                return Ok(true);
            }
            Ok(false) => "somebody else has written it at the same moment".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(source = %now.name, detail, "a status was not written");
        Err(SourceError::NotWritten {
            what: format!("the status of GitSource/{}", now.name.name),
            detail,
        })
    }
}

fn about<'a>(now: &'a Wanted, before: &'a GitSourceStatus) -> About<'a> {
    About {
        generation: now.version.generation,
        requested: now.requested.as_deref(),
        before,
        now: Timestamp::now(),
    }
}

/// The revision that was fetched, where it was only refused.
fn attempted(error: &SourceError) -> Option<String> {
    match error {
        SourceError::Invalid { revision, .. }
        | SourceError::OtherNamespace { revision, .. }
        | SourceError::Verify(VerifyError::Refused { revision, .. }) => Some(revision.clone()),
        _ => None,
    }
}

/// Ends when the source is wanted no more.
async fn gone(wanted: &mut watch::Receiver<Wanted>) {
    while wanted.changed().await.is_ok() {}
}

/// How long to wait until the next look.
fn wait_after(
    error: Option<&SourceError>,
    failures: u32,
    interval: Duration,
    now: Timestamp,
) -> Duration {
    let Some(error) = error else {
        return interval;
    };
    match error.consequence() {
        Consequence::WaitUntil(until) => {
            let asked = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            asked.max(interval)
        }
        Consequence::FixInput if error.is_refusal_of_credentials() => {
            doubled(interval, failures).min(REFUSED_WAIT.max(interval))
        }
        Consequence::FixInput => interval,
        Consequence::Retry => doubled(FIRST_WAIT, failures).min(interval),
    }
}

#[cfg(test)]
mod tests {
    use diarchy_git::FetchError;

    use super::*;

    #[test]
    fn the_wait_is_as_long_as_the_error_asks_for() {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let minute = Duration::from_mins(1);
        let host = || "git.contoso.com".to_owned();
        let away = SourceError::Fetch(FetchError::Unreachable {
            host: host(),
            detail: String::new(),
        });
        let refused = SourceError::Fetch(FetchError::Refused {
            host: host(),
            detail: String::new(),
            remedy: String::new(),
        });
        let throttled = |until: &str| {
            SourceError::Fetch(FetchError::Throttled {
                host: host(),
                until: Some(until.parse().unwrap()),
            })
        };
        let invalid = SourceError::Spec {
            code: diarchy_core::code::Code::SourceUrl,
            problem: String::new(),
            remedy: String::new(),
        };
        let wait = |error: &SourceError, failures| {
            wait_after(Some(error), failures, minute, now).as_secs()
        };
        assert_eq!(wait_after(None, 0, minute, now), minute);
        assert_eq!([1, 2, 3, 9].map(|n| wait(&away, n)), [10, 20, 40, 60]);
        assert_eq!(
            [1, 2, 7, 99].map(|n| wait(&refused, n)),
            [60, 120, 3600, 3600]
        );
        assert_eq!([1, 9].map(|n| wait(&invalid, n)), [60, 60]);
        assert_eq!(wait(&throttled("2026-11-25T10:30:00Z"), 1), 1800);
        assert_eq!(wait(&throttled("2026-11-25T10:00:05Z"), 1), 60);
    }
}
