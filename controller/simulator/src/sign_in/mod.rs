//! How the site lets callers in: Windows authentication, HTTP Basic, a token, as far as it offers them.

mod ntlm;
mod spnego;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::http::{Answer, Call};
use crate::moment::Moment;
use ntlm::{Conversation, Identity, Keys, Proof};

/// Ways to sign in that a site offers, and how strict it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own at a real site"
)]
pub struct SignIn {
    /// SPNEGO, with NTLM within it.
    pub negotiate: bool,
    /// NTLM without a wrapping.
    pub ntlm: bool,
    /// The password itself.
    pub basic: bool,
    /// A bearer token. It is not offered, only taken.
    pub token: bool,
    /// Whether a sign-in must be tied to the TLS connection (extended protection "required").
    pub bound: bool,
    /// Whether each request has to be signed in, and not the connection once.
    pub each_request: bool,
    /// So many wrong passwords lock the account; none: no number does.
    pub lock_after: Option<u32>,
}

impl Default for SignIn {
    /// Windows integrated authentication, as an AdminService that nobody changed.
    fn default() -> Self {
        Self {
            negotiate: true,
            ntlm: true,
            basic: false,
            token: true,
            bound: false,
            each_request: false,
            lock_after: Some(3),
        }
    }
}

impl SignIn {
    /// Nothing at all, to switch on what a test is about.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            negotiate: false,
            ntlm: false,
            token: false,
            ..Self::default()
        }
    }
}

/// What came of attempts to sign in to the site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignIns {
    /// By Windows authentication, one for each conversation.
    pub windows: u64,
    /// By the password itself, one for each request.
    pub basic: u64,
    /// Refused, whatever by.
    pub refused: u64,
    /// Connections that were opened.
    pub connections: u64,
}

/// The domain, as far as the site asks it: one account.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) offered: SignIn,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) token: String,
    pub(crate) expired: bool,
    pub(crate) locked: bool,
    pub(crate) tally: SignIns,
    /// The passwords before this one.
    earlier: Vec<String>,
    wrong: u32,
    /// Raised when everybody has to sign in again.
    generation: u64,
    /// The hash of the channel bindings of connections to the site.
    channel: [u8; 16],
}

const DOMAIN: &str = "CONTOSO";
const DNS_DOMAIN: &str = "contoso.com";
const COMPUTER: &str = "CM01";

/// So many passwords before the present one are refused, and are not counted as wrong tries
/// (Microsoft: Account Passwords and Policies, "password history check (N-2)").
const COUNTS_NOT: usize = 2;

/// What is remembered of one connection.
#[derive(Debug, Default)]
pub(crate) struct Session(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    signed_in: Option<u64>,
    open: Option<Open>,
}

/// A conversation that has begun.
#[derive(Debug)]
struct Open {
    scheme: Scheme,
    conversation: Conversation,
    /// The mechanisms that the client listed, if they were wrapped.
    mechanisms: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Negotiate,
    Ntlm,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
        }
    }
}

/// A caller who is known, with what the answer has to say to them.
#[derive(Debug, Default)]
pub(crate) struct Welcome(Option<String>);

