//! The messages of a sign-in, by the SSPI library.
//!
//! The library logs the messages it makes, and the keys of Kerberos, where traces are wanted. So it
//! is called with logging off, however the process logs.

use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, Credentials,
    CredentialsBuffers, DataRepresentation, ErrorKind, KdcResolution, KerberosConfig, Negotiate,
    NegotiateConfig, Ntlm, SecurityBuffer, Sspi, SspiImpl, Username,
};
use tracing::subscriber::NoSubscriber;
use url::Url;

use crate::error::{EstateError, Refusal, Service};

use super::account::{Account, once};
use super::kdc::{Kdc, code};
use super::offer::Scheme;

/// What a client calls itself: nobody decides by it, and the name of this machine is nobody's business.
const WORKSTATION: &str = "DIARCHY";

/// One sign-in, message by message.
pub(super) struct Handshake {
    mechanism: Mechanism,
    /// `HTTP/host`: the name under which a domain knows the service.
    target: String,
    host: String,
    username: String,
    binding: Option<Vec<u8>>,
    kdc: Kdc,
}

enum Mechanism {
    Ntlm {
        context: Box<Ntlm>,
        credentials: Option<AuthIdentityBuffers>,
    },
    Negotiate {
        context: Box<Negotiate>,
        credentials: Option<CredentialsBuffers>,
        kerberos: bool,
    },
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// A sign-in of `account` by `scheme` to the service on `host`, over a connection with these
    /// channel bindings.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] when the library cannot use the account.
    pub(super) fn new(
        account: &Account,
        scheme: Scheme,
        host: &str,
        binding: Option<Vec<u8>>,
    ) -> Result<Self, EstateError> {
        let make = || {
            let identity = AuthIdentity {
                username: Username::parse(&account.username).map_err(|error| error.to_string())?,
                password: account.password.reveal().to_owned().into(),
            };
            match scheme {
                Scheme::Ntlm => ntlm(&identity),
                _ => negotiate(identity, kdc(account)),
            }
            .map_err(|error| error.to_string())
        };
        let mechanism = silently(make).map_err(|detail: String| EstateError::Configuration {
            service: Service::AdminService,
            detail: format!("the account cannot be used: {detail}"),
        })?;
        let mut handshake = Self {
            mechanism,
            target: format!("HTTP/{host}"),
            host: host.to_owned(),
            username: account.username.clone(),
            binding: None,
            kdc: Kdc::default(),
        };
        // With Kerberos the library (sspi 0.23, picky-krb 0.13) writes the mark that goes with a
        // binding, KERB_AP_OPTIONS_CBT, in two bytes where MS-KILE 3.2.5.8 has four, and MIT's
        // acceptor refuses the ticket because of it. So Kerberos goes without.
        if !handshake.is_kerberos() {
            handshake.binding = binding;
        }
        Ok(handshake)
    }

    /// Whether it goes by Kerberos.
    pub(super) const fn is_kerberos(&self) -> bool {
        matches!(self.mechanism, Mechanism::Negotiate { kerberos: true, .. })
    }

    /// The next message, after `input` from the service. Kerberos asks a domain controller on the way,
    /// and all of it is computation, so it runs aside.
    ///
    /// # Errors
    ///
    /// [`EstateError`], by what it asks of the caller.
    pub(super) async fn step(mut self, input: Vec<u8>) -> Result<(Self, Vec<u8>), EstateError> {
        let stepping = tokio::task::spawn_blocking(move || {
            let output = silently(|| self.step_now(input));
            (self, output)
        });
        let (this, output) = stepping.await.map_err(|_| {
            EstateError::unusable(
                Service::AdminService,
                "sign-in",
                "a message that made no sense",
            )
        })?;
        match output {
            Ok(output) => Ok((this, output)),
            Err(error) => Err(this.explain(&error)),
        }
    }

    fn step_now(&mut self, input: Vec<u8>) -> sspi::Result<Vec<u8>> {
        let mut input = vec![SecurityBuffer::new(input, BufferType::Token)];
        if let Some(binding) = &self.binding {
            let binding = SecurityBuffer::new(binding.clone(), BufferType::ChannelBindings);
            input.push(binding);
        }
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        // As the library's users ask Windows services: it then exchanges a session key, with which the
        // messages are sealed against changes.
        let wanted = ClientRequestFlags::CONFIDENTIALITY | ClientRequestFlags::MUTUAL_AUTH;
        match &mut self.mechanism {
            Mechanism::Ntlm {
                context,
                credentials,
            } => {
                let mut builder = context
                    .initialize_security_context()
                    .with_credentials_handle(credentials)
                    .with_context_requirements(wanted)
                    .with_target_data_representation(DataRepresentation::Network)
                    .with_target_name(&self.target)
                    .with_input(&mut input)
                    .with_output(&mut output);
                context
                    .initialize_security_context_impl(&mut builder)?
                    .resolve_to_result()?;
            }
            Mechanism::Negotiate {
                context,
                credentials,
                ..
            } => {
                let mut builder = context
                    .initialize_security_context()
                    .with_credentials_handle(credentials)
                    .with_context_requirements(wanted)
                    .with_target_data_representation(DataRepresentation::Network)
                    .with_target_name(&self.target)
                    .with_input(&mut input)
                    .with_output(&mut output);
                context
                    .initialize_security_context_impl(&mut builder)?
                    .resolve_with_client(&self.kdc)?;
            }
        }
        Ok(output.swap_remove(0).buffer)
    }

