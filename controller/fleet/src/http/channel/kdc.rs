//! Talking to a Kerberos key distribution centre, which in a Windows domain is any domain controller.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sspi::generator::NetworkRequest;
use sspi::network_client::NetworkClient;
use sspi::{ErrorKind, NetworkProtocol};
use url::Url;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode, Reader, SliceReader, Tag, TagNumber};

/// How long a connection, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// No reply of a KDC is longer.
const LONGEST: u32 = 1 << 20;
const PORT: u16 = 88;

/// Errors of a KDC that say something about the account (RFC 4120, section 7.5.9).
pub(super) mod code {
    pub(in super::super) const CLIENT_UNKNOWN: u32 = 6;
    pub(in super::super) const SERVICE_UNKNOWN: u32 = 7;
    pub(in super::super) const NO_COMMON_ENCRYPTION: u32 = 14;
    pub(in super::super) const CLIENT_REVOKED: u32 = 18;
    pub(in super::super) const PASSWORD_EXPIRED: u32 = 23;
    pub(in super::super) const PASSWORD_WRONG: u32 = 24;
    pub(in super::super) const PASSWORD_WANTED: u32 = 25;
    pub(in super::super) const CLOCK_SKEW: u32 = 37;
}

/// Reads `host` or `host:port`.
///
/// # Errors
///
/// Why it is neither.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let unusable = || "the domain controller is neither host nor host:port".to_owned();
    let text = text.strip_prefix("tcp://").unwrap_or(text);
    let url = Url::parse(&format!("tcp://{text}")).map_err(|_| unusable())?;
    let bare = url.path().is_empty()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.host_str().is_some_and(|host| !host.is_empty());
    if bare { Ok(url) } else { Err(unusable()) }
}

/// Asks KDCs, and remembers what the last one said was wrong.
#[derive(Debug, Default)]
pub(super) struct Kdc {
    last_error: Mutex<Option<u32>>,
}

impl Kdc {
    /// The code of the last answer, if that was an error.
    pub(super) fn last_error(&self) -> Option<u32> {
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetworkClient for Kdc {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        if request.protocol != NetworkProtocol::Tcp {
            let detail = format!("{} is not asked over TCP", request.url);
            return Err(sspi::Error::new(ErrorKind::UnsupportedFunction, detail));
        }
        let host = request.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = request.url.port().unwrap_or(PORT);
        let reply = ask(host, port, &request.data).map_err(|error| {
            let detail = format!("{host}:{port}: {error}");
            sspi::Error::new(ErrorKind::NoAuthenticatingAuthority, detail)
        })?;
        let error = reply.get(4..).and_then(error_code);
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error;
        Ok(reply)
    }
}

/// Sends a message, which has its length in front, and returns the reply with its own.
fn ask(host: &str, port: u16, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return converse(stream, message),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse(mut stream: TcpStream, message: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let announced = u32::from_be_bytes(length);
    if announced > LONGEST {
        return Err(std::io::Error::other("the reply is too long"));
    }
    let mut reply = length.to_vec();
    let read = stream.take(announced.into()).read_to_end(&mut reply)?;
    if u64::try_from(read).ok() == Some(announced.into()) {
        Ok(reply)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}

/// The code in a KRB-ERROR (RFC 4120, section 5.9.1); `None` for any other message.
fn error_code(message: &[u8]) -> Option<u32> {
    let outer = AnyRef::from_der(message).ok()?;
    let is_error = matches!(
        x509_cert::der::Tagged::tag(&outer),
        Tag::Application {
            number: TagNumber(30),
            ..
        }
    );
    if !is_error {
        return None;
    }
    let fields = AnyRef::from_der(outer.value()).ok()?;
    let mut reader = SliceReader::new(fields.value()).ok()?;
    while !reader.is_finished() {
        let field = AnyRef::decode(&mut reader).ok()?;
        let tag = x509_cert::der::Tagged::tag(&field);
        if matches!(
            tag,
            Tag::ContextSpecific {
                number: TagNumber(6),
                ..
            }
        ) {
            return u32::from_der(field.value()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        for (text, expected) in [
            ("dc01.contoso.com", "tcp://dc01.contoso.com"),
            ("dc01:750", "tcp://dc01:750"),
            ("tcp://10.1.2.3:88", "tcp://10.1.2.3:88"),
            ("[::1]:88", "tcp://[::1]:88"),
        ] {
            assert_eq!(address(text).unwrap().as_str(), expected);
        }
        for text in [
            "",
            ":88",
            "a b",
            "dc01/x",
            "u@dc01",
            "dc01?x",
            "https://dc01",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn finds_the_code_of_an_error_and_of_nothing_else() {
        // KRB-ERROR with pvno 5, msg-type 30, and error-code 24.
        let error = [
            0x7e, 0x11, 0x30, 0x0f, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 30, 0xa6, 3, 2, 1, 24,
        ];
        assert_eq!(error_code(&error), Some(24));
        let mut reply = error;
        reply[0] = 0x6b;
        assert_eq!(error_code(&reply), None);
        for length in 0..error.len() {
            assert_eq!(error_code(&error[..length]), None);
        }
    }

    #[test]
    fn nobody_there_is_told_with_the_address() {
        let request = NetworkRequest {
            protocol: NetworkProtocol::Tcp,
            url: address("127.0.0.1:1").unwrap(),
            data: vec![0, 0, 0, 0],
        };
        let error = Kdc::default().send(&request).unwrap_err();
        assert_eq!(error.error_type, ErrorKind::NoAuthenticatingAuthority);
        assert!(error.description.contains("127.0.0.1:1"), "{error}");
    }
}