impl Welcome {
    /// Adds the last word of the conversation to the answer.
    pub(crate) fn with(self, answer: Answer) -> Answer {
        match self.0 {
            Some(word) => answer.with("www-authenticate", word),
            None => answer,
        }
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    /// `certificate` is the hash of the one that the site shows.
    pub(crate) fn new(
        offered: SignIn,
        (user, password, token): (String, String, String),
        certificate: &[u8],
    ) -> Self {
        let data = [b"tls-server-end-point:", certificate].concat();
        Self {
            offered,
            user,
            password,
            token,
            expired: false,
            locked: false,
            tally: SignIns::default(),
            earlier: Vec::new(),
            wrong: 0,
            generation: 0,
            channel: ntlm::channel(&data),
        }
    }

    /// Has everybody sign in again.
    pub(crate) fn forget(&mut self) {
        self.generation += 1;
    }

    /// Sets another password, as an administrator does: the account is good again.
    pub(crate) fn set_password(&mut self, password: &str) {
        let earlier = std::mem::replace(&mut self.password, password.to_owned());
        self.earlier.insert(0, earlier);
        self.earlier.truncate(COUNTS_NOT);
        (self.locked, self.expired, self.wrong) = (false, false, 0);
    }

    /// Lets a request in, or says what to say instead.
    pub(crate) fn admit(
        &mut self,
        call: &Call,
        session: &Session,
        now: Moment,
    ) -> Result<Welcome, Box<Answer>> {
        let mut state = session.state();
        match authorization(&call.headers) {
            None if state.signed_in == Some(self.generation) => Ok(Welcome::default()),
            Some(("bearer", token)) if self.offered.token && *token == self.token => {
                Ok(Welcome::default())
            }
            Some(("basic", pair)) if self.offered.basic => {
                if self.knows_basic(pair) {
                    self.tally.basic += 1;
                    return Ok(Welcome::default());
                }
                self.keep_out()
            }
            Some(("negotiate", token)) if self.offered.negotiate => {
                self.converse(&mut state, Scheme::Negotiate, token, now)
            }
            Some(("ntlm", token)) if self.offered.ntlm => {
                self.converse(&mut state, Scheme::Ntlm, token, now)
            }
            _ => self.keep_out(),
        }
    }

    fn converse(
        &mut self,
        state: &mut State,
        scheme: Scheme,
        token: &str,
        now: Moment,
    ) -> Result<Welcome, Box<Answer>> {
        // Whoever begins to speak is not known until the end.
        state.signed_in = None;
        let Ok(message) = STANDARD.decode(token) else {
            return self.keep_out();
        };
        match state.open.take() {
            Some(open) if open.scheme == scheme => self.end(state, &open, &message),
            _ => match begin(scheme, &message, now) {
                Some((open, challenge)) => {
                    state.open = Some(open);
                    let word = format!("{} {}", scheme.name(), STANDARD.encode(challenge));
                    Err(Box::new(refusal().with("www-authenticate", word)))
                }
                None => self.keep_out(),
            },
        }
    }

    /// Judges the last message of a conversation.
    fn end(
        &mut self,
        state: &mut State,
        open: &Open,
        message: &[u8],
    ) -> Result<Welcome, Box<Answer>> {
        let response = open
            .mechanisms
            .as_ref()
            .and_then(|_| spnego::response(message));
        let inner = match (&response, &open.mechanisms) {
            (Some(response), _) => Some(response.token.as_slice()),
            (None, None) => Some(message),
            (None, Some(_)) => None,
        };
        let Some(proof) = inner.and_then(Proof::read) else {
            return self.keep_out();
        };
        let Some(keys) = self.judge(&open.conversation, &proof) else {
            self.tally.refused += 1;
            return self.keep_out();
        };
        let word = match (&open.mechanisms, response) {
            (Some(mechanisms), Some(response)) => {
                let expected = keys.sign(true, mechanisms);
                if response.signature.as_deref() != Some(&expected[..]) {
                    self.tally.refused += 1;
                    return self.keep_out();
                }
                let signature = keys.sign(false, mechanisms);
                let answer = spnego::answer(spnego::COMPLETE, None, Some(&signature));
                answer.map(|answer| format!("Negotiate {}", STANDARD.encode(answer)))
            }
            _ => None,
        };
        self.tally.windows += 1;
        state.signed_in = (!self.offered.each_request).then_some(self.generation);
        Ok(Welcome(word))
    }

    /// Whether a proof is that of the account, which is in order.
    fn judge(&mut self, conversation: &Conversation, proof: &Proof) -> Option<Keys> {
        if !self.is_user(&proof.domain, &proof.user) {
            return None;
        }
        let bound = self.offered.bound;
        match conversation.check(proof, &self.password, self.channel, bound) {
            Ok(keys) if !self.locked && !self.expired => {
                self.wrong = 0;
                Some(keys)
            }
            Ok(_) => None,
            Err(flaw) => {
                tracing::debug!(?flaw, "a sign-in is refused");
                let was_right = |password: &String| {
                    let check = conversation.check(proof, password, self.channel, bound);
                    check.is_ok()
                };
                if flaw == ntlm::Flaw::Password && !self.earlier.iter().any(was_right) {
                    self.count_wrong();
                }
                None
            }
        }
    }

    fn count_wrong(&mut self) {
        self.wrong += 1;
        if self
            .offered
            .lock_after
            .is_some_and(|most| self.wrong >= most)
        {
            self.locked = true;
        }
    }

    fn knows_basic(&mut self, encoded: &str) -> bool {
        let decoded = STANDARD.decode(encoded).ok();
        let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return false;
        };
        let Some((user, password)) = text.split_once(':') else {
            return false;
        };
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        let known = self.is_user(domain, user);
        let was_right = self.earlier.iter().any(|earlier| earlier == password);
        if known && password != self.password && !was_right {
            self.count_wrong();
        }
        let good = known && password == self.password && !self.locked && !self.expired;
        self.tally.refused += u64::from(!good);
        good
    }

