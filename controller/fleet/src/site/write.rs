//! One write to the site, and what can be known of its outcome.

use reqwest::Method;
use serde_json::Value;

use super::SiteClient;
use crate::address::endpoint_under;
use crate::error::EstateError;
use crate::http::retry::Repeat;
use crate::http::{Call, Endpoint};
use crate::paging::strip_bom;

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The site accepted it.
    Sent,
    /// The site refused it: it did not happen.
    Refused {
        /// What the method returned, if the refusal came with a success status.
        return_value: Option<i64>,
        /// In the site's words.
        detail: String,
    },
    /// The answer was lost, or made no sense: it may have happened. Nothing may be sent again before
    /// the site's state has been read.
    Unknown {
        /// What went wrong.
        detail: String,
    },
    /// It certainly did not reach the site.
    NotSent(EstateError),
}

/// The outcome, with the body of an answer that says it was accepted.
#[derive(Debug)]
pub(crate) struct Written {
    pub outcome: Outcome,
    pub body: Value,
}

impl Written {
    fn without_body(outcome: Outcome) -> Self {
        Self {
            outcome,
            body: Value::Null,
        }
    }
}

impl SiteClient {
    /// Posts `body` to the first provider that can be connected to, all of them together within the
    /// deadline of a write.
    pub(crate) async fn post(&self, endpoint: Endpoint, path: &str, body: &Value) -> Written {
        // In real time, as a Lease is: no clock that is set back or scaled makes it longer.
        let posted = self.post_to_any(endpoint, path, body);
        let written = tokio::time::timeout(self.write_deadline, posted).await;
        written.unwrap_or_else(|_| {
            Written::without_body(Outcome::Unknown {
                detail: format!("no answer came within {:?}", self.write_deadline),
            })
        })
    }

    async fn post_to_any(&self, endpoint: Endpoint, path: &str, body: &Value) -> Written {
        let mut failure = None;
        for (_, base) in self.bases_from_current() {
            let call = Call {
                method: Method::POST,
                url: endpoint_under(base, path),
                endpoint,
                authorization: self.authorization.clone(),
                headers: vec![("accept", "application/json")],
                body: Some(("application/json", body.to_string().into_bytes())),
                repeat: Repeat::UnlessReceived,
            };
            match self.transport.answer(&call).await {
                Ok(answer) if answer.status.is_success() => return accepted(&answer.body),
                Ok(answer) => return self.judge(&call, &answer),
                Err(error) if error.is_uncertain() => {
                    return Written::without_body(Outcome::Unknown {
                        detail: error.to_string(),
                    });
                }
                Err(error @ EstateError::Unreachable { .. }) => failure = Some(error),
                Err(error) => return Written::without_body(Outcome::NotSent(error)),
            }
        }
        Written::without_body(Outcome::NotSent(failure.unwrap_or_else(super::no_provider)))
    }

    fn judge(&self, call: &Call, answer: &crate::http::Answer) -> Written {
        let error = self.transport.refusal(call, answer);
        let outcome = match &error {
            EstateError::Refused { .. } | EstateError::Forbidden { .. } => Outcome::NotSent(error),
            _ if answer.status.is_client_error() => Outcome::Refused {
                return_value: None,
                detail: error.to_string(),
            },
            _ => Outcome::Unknown {
                detail: error.to_string(),
            },
        };
        Written::without_body(outcome)
    }
}

/// A success status is not success: the method's own return value is in the body
/// (memdocs: methods of `SMS_Collection`; 0 is success).
fn accepted(body: &[u8]) -> Written {
    let body = strip_bom(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Written::without_body(Outcome::Sent);
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Written::without_body(Outcome::Unknown {
            detail: "the site answered with something that is not JSON".to_owned(),
        });
    };
    let nested = body.get("value").filter(|value| value.is_object());
    let returned = body
        .get("ReturnValue")
        .or_else(|| nested.and_then(|value| value.get("ReturnValue")));
    let number = match returned {
        None | Some(Value::Null) => Some(0),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let outcome = match number {
        Some(0) => Outcome::Sent,
        Some(code) => Outcome::Refused {
            return_value: Some(code),
            detail: format!("the method returned {code}"),
        },
        None => Outcome::Unknown {
            detail: "the method returned something that is no number".to_owned(),
        },
    };
    Written { outcome, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_return_value_of_zero_is_success() {
        for (body, expected) in [
            ("", "Sent"),
            ("{}", "Sent"),
            (r#"{"ReturnValue":0,"QueryID":0}"#, "Sent"),
            (r#"{"ReturnValue":"0"}"#, "Sent"),
            (r#"{"ReturnValue":null}"#, "Sent"),
            (r#"{"ReturnValue":1}"#, "Refused"),
            (r#"{"ReturnValue":-2147217407}"#, "Refused"),
            (r#"{"value":{"ReturnValue":5}}"#, "Refused"),
            (r#"{"ReturnValue":{}}"#, "Unknown"),
            ("<html>signed out</html>", "Unknown"),
        ] {
            let outcome = accepted(body.as_bytes()).outcome;
            assert!(
                format!("{outcome:?}").starts_with(expected),
                "{body}: {outcome:?}"
            );
        }
    }
}
