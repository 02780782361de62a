//! What a service offers to those who have not signed in: the challenges of `WWW-Authenticate`.

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A way to sign in with an account and its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// SPNEGO: Kerberos, or NTLM within it (RFC 4559).
    Negotiate,
    /// NTLM without a wrapping (MS-NTHT).
    Ntlm,
    /// The password itself, readable (RFC 7617).
    Basic,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Negotiate, Self::Ntlm, Self::Basic];

    /// As it stands in headers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Basic => "Basic",
        }
    }
}

/// The schemes that an answer offers, each with the token that came with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    schemes: Vec<(Scheme, Option<Vec<u8>>)>,
    /// The names of schemes that cannot be used.
    others: Vec<String>,
}

impl Offer {
    /// Reads what `headers` offer. A service may send one header with several challenges, or several
    /// headers.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut offer = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for part in split(&text) {
                offer.note(part.trim());
            }
        }
        offer
    }

    /// Notes a challenge. `name="value"` belongs to the one before it, and no scheme here needs it.
    fn note(&mut self, part: &str) {
        let (name, rest) = part.split_once(' ').unwrap_or((part, ""));
        if name.is_empty() || name.contains('=') {
            return;
        }
        let known = Scheme::ALL
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name));
        match known {
            Some(scheme) => {
                let token = BASE64_STANDARD.decode(rest.trim()).ok();
                let token = token.filter(|token| !token.is_empty());
                self.schemes.push((scheme, token));
            }
            None => self.others.push(name.to_owned()),
        }
    }

    /// Whether `scheme` is offered.
    pub(crate) fn has(&self, scheme: Scheme) -> bool {
        self.schemes.iter().any(|(offered, _)| *offered == scheme)
    }

    /// The token that came with `scheme`: the next message of a conversation that has begun.
    pub(crate) fn token(&self, scheme: Scheme) -> Option<&[u8]> {
        self.schemes
            .iter()
            .filter(|(offered, _)| *offered == scheme)
            .find_map(|(_, token)| token.as_deref())
    }

    /// The best scheme that is offered. Basic only where the connection hides the password, and
    /// nothing where a domain controller is named and the service does not speak Kerberos.
    ///
    /// # Errors
    ///
    /// Why none can be used.
    pub(crate) fn choose(&self, encrypted: bool, kerberos: bool) -> Result<Scheme, String> {
        if self.has(Scheme::Negotiate) {
            return Ok(Scheme::Negotiate);
        }
        if kerberos {
            return Err(format!(
                "a domain controller is named, so Kerberos is wanted, and it offers {self}"
            ));
        }
        if self.has(Scheme::Ntlm) {
            return Ok(Scheme::Ntlm);
        }
        if !self.has(Scheme::Basic) {
            return Err(format!("it offers {self}"));
        }
        if encrypted {
            Ok(Scheme::Basic)
        } else {
            Err(
                "it offers Basic only, which would show the password to everybody on the way: the address is not https"
                    .to_owned(),
            )
        }
    }
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.schemes.iter().map(|(scheme, _)| scheme.name());
        let names: Vec<&str> = known
            .chain(self.others.iter().map(String::as_str))
            .collect();
        if names.is_empty() {
            f.write_str("no way to sign in")
        } else {
            write!(f, "{} only", names.join(", "))
        }
    }
}

/// The parts of a header between commas that are not in quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        let is_end = character == ',' && !quoted;
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        }
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(values: &[&str]) -> Offer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Offer::read(&headers)
    }

    #[test]
    fn reads_challenges_however_they_are_spread() {
        for values in [
            &["Negotiate", "NTLM", "Basic realm=\"cm01\""][..],
            &["Negotiate, NTLM, Basic realm=\"a, b\", charset=\"UTF-8\""],
            &["basic realm=\"say \\\"NTLM\\\", please\",NTLM,nEgotiate"],
        ] {
            let offer = offer(values);
            for scheme in Scheme::ALL {
                assert!(offer.has(scheme), "{values:?}: {scheme:?}");
            }
            assert_eq!(offer.others, [""; 0], "{values:?}");
        }
        let quoted = offer(&["Basic realm=\"NTLM, Negotiate\""]);
        assert!(!quoted.has(Scheme::Ntlm) && !quoted.has(Scheme::Negotiate));
    }

    #[test]
    fn reads_the_token_of_a_conversation() {
        let offer = offer(&["NTLM TlRMTVNTUAACAAAA", "Negotiate"]);
        assert_eq!(offer.token(Scheme::Ntlm), Some(&b"NTLMSSP\0\x02\0\0\0"[..]));
        assert_eq!(offer.token(Scheme::Negotiate), None);
        let broken = self::offer(&["Negotiate ====", "NTLM "]);
        assert!(broken.has(Scheme::Negotiate));
        assert_eq!(broken.token(Scheme::Negotiate), None);
        assert_eq!(broken.token(Scheme::Ntlm), None);
    }

    #[test]
    fn takes_the_best_that_is_offered_and_never_shows_a_password() {
        for (values, encrypted, kerberos, expected) in [
            (
                &["Basic", "NTLM", "Negotiate"][..],
                true,
                false,
                Ok(Scheme::Negotiate),
            ),
            (&["Basic", "NTLM"], true, false, Ok(Scheme::Ntlm)),
            (&["Basic realm=\"x\""], true, false, Ok(Scheme::Basic)),
            (&["Basic realm=\"x\""], false, false, Err("not https")),
            (&["NTLM", "Basic"], true, true, Err("NTLM, Basic only")),
            (&["Negotiate"], false, true, Ok(Scheme::Negotiate)),
            (
                &["Bearer realm=\"\"", "Digest"],
                true,
                false,
                Err("Bearer, Digest only"),
            ),
            (&[], true, false, Err("no way to sign in")),
        ] {
            let chosen = offer(values).choose(encrypted, kerberos);
            match expected {
                Ok(scheme) => assert_eq!(chosen, Ok(scheme), "{values:?}"),
                Err(part) => {
                    let why = chosen.unwrap_err();
                    assert!(why.contains(part), "{values:?}: {why}");
                }
            }
        }
    }
}