    /// Whether this names the account: `CONTOSO\svc-diarchy`, or `svc-diarchy@contoso.com`.
    fn is_user(&self, domain: &str, user: &str) -> bool {
        let account = self
            .user
            .split_once('\\')
            .map_or(self.user.as_str(), |(_, user)| user);
        let by_domain =
            domain.eq_ignore_ascii_case(DOMAIN) || domain.eq_ignore_ascii_case(DNS_DOMAIN);
        let by_name = domain.is_empty()
            && user.rsplit_once('@').is_some_and(|(user, suffix)| {
                user.eq_ignore_ascii_case(account) && suffix.eq_ignore_ascii_case(DNS_DOMAIN)
            });
        by_name || (by_domain && user.eq_ignore_ascii_case(account))
    }

    /// A refusal with everything that is offered.
    fn keep_out(&self) -> Result<Welcome, Box<Answer>> {
        let offers = [
            (self.offered.negotiate, "Negotiate"),
            (self.offered.ntlm, "NTLM"),
            (self.offered.basic, "Basic realm=\"cm01.contoso.com\""),
        ];
        let mut answer = refusal();
        for (_, offer) in offers.iter().filter(|(offered, _)| *offered) {
            answer = answer.with("www-authenticate", *offer);
        }
        Err(Box::new(answer))
    }
}

/// Answers the first message of a conversation.
fn begin(scheme: Scheme, message: &[u8], now: Moment) -> Option<(Open, Vec<u8>)> {
    // Windows takes messages of NTLM without a wrapping under the name of Negotiate too.
    let bare = scheme == Scheme::Ntlm || ntlm::kind(message).is_some();
    let init = if bare {
        None
    } else {
        Some(spnego::init(message)?)
    };
    let inner = init.as_ref().map_or(message, |init| init.token.as_slice());
    let mut nonce = [0; 8];
    nonce.copy_from_slice(&Uuid::new_v4().as_bytes()[8..]);
    let identity = Identity {
        domain: DOMAIN,
        dns_domain: DNS_DOMAIN,
        computer: COMPUTER,
    };
    let conversation = Conversation::begin(inner, nonce, identity, now)?;
    let challenge = conversation.challenge();
    let answer = if bare {
        challenge.to_vec()
    } else {
        spnego::answer(spnego::INCOMPLETE, Some(challenge), None)?
    };
    let open = Open {
        scheme,
        conversation,
        mechanisms: init.map(|init| init.mechanisms),
    };
    Some((open, answer))
}

fn refusal() -> Answer {
    Answer::bytes(401, "text/html", Vec::new())
}

/// The scheme in lower case, and what follows it.
fn authorization(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    let known = ["bearer", "basic", "negotiate", "ntlm"];
    let scheme = known
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known));
    Some((scheme.unwrap_or("unknown"), rest.trim()))
}
