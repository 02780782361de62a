//! Which credentials a Secret holds: its keys say so.

use diarchy_fleet::site::SiteCredentials;
use diarchy_fleet::{
    CaBundle, ClientCertificate, ClientCredentials, ClientProof, DomainAccount, Service,
};
use jiff::Timestamp;

use super::secret::SecretData;
use crate::error::OperatorError;

const TOKEN: &str = "token";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
/// A domain controller, beside `username` and `password`.
pub(super) const KDC: &str = "kdc";
const CLIENT_ID: &str = "clientId";
const CLIENT_SECRET: &str = "clientSecret";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const ROOTS: &str = "ca.crt";

/// The administrative user of a site: `username` and `password`, perhaps with `kdc`; or `token`.
pub(super) fn site(secret: &SecretData) -> Result<SiteCredentials, OperatorError> {
    let ways = [
        (&[TOKEN][..], &[TOKEN][..]),
        (&[USERNAME, PASSWORD][..], &[USERNAME, PASSWORD, KDC][..]),
    ];
    match choose(secret, ways)? {
        0 => Ok(SiteCredentials::Token(secret.secret(TOKEN)?)),
        _ => Ok(SiteCredentials::Account(DomainAccount {
            username: secret.text(USERNAME)?,
            password: secret.secret(PASSWORD)?,
            kdc: kdc(secret)?,
        })),
    }
}

/// The domain controller that a site's Secret names.
pub(super) fn kdc(secret: &SecretData) -> Result<Option<String>, OperatorError> {
    if !secret.has(KDC) {
        return Ok(None);
    }
    Ok(Some(secret.text(KDC)?.trim().to_owned()))
}

/// An application registration: `clientId`, and `clientSecret` or `tls.crt` and `tls.key`.
pub(super) fn application(
    secret: &SecretData,
    now: Timestamp,
) -> Result<ClientCredentials, OperatorError> {
    let client_id = secret.text(CLIENT_ID)?;
    let ways = [
        (&[CLIENT_SECRET][..], &[CLIENT_SECRET][..]),
        (&[CERTIFICATE, KEY][..], &[CERTIFICATE, KEY][..]),
    ];
    let proof = match choose(secret, ways)? {
        0 => ClientProof::Secret(secret.secret(CLIENT_SECRET)?),
        _ => {
            let (certificate, key) = (secret.bytes(CERTIFICATE)?, secret.bytes(KEY)?);
            let read = ClientCertificate::read(certificate, key, now);
            ClientProof::Certificate(read.map_err(|error| secret.blame(error))?)
        }
    };
    Ok(ClientCredentials { client_id, proof })
}

/// Roots that a site is trusted by: `ca.crt`.
pub(super) fn roots(secret: &SecretData) -> Result<CaBundle, OperatorError> {
    CaBundle::read(Service::AdminService, secret.bytes(ROOTS)?).map_err(|error| secret.blame(error))
}

/// Which of two ways a Secret is meant for. Each is the keys that it needs, and all that belong to it.
fn choose(secret: &SecretData, ways: [(&[&str], &[&str]); 2]) -> Result<usize, OperatorError> {
    let found = ways.map(|(_, all)| all.iter().find(|key| secret.has(key)).copied());
    match found {
        [Some(_), None] => Ok(0),
        [None, Some(_)] => Ok(1),
        [Some(one), Some(other)] => Err(secret.unusable(
            format!("`{one}` and `{other}` are both there, and each is a way of its own"),
            format!("remove one of them: {}", described(&ways)),
        )),
        [None, None] => {
            Err(secret.lacks(format!("{} in Secret {}", described(&ways), secret.name())))
        }
    }
}

fn described(ways: &[(&[&str], &[&str]); 2]) -> String {
    let one = |keys: &[&str]| {
        let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        quoted.join(" with ")
    };
    format!("either {} or {}", one(ways[0].0), one(ways[1].0))
}

#[cfg(test)]
mod tests {
    use diarchy_core::code::Code;
    use diarchy_core::resource::ObjectName;

    use super::*;
    use crate::connect::Source;

    fn secret(keys: &[(&str, &str)]) -> SecretData {
        let keys = keys.iter();
        SecretData::new(
            ObjectName::new("contoso", "secret"),
            Source::Folder,
            keys.map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        )
    }

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_keys_say_how_a_site_is_signed_in_to() {
        let token = site(&secret(&[("token", "t"), ("note", "ours")])).unwrap();
        assert!(matches!(token, SiteCredentials::Token(_)));
        let SiteCredentials::Account(account) = site(&secret(&[
            ("username", "CONTOSO\\svc\n"),
            ("password", "p"),
            ("kdc", "dc01.contoso.com\n"),
        ]))
        .unwrap() else {
            panic!("an account");
        };
        assert_eq!(account.username, "CONTOSO\\svc");
        assert_eq!(account.kdc.as_deref(), Some("dc01.contoso.com"));
        for (keys, code, part) in [
            (
                &[][..],
                Code::SecretMissing,
                "either `token` or `username` with `password`",
            ),
            (&[("pasword", "p")], Code::SecretMissing, "it has `pasword`"),
            (&[("username", "u")], Code::SecretMissing, "key `password`"),
            (&[("password", "p")], Code::SecretMissing, "key `username`"),
            (&[("kdc", "dc01")], Code::SecretMissing, "key `username`"),
            (
                &[("username", "u"), ("password", "\n")],
                Code::SecretNotUsable,
                "`password` is empty",
            ),
            (
                &[("token", "t"), ("password", "p")],
                Code::SecretNotUsable,
                "`token` and `password`",
            ),
            (
                &[("token", "t"), ("kdc", "dc01")],
                Code::SecretNotUsable,
                "`token` and `kdc`",
            ),
        ] {
            let error = site(&secret(keys)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{part}: {error}");
            assert!(error.to_string().contains("contoso/secret"), "{error}");
        }
    }

    #[test]
    fn the_keys_say_how_an_application_proves_itself() {
        let with_secret = secret(&[("clientId", "app"), ("clientSecret", "s")]);
        let credentials = application(&with_secret, noon()).unwrap();
        assert!(matches!(credentials.proof, ClientProof::Secret(_)));
        for (keys, code, part) in [
            (
                &[("clientSecret", "s")][..],
                Code::SecretMissing,
                "`clientId`",
            ),
            (
                &[("clientId", "app")],
                Code::SecretMissing,
                "either `clientSecret` or `tls.crt`",
            ),
            (
                &[("clientId", "app"), ("tls.crt", "x")],
                Code::SecretMissing,
                "`tls.key`",
            ),
            (
                &[("clientId", "app"), ("tls.key", "x"), ("clientSecret", "s")],
                Code::SecretNotUsable,
                "both there",
            ),
            (
                &[("clientId", "app"), ("tls.crt", "x"), ("tls.key", "y")],
                Code::CertificateNotUsable,
                "tls.crt holds no PEM certificate",
            ),
        ] {
            let error = application(&secret(keys), noon()).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn roots_that_are_none_are_blamed_on_their_secret() {
        let error = roots(&secret(&[("ca.crt", "hello")])).unwrap_err();
        assert!(
            error.to_string().starts_with("Secret contoso/secret: "),
            "{error}"
        );
    }
}
