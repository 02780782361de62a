//! A domain account, and what is known of whether it is let in.
//!
//! A few wrong passwords lock an account of a domain, often three, and with it everybody who uses
//! it. So a password that was refused is not shown again, and one that has not been accepted lately
//! is shown by one request at a time, however many wait.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use diarchy_clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::error::{EstateError, Refusal, Service};
use crate::secret::Secret;

use super::kdc;

/// How many may show the password at once while it is known to be right. If it is changed just then,
/// they show the one before, which a domain does not count as a wrong try (Microsoft: Account
/// Passwords and Policies, "password history check (N-2)").
const TRIES: u32 = 2;
/// How long a password that was accepted is believed to be right, in real time.
const BELIEVED: Duration = Duration::from_mins(1);
/// How long the password is kept back after as many tries that got no answer: longer than the half
/// hour after which a domain forgets wrong tries unless it is told otherwise.
const KEPT_BACK: SignedDuration = SignedDuration::from_mins(31);

/// A user of a Windows domain.
#[derive(Clone)]
pub struct DomainAccount {
    /// `DOMAIN\user` or `user@realm`.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// A domain controller, as `host` or `host:port`: with one, Kerberos is used and nothing else.
    /// Without, whatever the service offers, with Kerberos only where this machine's `krb5.conf`
    /// knows the account's realm.
    pub kdc: Option<String>,
}

impl fmt::Debug for DomainAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DomainAccount")
            .field("username", &self.username)
            .field("kdc", &self.kdc)
            .finish_non_exhaustive()
    }
}

/// An account as all channels share it.
pub(crate) struct Account {
    pub(super) username: String,
    pub(super) password: Secret,
    pub(super) kdc: Option<Url>,
    state: Mutex<State>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// Why the account is not tried again, ever.
    refused: Option<EstateError>,
    accepted: Option<Instant>,
    /// How often the password was shown since it was last accepted, and nobody said anything.
    unanswered: u32,
    kept_back_until: Option<Timestamp>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// # Errors
    ///
    /// [`EstateError::Configuration`] for a name or an address that cannot be one.
    pub(crate) fn new(account: &DomainAccount) -> Result<Self, EstateError> {
        let unusable = |detail: String| EstateError::Configuration {
            service: Service::AdminService,
            detail,
        };
        if let Err(error) = sspi::Username::parse(&account.username) {
            let detail = format!("the user name is neither DOMAIN\\user nor user@realm: {error}");
            return Err(unusable(detail));
        }
        let kdc = account.kdc.as_deref().map(kdc::address).transpose();
        Ok(Self {
            username: account.username.clone(),
            password: account.password.clone(),
            kdc: kdc.map_err(unusable)?,
            state: Mutex::default(),
            turns: Semaphore::new(TRIES as usize),
        })
    }

    /// `text` without the password, and without the header that Basic makes of it: a service may
    /// echo either.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        let pair = format!("{}:{}", self.username, self.password.reveal());
        let header = Secret::new(BASE64_STANDARD.encode(pair));
        self.password.hidden_in(&header.hidden_in(text))
    }

    /// Why the account is not tried any more.
    pub(crate) fn refused(&self) -> Option<EstateError> {
        self.state().refused.clone()
    }

    /// Waits for leave to show the password once.
    ///
    /// # Errors
    ///
    /// The refusal, if the account was refused meanwhile; [`EstateError::Unreachable`] while the
    /// password is kept back.
    pub(super) async fn turn(&self, clock: &Clock, host: &str) -> Result<Turn<'_>, EstateError> {
        let believed = self
            .state()
            .accepted
            .is_some_and(|at| at.elapsed() < BELIEVED);
        let permits = if believed { 1 } else { TRIES };
        let permit = self.turns.acquire_many(permits).await;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| EstateError::Configuration {
            service: Service::AdminService,
            detail: "the account is not in use any more".to_owned(),
        })?;
        let state = self.state();
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        if let Some(until) = state.kept_back_until.filter(|until| *until > clock.now()) {
            return Err(EstateError::Unreachable {
                service: Service::AdminService,
                host: host.to_owned(),
                detail: format!(
                    "it broke off {TRIES} times while the password was being checked; so that no account is locked, the password is not sent again before {until}"
                ),
                perhaps_received: false,
            });
        }
        Ok(Turn {
            account: self,
            clock: clock.clone(),
            shown: false,
            _permit: permit,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person has to know of a refusal, after the words of whoever refused.
pub(super) const fn once(refusal: Refusal) -> &'static str {
    match refusal {
        // Another time another answer: no try was counted.
        Refusal::Clock => "",
        _ => {
            ". So that no account is locked, it is not tried again before a key of its Secret changes"
        }
    }
}

/// Leave to show the password once. Dropped after [`Turn::show`] without a word of what came of it,
/// it counts as a try that may have failed.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    account: &'a Account,
    clock: Clock,
    shown: bool,
    _permit: SemaphorePermit<'a>,
}

