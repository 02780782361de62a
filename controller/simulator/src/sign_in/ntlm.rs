//! NTLM as a server speaks it, written from MS-NLMP alone: the client uses a library, and an error
//! that both had in common would hide.

use hmac::{Hmac, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use rc4::{KeyInit as _, Rc4, StreamCipher};

use crate::moment::Moment;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Bits of `NegotiateFlags` (MS-NLMP 2.2.2.5).
mod flag {
    pub(super) const UNICODE: u32 = 1;
    pub(super) const TARGET: u32 = 1 << 2;
    pub(super) const SIGN: u32 = 1 << 4;
    pub(super) const SEAL: u32 = 1 << 5;
    pub(super) const NTLM: u32 = 1 << 9;
    pub(super) const ALWAYS_SIGN: u32 = 1 << 15;
    pub(super) const TARGET_IS_DOMAIN: u32 = 1 << 16;
    pub(super) const EXTENDED_SECURITY: u32 = 1 << 19;
    pub(super) const TARGET_INFO: u32 = 1 << 23;
    pub(super) const VERSION: u32 = 1 << 25;
    pub(super) const BITS_128: u32 = 1 << 29;
    pub(super) const KEY_EXCHANGE: u32 = 1 << 30;
    pub(super) const BITS_56: u32 = 1 << 31;
}

/// Kinds of attributes (MS-NLMP 2.2.2.1).
mod attribute {
    pub(super) const END: u16 = 0;
    pub(super) const COMPUTER: u16 = 1;
    pub(super) const DOMAIN: u16 = 2;
    pub(super) const DNS_COMPUTER: u16 = 3;
    pub(super) const DNS_DOMAIN: u16 = 4;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIME: u16 = 7;
    pub(super) const CHANNEL_BINDINGS: u16 = 10;
}

/// Says that the message has an integrity check.
const HAS_CHECK: u32 = 2;
/// Windows 10, which nobody looks at.
const VERSION: [u8; 8] = [10, 0, 0x61, 0x4a, 0, 0, 0, 15];
/// Seconds from 1601, where Windows counts from, to 1970.
const EPOCH: i64 = 11_644_473_600;

/// What the server says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) domain: &'a str,
    pub(super) dns_domain: &'a str,
    pub(super) computer: &'a str,
}

/// A conversation whose second message has been sent.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    nonce: [u8; 8],
}

/// Who a client says to be, and what it shows for it.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) user: String,
    pub(super) domain: String,
    flags: u32,
    answer: [u8; 16],
    blob: Vec<u8>,
    encrypted_key: Vec<u8>,
    message: Vec<u8>,
}

/// What both sides know after a sign-in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    exported: [u8; 16],
    exchanged: bool,
}

/// Why a proof is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Another password.
    Password,
    /// The messages were changed on their way.
    Integrity,
    /// The conversation took place over another TLS connection.
    Channel,
}

/// Whether a message is one of NTLM, and which.
pub(super) fn kind(message: &[u8]) -> Option<u32> {
    (message.get(..8)? == SIGNATURE).then(|| number(message, 8))?
}

impl Conversation {
    /// Answers the first message of a client.
    pub(super) fn begin(
        negotiate: &[u8],
        nonce: [u8; 8],
        identity: Identity<'_>,
        now: Moment,
    ) -> Option<Self> {
        let asked = number(negotiate, 12).filter(|_| kind(negotiate) == Some(1))?;
        let granted =
            asked & (flag::SIGN | flag::SEAL | flag::KEY_EXCHANGE | flag::BITS_128 | flag::BITS_56);
        let flags = granted
            | flag::UNICODE
            | flag::TARGET
            | flag::NTLM
            | flag::ALWAYS_SIGN
            | flag::TARGET_IS_DOMAIN
            | flag::EXTENDED_SECURITY
            | flag::TARGET_INFO
            | flag::VERSION;
        let target = wide(identity.domain);
        let info = target_info(identity, now);
        let (target_at, info_at) = (56, 56 + target.len());
        let mut challenge = Vec::new();
        challenge.extend_from_slice(SIGNATURE);
        challenge.extend_from_slice(&2_u32.to_le_bytes());
        challenge.extend_from_slice(&field(target.len(), target_at));
        challenge.extend_from_slice(&flags.to_le_bytes());
        challenge.extend_from_slice(&nonce);
        challenge.extend_from_slice(&[0; 8]);
        challenge.extend_from_slice(&field(info.len(), info_at));
        challenge.extend_from_slice(&VERSION);
        challenge.extend_from_slice(&target);
        challenge.extend_from_slice(&info);
        Some(Self {
            negotiate: negotiate.to_vec(),
            challenge,
            nonce,
        })
    }

