//! When what proves who we are, or whom we trust, ends.

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use crate::secret::Secret;

/// How long before its end something is called old: time enough to get another.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How close something is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// What ends, in words: `client certificate for Entra ID`.
    pub what: &'static str,
    /// When it ends.
    pub until: Timestamp,
    /// Whether that is less than 30 days ahead.
    pub soon: bool,
}

impl Expiry {
    /// How close `what`, which ends at `until`, is to its end.
    pub(crate) fn of(what: &'static str, until: Timestamp, now: Timestamp) -> Self {
        Self {
            what,
            until,
            soon: until.duration_since(now) < WARN_BEFORE,
        }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} ends at {}", self.what, self.until)
    }
}

/// From when until when a certificate, as DER, is valid; nothing if that cannot be read.
pub(crate) fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let parsed = Certificate::from_der(der).ok()?;
    let validity = parsed.tbs_certificate().validity();
    Some((
        timestamp(validity.not_before)?,
        timestamp(validity.not_after)?,
    ))
}

fn timestamp(time: Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    // 9999-12-31T23:59:59Z stands for no end, and is the last time there is.
    Timestamp::from_second(seconds).ok()
}

/// When a bearer token ends, if it is one that says so (RFC 7519, section 4.1.4).
pub(crate) fn of_token(token: &Secret) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let mut parts = token.reveal().split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let seconds = SignedDuration::try_from_secs_f64(claims.exp).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends_or_nothing() {
        let token = |claims: &str| {
            let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
            of_token(&Secret::new(format!("e30.{claims}.c2ln")))
        };
        let end = "2026-12-24T00:00:00Z".parse().ok();
        assert_eq!(token(r#"{"aud":"x","exp":1798070400}"#), end);
        assert_eq!(token(r#"{"exp":1798070400.0}"#), end);
        for unsaid in ["{}", r#"{"exp":"soon"}"#, r#"{"exp":1e300}"#, "exp"] {
            assert_eq!(token(unsaid), None, "{unsaid}");
        }
        for opaque in ["", "abc", "a.b.c", "sim.e0c1"] {
            assert_eq!(of_token(&Secret::new(opaque)), None, "{opaque}");
        }
    }

    #[test]
    fn it_is_soon_for_thirty_days() {
        let until: Timestamp = "2026-12-24T00:00:00Z".parse().unwrap();
        let soon = |before: SignedDuration| Expiry::of("token", until, until - before).soon;
        assert!(!soon(WARN_BEFORE));
        assert!(soon(WARN_BEFORE - SignedDuration::from_secs(1)));
        assert!(soon(-WARN_BEFORE));
    }
}