    /// What a failure of the library asks of the caller. What a domain controller said counts for
    /// more than what the library made of it.
    fn explain(&self, error: &sspi::Error) -> EstateError {
        let refused = |refusal, words: &str| EstateError::Refused {
            service: Service::AdminService,
            refusal,
            detail: format!(
                "the domain controller says of {}: {words}{}",
                self.username,
                once(refusal)
            ),
        };
        let no_way = |detail: String| EstateError::SignIn {
            service: Service::AdminService,
            host: self.host.clone(),
            detail,
        };
        match self.kdc.last_error() {
            Some(code::CLIENT_UNKNOWN) => refused(Refusal::Account, "no such account"),
            Some(code::CLIENT_REVOKED) => refused(Refusal::AccountLocked, "locked or disabled"),
            Some(code::PASSWORD_EXPIRED) => {
                refused(Refusal::PasswordExpired, "the password has expired")
            }
            Some(code::PASSWORD_WRONG) => refused(Refusal::Account, "wrong password"),
            Some(code::CLOCK_SKEW) => refused(
                Refusal::Clock,
                "its clock and this machine's differ by more than allowed",
            ),
            Some(code::SERVICE_UNKNOWN) => no_way(format!(
                "the domain knows no {}: use the full name of the SMS Provider as address",
                self.target
            )),
            Some(code::NO_COMMON_ENCRYPTION) => no_way(
                "the domain controller and Diarchy have no encryption in common: allow AES for the account"
                    .to_owned(),
            ),
            None | Some(code::PASSWORD_WANTED)
                if error.error_type == ErrorKind::NoAuthenticatingAuthority =>
            {
                EstateError::Unreachable {
                    service: Service::AdminService,
                    host: self.host.clone(),
                    detail: format!("no domain controller answered: {}", error.description),
                    perhaps_received: false,
                }
            }
            // A controller that asks for no proof answers with what the password opens.
            None if self.is_kerberos() && error.error_type == ErrorKind::DecryptFailure => {
                refused(Refusal::Account, "wrong password")
            }
            code => EstateError::unusable(
                Service::AdminService,
                "sign-in",
                match code {
                    Some(code) => format!("Kerberos error {code}"),
                    None => format!("a message that cannot be used: {:?}", error.error_type),
                },
            ),
        }
    }
}

/// Calls the library with logging off.
fn silently<T>(work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(NoSubscriber::default(), work)
}

/// The domain controller to ask, if one is known: the account's own, or that of `krb5.conf`.
fn kdc(account: &Account) -> Option<Url> {
    account.kdc.clone().or_else(|| {
        let username = Username::parse(&account.username).ok()?;
        let name = sspi::kerberos::client::principal::get_client_principal_name(&username);
        let realm = sspi::kerberos::client::principal::get_client_principal_realm(
            name.name,
            name.realm_domain,
        );
        sspi::detect_kdc_url(&realm)
    })
}

fn ntlm(identity: &AuthIdentity) -> sspi::Result<Mechanism> {
    let mut context = Box::new(Ntlm::with_config(NtlmConfig::default()));
    let credentials = context
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Outbound)
        .with_auth_data(identity)
        .execute(context.as_mut())?
        .credentials_handle;
    Ok(Mechanism::Ntlm {
        context,
        credentials,
    })
}

/// Kerberos where a domain controller is known, else NTLM; never one after the other by itself: a
/// password that Kerberos refused would be tried a second time.
fn negotiate(identity: AuthIdentity, kdc: Option<Url>) -> sspi::Result<Mechanism> {
    let kerberos = kdc.is_some();
    let config = match kdc {
        Some(url) => NegotiateConfig::new(
            Box::new(KerberosConfig {
                kdc_resolution: KdcResolution::KdcUrl(Some(url)),
                client_computer_name: WORKSTATION.to_owned(),
            }),
            Some("kerberos,!ntlm,!pku2u".to_owned()),
            WORKSTATION.to_owned(),
        ),
        None => NegotiateConfig::new(
            Box::new(NtlmConfig::default()),
            Some("ntlm,!kerberos,!pku2u".to_owned()),
            WORKSTATION.to_owned(),
        ),
    };
    let mut context = Box::new(Negotiate::new_client(config)?);
    let credentials = context
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Outbound)
        .with_auth_data(&Credentials::AuthIdentity(identity))
        .execute(context.as_mut())?
        .credentials_handle;
    Ok(Mechanism::Negotiate {
        context,
        credentials,
        kerberos,
    })
}
