//! What can go wrong with an estate, typed by what it asks of the caller.

use std::fmt;

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use jiff::Timestamp;

/// One of the services behind a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The token endpoint.
    Entra,
    /// Microsoft Graph.
    Graph,
    /// Configuration Manager's administration service.
    AdminService,
}

impl Service {
    /// Its name, as its owner writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entra => "Entra ID",
            Self::Graph => "Microsoft Graph",
            Self::AdminService => "AdminService",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What was refused of those who tried to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials, and nobody says what is wrong with them.
    Credentials,
    /// A domain account: its name or its password is wrong, or whoever refused does not say more.
    Account,
    /// A domain account whose password has expired.
    PasswordExpired,
    /// A domain account that is locked or disabled.
    AccountLocked,
    /// Credentials that are valid at another time than the service's.
    Clock,
}

impl Refusal {
    const fn what(self) -> &'static str {
        match self {
            Self::Credentials => "the credentials",
            Self::Account => "the account or its password",
            Self::PasswordExpired => "the password, which has expired",
            Self::AccountLocked => "the account, which is locked or disabled",
            Self::Clock => "the credentials, since clocks differ",
        }
    }
}

/// Why a service did not do what it was asked.
///
/// Cheap enough to clone: one failure may explain several missing facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EstateError {
    /// The credentials are not valid.
    #[error("{service} refused {}: {detail}", .refusal.what())]
    Refused {
        /// Who refused.
        service: Service,
        /// What was refused.
        refusal: Refusal,
        /// In its own words.
        detail: String,
    },
    /// The service offers no way to sign in that these credentials can be used for.
    #[error("{service} at {host} cannot be signed in to: {detail}")]
    SignIn {
        /// Which service.
        service: Service,
        /// Host and port.
        host: String,
        /// What it offers instead.
        detail: String,
    },
    /// A client certificate cannot be used.
    #[error("the client certificate for {service} cannot be used: {detail}")]
    Certificate {
        /// Whom it is for.
        service: Service,
        /// What is wrong with it.
        detail: String,
    },
    /// The credentials are valid, and not enough.
    #[error("{service} does not allow {endpoint}: {detail}; it needs {needs}")]
    Forbidden {
        /// Who refused.
        service: Service,
        /// The call, with placeholders for its values.
        endpoint: &'static str,
        /// In its own words.
        detail: String,
        /// The permission or right that allows the call.
        needs: &'static str,
    },
    /// The service's certificate is not trusted.
    #[error("the certificate of {service} at {host} is not trusted: {detail}; {remedy}")]
    Trust {
        /// Which service.
        service: Service,
        /// Host and port.
        host: String,
        /// What is wrong with the certificate.
        detail: String,
        /// How to mend it.
        remedy: &'static str,
    },
    /// Something given to the client cannot be used.
    #[error("{service} cannot be called: {detail}")]
    Configuration {
        /// Which service.
        service: Service,
        /// What cannot be used.
        detail: String,
    },
    /// The service does not have what was asked for.
    #[error("{service} has no {endpoint}: {detail}")]
    NotFound {
        /// Who answered.
        service: Service,
        /// The call, with placeholders for its values.
        endpoint: &'static str,
        /// In its own words.
        detail: String,
    },
    /// The service asks for patience.
    #[error("{service} asks to wait until {until}")]
    Throttled {
        /// Who asked.
        service: Service,
        /// When it may be called again.
        until: Timestamp,
    },
    /// No answer came.
    #[error("{service} at {host} cannot be reached: {detail}")]
    Unreachable {
        /// Which service.
        service: Service,
        /// Host and port.
        host: String,
        /// What failed.
        detail: String,
        /// Whether the request may have reached the service, so that a write may have happened.
        perhaps_received: bool,
    },
    /// An answer came that cannot be used.
    #[error("{service} answered {endpoint} with {detail}")]
    Answer {
        /// Who answered.
        service: Service,
        /// The call, with placeholders for its values.
        endpoint: &'static str,
        /// The HTTP status, if that is what was wrong.
        status: Option<u16>,
        /// What came.
        detail: String,
    },
}

impl EstateError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused { refusal, .. } => match refusal {
                Refusal::Credentials => Code::EstateRefused,
                Refusal::Account => Code::AccountRefused,
                Refusal::PasswordExpired => Code::PasswordExpired,
                Refusal::AccountLocked => Code::AccountLocked,
                Refusal::Clock => Code::ClockSkew,
            },
            Self::SignIn { .. } => Code::NoSignIn,
            Self::Certificate { .. } => Code::CertificateNotUsable,
            Self::Forbidden { .. } => Code::EstateForbidden,
            Self::Trust { .. } => Code::EstateTrust,
            Self::Configuration { .. } => Code::InvalidArgument,
            Self::Throttled { .. } => Code::EstateThrottled,
            Self::Unreachable { .. } => Code::EstateUnreachable,
            Self::NotFound { .. } | Self::Answer { .. } => Code::EstateAnswer,
        }
    }

    /// What it asks of the caller.
    #[must_use]
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Refused { .. }
            | Self::SignIn { .. }
            | Self::Certificate { .. }
            | Self::Forbidden { .. }
            | Self::Trust { .. }
            | Self::Configuration { .. }
            | Self::NotFound { .. } => Consequence::FixInput,
            Self::Throttled { until, .. } => Consequence::WaitUntil(*until),
            Self::Unreachable { .. } | Self::Answer { .. } => Consequence::Retry,
        }
    }

    /// Which service failed.
    #[must_use]
    pub const fn service(&self) -> Service {
        match self {
            Self::Refused { service, .. }
            | Self::SignIn { service, .. }
            | Self::Certificate { service, .. }
            | Self::Forbidden { service, .. }
            | Self::Trust { service, .. }
            | Self::Configuration { service, .. }
            | Self::NotFound { service, .. }
            | Self::Throttled { service, .. }
            | Self::Unreachable { service, .. }
            | Self::Answer { service, .. } => *service,
        }
    }

    /// Whether a write that failed like this may have taken effect all the same.
    #[must_use]
    pub const fn is_uncertain(&self) -> bool {
        match self {
            Self::Unreachable {
                perhaps_received, ..
            } => *perhaps_received,
            Self::Answer { status, .. } => match status {
                Some(status) => *status >= 500 || *status < 400,
                None => true,
            },
            _ => false,
        }
    }

    /// An answer to `endpoint` that cannot be used whatever its status.
    pub(crate) fn unusable(
        service: Service,
        endpoint: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::Answer {
            service,
            endpoint,
            status: None,
            detail: detail.into(),
        }
    }
}