impl Turn<'_> {
    /// The password, or what proves it, leaves now.
    pub(super) const fn show(&mut self) {
        self.shown = true;
    }

    /// It was accepted.
    pub(super) fn accepted(mut self) {
        self.shown = false;
        let mut state = self.account.state();
        state.accepted = Some(Instant::now());
        state.unanswered = 0;
        state.kept_back_until = None;
    }

    /// The account was refused; `error` is the answer to all that comes, unless it was only the time
    /// that was wrong.
    pub(super) fn refused(mut self, error: &EstateError) {
        self.shown = false;
        let passes = matches!(
            error,
            EstateError::Refused {
                refusal: Refusal::Clock,
                ..
            }
        );
        if !passes {
            self.account.state().refused = Some(error.clone());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.shown {
            return;
        }
        let mut state = self.account.state();
        state.accepted = None;
        state.unanswered += 1;
        if state.unanswered >= TRIES {
            state.unanswered = 0;
            let until = self.clock.now().checked_add(KEPT_BACK);
            state.kept_back_until = Some(until.unwrap_or(Timestamp::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::new(&DomainAccount {
            username: "CONTOSO\\svc-diarchy".to_owned(),
            password: Secret::new("s3cret"),
            kdc: None,
        })
        .unwrap()
    }

    fn noon() -> Clock {
        Clock::manual("2026-11-23T12:00:00Z".parse().unwrap())
    }

    #[tokio::test]
    async fn a_password_that_was_not_accepted_lately_is_shown_by_one_at_a_time() {
        let (account, clock) = (account(), noon());
        let first = account.turn(&clock, "cm01").await.unwrap();
        let waiting = tokio::time::timeout(Duration::ZERO, account.turn(&clock, "cm01"));
        assert!(waiting.await.is_err());
        first.accepted();
        let second = account.turn(&clock, "cm01").await.unwrap();
        let third = account.turn(&clock, "cm01").await.unwrap();
        let waiting = tokio::time::timeout(Duration::ZERO, account.turn(&clock, "cm01"));
        assert!(waiting.await.is_err());
        drop((second, third));
    }

    #[tokio::test]
    async fn a_refused_account_is_never_tried_again() {
        let (account, clock) = (account(), noon());
        let error = EstateError::Refused {
            service: Service::AdminService,
            refusal: Refusal::Account,
            detail: "no".to_owned(),
        };
        let mut turn = account.turn(&clock, "cm01").await.unwrap();
        turn.show();
        turn.refused(&error);
        clock.advance(Duration::from_secs(1_000_000));
        let refused = account.turn(&clock, "cm01").await.unwrap_err();
        assert_eq!(refused, error);
        assert_eq!(account.refused(), Some(error));
    }

    #[tokio::test]
    async fn tries_that_nobody_answers_keep_the_password_back() {
        let (account, clock) = (account(), noon());
        for _ in 0..TRIES {
            let mut turn = account.turn(&clock, "cm01").await.unwrap();
            turn.show();
        }
        let error = account.turn(&clock, "cm01").await.unwrap_err();
        assert!(
            error.to_string().contains("2026-11-23T12:31:00Z"),
            "{error}"
        );
        clock.advance(Duration::from_mins(31));
        drop(account.turn(&clock, "cm01").await.unwrap());
        // A turn in which nothing was shown is no try.
        for _ in 0..5 {
            drop(account.turn(&clock, "cm01").await.unwrap());
        }
        assert!(!format!("{account:?}").contains("s3cret"));
    }

    #[test]
    fn a_name_or_an_address_that_cannot_be_one_is_told() {
        let with = |username: &str, kdc: Option<&str>| {
            Account::new(&DomainAccount {
                username: username.to_owned(),
                password: Secret::new("s3cret"),
                kdc: kdc.map(str::to_owned),
            })
        };
        for (username, kdc) in [
            ("svc", None),
            ("svc@contoso.com", Some("dc01.contoso.com")),
            ("CONTOSO\\svc", Some("10.0.0.1:88")),
        ] {
            assert!(with(username, kdc).is_ok(), "{username} {kdc:?}");
        }
        for (username, kdc) in [
            ("A\\B\\svc", None),
            ("CONTOSO\\svc", Some("https://dc01")),
            ("CONTOSO\\svc", Some("dc01/x")),
            ("CONTOSO\\svc", Some("")),
        ] {
            let error = with(username, kdc).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
