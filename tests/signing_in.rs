//! Signing in to a site: the client as it is, against a site that lets callers in as Windows does.

use std::sync::Arc;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::site::{SiteClient, SiteCredentials, SiteOptions, WRITE_DEADLINE};
use diarchy_fleet::{
    CaBundle, Counters, DomainAccount, EstateError, Outcome, Pace, Secret, Service,
    TransportOptions,
};
use diarchy_simulator::{
    Control, Failure, Fault, Limits, Options, Service as Listener, Setup, SignIn, Simulator, start,
};
use futures::future::join_all;

/// A served site, and a client's way to it.
struct Site {
    simulator: Simulator,
    control: Control,
    clock: Clock,
    counters: Arc<Counters>,
}

impl Site {
    async fn open(sign_in: SignIn) -> Self {
        // Every test of this binary installs it; all but the first are told so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Clock::scaled("2026-11-23T08:00:00Z".parse().unwrap(), 1000.0).unwrap();
        let mut options = Options::new(Setup::new(3, 20), clock.clone());
        options.sign_in = sign_in;
        options.limits = Limits {
            admin_service: 1_000_000,
            ..Limits::default()
        };
        let simulator = start(options).await.unwrap();
        Self {
            control: simulator.control(),
            simulator,
            clock,
            counters: Arc::default(),
        }
    }

    fn client(&self, credentials: SiteCredentials) -> SiteClient {
        let mut transport = TransportOptions::for_service(Service::AdminService);
        let roots = CaBundle::read(Service::AdminService, self.simulator.ca_pem().as_bytes());
        transport.ca_bundle = Some(roots.unwrap());
        transport.pace = Pace {
            requests: u32::MAX,
            per: Duration::from_secs(1),
        };
        let options = SiteOptions {
            write_deadline: WRITE_DEADLINE,
            admin_service: vec![self.simulator.admin_service()],
            credentials,
            transport,
        };
        SiteClient::new(&options, &self.clock, &self.counters).unwrap()
    }

    /// A client that signs in as the site's account, with its password or another.
    fn account(&self, username: &str, password: Option<&str>) -> SiteClient {
        let password = password.map_or_else(|| self.simulator.admin_password(), str::to_owned);
        self.client(SiteCredentials::Account(DomainAccount {
            username: username.to_owned(),
            password: Secret::new(password),
            kdc: None,
        }))
    }

    /// The same, with everything as it should be.
    fn known(&self) -> SiteClient {
        self.account(&self.simulator.admin_user(), None)
    }

    /// How often the site answered 401 since the last time this was asked.
    fn refusals(&self) -> u64 {
        let counts = self.counters.snapshot();
        let refused = counts
            .iter()
            .filter(|count| count.outcome == Outcome::Status(401));
        refused.map(|count| count.count).sum()
    }
}

fn only(change: impl FnOnce(&mut SignIn)) -> SignIn {
    let mut sign_in = SignIn::nothing();
    change(&mut sign_in);
    sign_in
}

async fn assert_let_in(client: &SiteClient) {
    let sites = client.sites().await.unwrap();
    assert_eq!(sites.items.len(), 1);
}

fn refused(error: &EstateError) -> (Code, Consequence) {
    (error.code(), error.consequence())
}

#[tokio::test]
async fn an_account_is_let_in_by_whatever_the_site_offers() {
    for (name, sign_in, windows, basic) in [
        ("everything", SignIn::default(), 1, 0),
        ("Negotiate", only(|offered| offered.negotiate = true), 1, 0),
        ("NTLM", only(|offered| offered.ntlm = true), 1, 0),
        ("Basic", only(|offered| offered.basic = true), 0, 3),
        (
            "NTLM and Basic",
            only(|offered| (offered.ntlm, offered.basic) = (true, true)),
            1,
            0,
        ),
        (
            "Negotiate, bound to the connection",
            only(|offered| (offered.negotiate, offered.bound) = (true, true)),
            1,
            0,
        ),
        (
            "NTLM, bound to the connection",
            only(|offered| (offered.ntlm, offered.bound) = (true, true)),
            1,
            0,
        ),
    ] {
        let site = Site::open(sign_in).await;
        let client = site.known();
        for _ in 0..3 {
            assert_let_in(&client).await;
        }
        let tally = site.control.sign_ins();
        assert_eq!((tally.windows, tally.basic), (windows, basic), "{name}");
        assert_eq!((tally.connections, tally.refused), (1, 0), "{name}");
    }
}

