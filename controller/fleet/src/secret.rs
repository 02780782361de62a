//! A value that must never be seen.

use std::fmt;

/// A password or a token. It can be sent, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value`, without the line break that a file often ends in.
    pub fn new(value: impl Into<String>) -> Self {
        let mut value = value.into();
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
        Self(value)
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without this secret: what a service echoes must not reach a log.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "[hidden]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let secret = Secret::new("hunter2\n");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret Secret");
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(
            secret.hidden_in("got hunter2, sorry"),
            "got [hidden], sorry"
        );
    }
}