    /// The second message.
    pub(super) fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Judges the third message by `password`. `channel` is the hash that the connection's own
    /// channel bindings have; `bound` says that a client must name it.
    pub(super) fn check(
        &self,
        proof: &Proof,
        password: &str,
        channel: [u8; 16],
        bound: bool,
    ) -> Result<Keys, Flaw> {
        let secret = Md4::digest(wide(password));
        let who = wide(&format!("{}{}", proof.user.to_uppercase(), proof.domain));
        let key = keyed(&secret, &[&who]);
        if keyed(&key, &[&self.nonce, &proof.blob]) != proof.answer {
            return Err(Flaw::Password);
        }
        let base = keyed(&key, &[&proof.answer]);
        let exchanged = proof.flags & flag::KEY_EXCHANGE != 0;
        let mut exported = base;
        if exchanged {
            let sent = <[u8; 16]>::try_from(proof.encrypted_key.as_slice());
            exported = sent.map_err(|_| Flaw::Integrity)?;
            cipher(&base, &mut exported);
        }
        let attributes = attributes(proof.blob.get(28..).unwrap_or_default());
        let find = |kind| {
            let mut all = attributes.iter();
            all.find(|(other, _)| *other == kind)
                .map(|(_, value)| value)
        };
        let flags = find(attribute::FLAGS).and_then(|value| number(value, 0));
        if flags.unwrap_or(0) & HAS_CHECK != 0 {
            self.check_integrity(proof, exported)?;
        }
        let named = find(attribute::CHANNEL_BINDINGS).filter(|value| value.iter().any(|b| *b != 0));
        match named {
            Some(named) if *named != channel => return Err(Flaw::Channel),
            None if bound => return Err(Flaw::Channel),
            _ => {}
        }
        Ok(Keys {
            exported,
            exchanged,
        })
    }

    fn check_integrity(&self, proof: &Proof, key: [u8; 16]) -> Result<(), Flaw> {
        let mut message = proof.message.clone();
        let place = message.get_mut(72..88).ok_or(Flaw::Integrity)?;
        let sent = place.to_vec();
        place.fill(0);
        let expected = keyed(&key, &[&self.negotiate, &self.challenge, &message]);
        if expected[..] == sent[..] {
            Ok(())
        } else {
            Err(Flaw::Integrity)
        }
    }
}

impl Proof {
    /// Reads a third message.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        if kind(message) != Some(3) {
            return None;
        }
        let response = part(message, 20)?;
        Some(Self {
            user: narrow(part(message, 36)?)?,
            domain: narrow(part(message, 28)?)?,
            flags: number(message, 60)?,
            answer: response.get(..16)?.try_into().ok()?,
            blob: response.get(16..)?.to_vec(),
            encrypted_key: part(message, 52)?.to_vec(),
            message: message.to_vec(),
        })
    }
}

impl Keys {
    /// The signature under the first message that one side signs (MS-NLMP 3.4.4.2).
    pub(super) fn sign(&self, from_client: bool, message: &[u8]) -> [u8; 16] {
        let way = if from_client {
            "client-to-server"
        } else {
            "server-to-client"
        };
        let derive = |purpose: &str| -> [u8; 16] {
            let magic = format!("session key to {way} {purpose} key magic constant\0");
            let mut hash = Md5::new();
            hash.update(self.exported);
            hash.update(magic);
            hash.finalize().into()
        };
        let number = [0; 4];
        let full = keyed(&derive("signing"), &[&number, message]);
        let mut sum = [0; 8];
        sum.copy_from_slice(&full[..8]);
        if self.exchanged {
            cipher(&derive("sealing"), &mut sum);
        }
        let mut signature = [0; 16];
        signature[0] = 1;
        signature[4..12].copy_from_slice(&sum);
        signature
    }
}

/// The hash of channel bindings with this application data (MS-NLMP 2.2.2.1, RFC 2744 section 3.11).
pub(super) fn channel(data: &[u8]) -> [u8; 16] {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = Md5::new();
    hash.update([0; 16]);
    hash.update(length.to_le_bytes());
    hash.update(data);
    hash.finalize().into()
}