#[tokio::test]
async fn a_token_needs_no_conversation() {
    let site = Site::open(only(|offered| offered.token = true)).await;
    let token = Secret::new(site.simulator.admin_token());
    assert_let_in(&site.client(SiteCredentials::Token(token))).await;
    assert_eq!(site.refusals(), 0);
    let wrong = site.client(SiteCredentials::Token(Secret::new("another")));
    let error = wrong.sites().await.unwrap_err();
    assert_eq!(
        refused(&error),
        (Code::EstateRefused, Consequence::FixInput)
    );
}

#[tokio::test]
async fn both_ways_to_write_an_account_name_it() {
    for sign_in in [
        only(|offered| offered.negotiate = true),
        only(|offered| offered.ntlm = true),
    ] {
        let site = Site::open(sign_in).await;
        for name in ["contoso\\SVC-diarchy", "svc-diarchy@contoso.com"] {
            assert_let_in(&site.account(name, None)).await;
        }
    }
}

#[tokio::test]
async fn many_requests_share_a_few_connections_that_are_signed_in_once() {
    let site = Site::open(SignIn::default()).await;
    let client = site.known();
    let asked = join_all((0..200).map(|_| client.collections())).await;
    assert!(asked.iter().all(Result::is_ok));
    let tally = site.control.sign_ins();
    assert!((2..=8).contains(&tally.connections), "{tally:?}");
    assert_eq!(tally.windows, tally.connections, "{tally:?}");
    assert_eq!(tally.refused, 0);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_ask() {
    for sign_in in [
        SignIn::default(),
        only(|offered| offered.ntlm = true),
        only(|offered| offered.basic = true),
    ] {
        let site = Site::open(sign_in).await;
        let client = site.account(&site.simulator.admin_user(), Some("wrong"));
        for _ in 0..3 {
            for answer in join_all((0..20).map(|_| client.sites())).await {
                let error = answer.unwrap_err();
                assert_eq!(
                    refused(&error),
                    (Code::AccountRefused, Consequence::FixInput)
                );
                let words = error.to_string();
                assert!(words.contains("not tried again"), "{words}");
            }
        }
        assert_eq!(site.control.sign_ins().refused, 1);
        assert!(!site.control.is_account_locked());
        // Other credentials are another client.
        assert_let_in(&site.known()).await;
    }
}

#[tokio::test]
async fn a_password_that_changes_in_the_middle_of_a_run_locks_nobody() {
    let site = Site::open(SignIn::default()).await;
    let client = site.known();
    join_all((0..50).map(|_| client.sites())).await;
    site.control.set_password("another");
    site.control.forget_sign_ins();
    let asked = join_all((0..50).map(|_| client.sites())).await;
    assert!(asked.iter().all(Result::is_err));
    let tally = site.control.sign_ins();
    assert!((1..=2).contains(&tally.refused), "{tally:?}");
    assert!(!site.control.is_account_locked());
}

#[tokio::test]
async fn locked_and_expired_accounts_look_like_wrong_passwords_from_outside() {
    for spoil in [Control::lock_account, Control::expire_password] {
        let site = Site::open(SignIn::default()).await;
        spoil(&site.control);
        let error = site.known().sites().await.unwrap_err();
        assert_eq!(error.code(), Code::AccountRefused);
        assert!(error.to_string().contains("4625"), "{error}");
    }
    let site = Site::open(SignIn::default()).await;
    let stranger = site.account("CONTOSO\\nobody", None);
    let error = stranger.sites().await.unwrap_err();
    assert_eq!(error.code(), Code::AccountRefused);
}

#[tokio::test]
async fn a_site_that_forgets_is_signed_in_to_again_on_the_same_connection() {
    let site = Site::open(SignIn::default()).await;
    let client = site.known();
    assert_let_in(&client).await;
    for round in 2..5 {
        site.control.forget_sign_ins();
        assert_let_in(&client).await;
        assert_let_in(&client).await;
        let tally = site.control.sign_ins();
        assert_eq!((tally.windows, tally.connections), (round, 1), "{tally:?}");
    }
}

#[tokio::test]
async fn a_site_that_wants_a_sign_in_with_each_request_gets_one() {
    let sign_in = SignIn {
        each_request: true,
        ..SignIn::default()
    };
    let site = Site::open(sign_in).await;
    let client = site.known();
    for _ in 0..3 {
        assert_let_in(&client).await;
    }
    let before = site.refusals();
    for _ in 0..10 {
        assert_let_in(&client).await;
    }
    // By now it does not ask first whether it is still known: one refusal for each, the challenge.
    assert_eq!(site.refusals() - before, 10);
    let tally = site.control.sign_ins();
    assert_eq!((tally.windows, tally.connections), (13, 1));
    let asked = join_all((0..40).map(|_| client.sites())).await;
    assert!(asked.iter().all(Result::is_ok));
}

#[tokio::test]
async fn connections_that_break_at_any_message_are_made_anew() {
    for after in 0..4 {
        let site = Site::open(SignIn::default()).await;
        let client = site.known();
        let fault = Fault::new(Listener::AdminService, "SMS_Site", Failure::Refused);
        site.control.inject(fault.after(after).times(1));
        // The first request signs in with three messages, the second needs one.
        assert_let_in(&client).await;
        assert_let_in(&client).await;
        let tally = site.control.sign_ins();
        assert_eq!(tally.connections, 2, "after {after}: {tally:?}");
        assert_eq!(tally.refused, 0, "after {after}: {tally:?}");
    }
}

#[tokio::test]
async fn a_site_that_breaks_off_whenever_the_password_is_shown_does_not_get_it_again_and_again() {
    let site = Site::open(only(|offered| offered.ntlm = true)).await;
    let client = site.known();
    assert_let_in(&client).await;
    let client = site.known();
    // Everything but the first message of a conversation breaks off.
    let whole = Fault::new(Listener::AdminService, "SMS_Site", Failure::Refused);
    for round in 0..6 {
        site.control.inject(whole.clone().after(round + 2).times(1));
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        if let Err(error) = client.sites().await {
            told.push(error.to_string());
        }
    }
    assert!(
        told.iter().all(|words| !words.contains("refused")),
        "{told:?}"
    );
    assert_eq!(site.control.sign_ins().refused, 0);
}

#[tokio::test]
async fn a_site_that_offers_something_else_later_is_followed_within_tls() {
    let site = Site::open(only(|offered| offered.negotiate = true)).await;
    let client = site.known();
    assert_let_in(&client).await;
    site.control.offer(only(|offered| offered.basic = true));
    site.control.forget_sign_ins();
    assert_let_in(&client).await;
    assert_let_in(&client).await;
    let tally = site.control.sign_ins();
    assert_eq!((tally.windows, tally.basic), (1, 2));
    site.control.offer(only(|offered| offered.ntlm = true));
    assert_let_in(&client).await;
    assert_eq!(site.control.sign_ins().windows, 2);
    assert_eq!(site.control.sign_ins().refused, 0);
}

#[tokio::test]
async fn what_cannot_be_used_is_told_and_no_password_is_shown() {
    let site = Site::open(SignIn::nothing()).await;
    let error = site.known().sites().await.unwrap_err();
    assert_eq!(refused(&error), (Code::NoSignIn, Consequence::FixInput));
    assert!(error.to_string().contains("no way to sign in"), "{error}");
    // A domain controller is named, so nothing but Kerberos will do.
    let site = Site::open(only(|offered| offered.ntlm = true)).await;
    let client = site.client(SiteCredentials::Account(DomainAccount {
        username: site.simulator.admin_user(),
        password: Secret::new(site.simulator.admin_password()),
        kdc: Some("127.0.0.1:1".to_owned()),
    }));
    let error = client.sites().await.unwrap_err();
    assert_eq!(error.code(), Code::NoSignIn);
    assert!(error.to_string().contains("Kerberos"), "{error}");
    site.control.offer(SignIn::default());
    let error = client.sites().await.unwrap_err();
    assert_eq!(
        refused(&error),
        (Code::EstateUnreachable, Consequence::Retry)
    );
    assert!(error.to_string().contains("domain controller"), "{error}");
    assert_eq!(site.control.sign_ins().windows, 0);
}
