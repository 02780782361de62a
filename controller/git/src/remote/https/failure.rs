//! What went wrong over https, by what it asks of the caller.

use std::error::Error;
use std::io;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Response, StatusCode};

use crate::remote::credentials::Credentials;
use crate::remote::error::{FetchError, one_line};

/// How much of an answer that is no answer is read for its words.
const FEW: usize = 2048;

/// An answer with a status other than 200.
pub struct Refusal<'r> {
    pub host: String,
    pub address: &'r str,
    pub status: StatusCode,
    pub retry_after: Option<String>,
    /// The server's own.
    pub words: String,
    pub asked_as_nobody: bool,
    /// Whether another server sent here.
    pub sent_on: bool,
}

impl Refusal<'_> {
    /// What it asks of the caller.
    pub fn into_error(self) -> FetchError {
        let address = self.address.to_owned();
        let detail = self.detail();
        let host = self.host;
        match self.status {
            StatusCode::UNAUTHORIZED => FetchError::Refused {
                host,
                detail,
                remedy: if self.sent_on {
                    "credentials are not sent on to another host: write the address of that host"
                } else if self.asked_as_nobody {
                    "give `username` and `password`, or `token`"
                } else {
                    "give credentials that are valid"
                }
                .to_owned(),
            },
            StatusCode::FORBIDDEN => FetchError::Forbidden {
                host,
                address,
                detail,
            },
            StatusCode::NOT_FOUND | StatusCode::GONE => FetchError::NotFound {
                host,
                address,
                detail,
            },
            StatusCode::TOO_MANY_REQUESTS => FetchError::Throttled {
                host,
                until: until(self.retry_after.as_deref(), Timestamp::now()),
            },
            StatusCode::SERVICE_UNAVAILABLE if self.retry_after.is_some() => {
                FetchError::Throttled {
                    host,
                    until: until(self.retry_after.as_deref(), Timestamp::now()),
                }
            }
            status if status.is_server_error() => FetchError::Unreachable { host, detail },
            _ => FetchError::Answer { host, detail },
        }
    }

    fn detail(&self) -> String {
        let words = one_line(&self.words);
        if words.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}, `{words}`", self.status)
        }
    }
}

/// When to ask again: so many seconds from now, or at a date; nothing where it says neither.
fn until(retry_after: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    let header = retry_after?.trim();
    if let Ok(seconds) = header.parse::<u32>() {
        return now
            .checked_add(SignedDuration::from_secs(i64::from(seconds)))
            .ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new();
    date.parse_timestamp(header).ok()
}

/// The beginning of an answer, as far as it is text.
pub async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < FEW
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(FEW);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer that never came, or broke off.
pub fn of_network(error: reqwest::Error, host: &str, credentials: &Credentials) -> FetchError {
    let error = error.without_url();
    let host = host.to_owned();
    if let Some(detail) = certificate_fault(&error) {
        return FetchError::Trust { host, detail };
    }
    let detail = credentials.hidden_in(&causes(&error));
    if error.is_decode() {
        return FetchError::Answer { host, detail };
    }
    FetchError::Unreachable { host, detail }
}

/// What TLS found wrong with a certificate, if that is why `error` happened.
fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            return Some(fault.to_string());
        }
        // An I/O error hides what it wraps from `source`.
        if let Some(wrapped) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && let Some(fault) = certificate_fault(wrapped)
        {
            return Some(fault);
        }
        next = error.source();
    }
    None
}

/// An error with everything that caused it, on one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use diarchy_core::consequence::Consequence;

    fn refusal(status: u16, retry_after: Option<&str>, nobody: bool) -> FetchError {
        Refusal {
            host: "h".to_owned(),
            address: "https://h/x",
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(ToOwned::to_owned),
            words: "no\nway".to_owned(),
            asked_as_nobody: nobody,
            sent_on: false,
        }
        .into_error()
    }

    #[test]
    fn each_status_has_its_meaning() {
        use diarchy_core::code::Code;

        for (status, code) in [
            (401, Code::GitRefused),
            (403, Code::GitForbidden),
            (404, Code::GitNotFound),
            (410, Code::GitNotFound),
            (429, Code::GitThrottled),
            (500, Code::GitUnreachable),
            (503, Code::GitUnreachable),
            (418, Code::GitAnswer),
            (301, Code::GitAnswer),
        ] {
            assert_eq!(refusal(status, None, false).code(), code, "{status}");
        }
        assert!(refusal(403, None, true).to_string().contains("`no way`"));
        assert!(refusal(401, None, true).remedy().contains("`token`"));
        assert!(!refusal(401, None, false).remedy().contains("`token`"));
    }

    #[test]
    fn a_server_says_until_when_to_wait() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-23T08:02:00Z".parse().unwrap();
        assert_eq!(until(Some("120"), now), Some(later));
        assert_eq!(
            until(Some("Mon, 23 Nov 2026 08:02:00 GMT"), now),
            Some(later)
        );
        assert_eq!(until(Some("soon"), now), None);
        for status in [429, 503] {
            let error = refusal(status, Some("60"), false);
            assert!(
                matches!(error.consequence(), Consequence::WaitUntil(_)),
                "{error}"
            );
        }
        assert_eq!(refusal(429, None, false).consequence(), Consequence::Retry);
    }
}