fn target_info(identity: Identity<'_>, now: Moment) -> Vec<u8> {
    let computer = format!(
        "{}.{}",
        identity.computer.to_lowercase(),
        identity.dns_domain
    );
    // Hundreds of nanoseconds since 1601.
    let time = (now + EPOCH * 1000).saturating_mul(10_000);
    let mut info = Vec::new();
    for (kind, value) in [
        (attribute::DOMAIN, wide(identity.domain)),
        (attribute::COMPUTER, wide(identity.computer)),
        (attribute::DNS_DOMAIN, wide(identity.dns_domain)),
        (attribute::DNS_COMPUTER, wide(&computer)),
        (attribute::TIME, time.to_le_bytes().to_vec()),
        (attribute::END, Vec::new()),
    ] {
        info.extend_from_slice(&kind.to_le_bytes());
        info.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
        info.extend_from_slice(&value);
    }
    info
}

fn attributes(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let [a, b, c, d, rest @ ..] = bytes {
        let (kind, length) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let Some((value, next)) = rest.split_at_checked(length.into()) else {
            break;
        };
        if kind == attribute::END {
            break;
        }
        found.push((kind, value.to_vec()));
        bytes = next;
    }
    found
}

/// Length, room and offset of a part of a message.
fn field(length: usize, offset: usize) -> [u8; 8] {
    let length = u16::try_from(length).unwrap_or(0).to_le_bytes();
    let offset = u32::try_from(offset).unwrap_or(0).to_le_bytes();
    let mut field = [0; 8];
    field[..2].copy_from_slice(&length);
    field[2..4].copy_from_slice(&length);
    field[4..].copy_from_slice(&offset);
    field
}

/// The part of a message whose field is at `at`.
fn part(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = message.get(at..at + 2)?.try_into().ok()?;
    let length = usize::from(u16::from_le_bytes(length));
    let offset = usize::try_from(number(message, at + 4)?).ok()?;
    message.get(offset..offset.checked_add(length)?)
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn narrow(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else {
        unreachable!("a key of HMAC may have any length");
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn cipher(key: &[u8; 16], data: &mut [u8]) {
    let Ok(mut cipher) = Rc4::new_from_slice(key) else {
        unreachable!("a key of RC4 may have 16 bytes");
    };
    cipher.apply_keystream(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// The example of the specification (MS-NLMP 4.2.1 and 4.2.4).
    fn example() -> (Conversation, Proof) {
        let info = hex("02000c0044006f006d00610069006e0001000c005300650072007600650072000000 0000");
        let blob = [
            hex("0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"),
            info,
            hex("00000000"),
        ]
        .concat();
        let conversation = Conversation {
            negotiate: Vec::new(),
            challenge: Vec::new(),
            nonce: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
        };
        let proof = Proof {
            user: "User".to_owned(),
            domain: "Domain".to_owned(),
            flags: flag::KEY_EXCHANGE,
            answer: hex("68cd0ab851e51c96aabc927bebef6a1c").try_into().unwrap(),
            blob,
            encrypted_key: hex("c5dad2544fc9799094ce1ce90bc9d03e"),
            message: Vec::new(),
        };
        (conversation, proof)
    }

    #[test]
    fn agrees_with_the_example_of_the_specification() {
        let (conversation, proof) = example();
        let keys = conversation
            .check(&proof, "Password", [0; 16], false)
            .unwrap();
        assert_eq!(keys.exported, [0x55; 16]);
        let wrong = conversation.check(&proof, "password", [0; 16], false);
        assert_eq!(wrong.unwrap_err(), Flaw::Password);
        // The example of 4.2.4.4: the checksum under the first sealed message, before sealing.
        let plain = wide("Plaintext");
        let mut signing = Md5::new();
        signing.update([0x55; 16]);
        signing.update("session key to client-to-server signing key magic constant\0");
        let sum = keyed(&signing.finalize(), &[&[0; 4], &plain]);
        assert_eq!(sum[..8], hex("70352851f256 4309")[..]);
    }

    #[test]
    fn a_channel_that_is_named_must_be_this_one() {
        let (conversation, proof) = example();
        let bound = conversation.check(&proof, "Password", [7; 16], true);
        assert_eq!(bound.unwrap_err(), Flaw::Channel);
    }

    #[test]
    fn nonsense_is_no_message() {
        for bytes in [
            &b""[..],
            b"NTLMSSP",
            b"NTLMSSP\0",
            b"NTLMSSP\0\x03\0\0\0",
            &[0xff; 100],
        ] {
            assert!(Proof::read(bytes).is_none());
            let identity = Identity {
                domain: "CONTOSO",
                dns_domain: "contoso.com",
                computer: "CM01",
            };
            assert!(Conversation::begin(bytes, [0; 8], identity, 0).is_none());
        }
    }
}
