//! What Negotiate wraps around NTLM (RFC 4178), as far as a server that knows nothing else needs it.

use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

const SPNEGO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.2");
const NTLM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.2.10");

/// The states of a conversation.
pub(super) const COMPLETE: u8 = 0;
pub(super) const INCOMPLETE: u8 = 1;

/// The first message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Init {
    /// The list of mechanisms as it came: both sides sign it in the end.
    pub(super) mechanisms: Vec<u8>,
    /// A message of NTLM, if that is what the client likes best.
    pub(super) token: Vec<u8>,
}

/// A later message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) token: Vec<u8>,
    /// The signature under the list of mechanisms.
    pub(super) signature: Option<Vec<u8>>,
}

/// Reads a first message that begins with NTLM.
pub(super) fn init(message: &[u8]) -> Option<Init> {
    let outer = AnyRef::from_der(message).ok()?;
    let is_init = matches!(
        outer.tag(),
        Tag::Application {
            number: TagNumber(0),
            ..
        }
    );
    let mut reader = SliceReader::new(outer.value()).ok().filter(|_| is_init)?;
    if ObjectIdentifier::decode(&mut reader).ok()? != SPNEGO {
        return None;
    }
    let fields = fields(inner(AnyRef::decode(&mut reader).ok()?, 0)?)?;
    let mechanisms = find(&fields, 0)?;
    let list = AnyRef::from_der(mechanisms).ok()?;
    let mut list = SliceReader::new(list.value()).ok()?;
    if ObjectIdentifier::decode(&mut list).ok()? != NTLM {
        return None;
    }
    Some(Init {
        mechanisms: mechanisms.to_vec(),
        token: octets(find(&fields, 2)?)?,
    })
}

/// Reads a later message.
pub(super) fn response(message: &[u8]) -> Option<Response> {
    let fields = fields(inner(AnyRef::from_der(message).ok()?, 1)?)?;
    Some(Response {
        token: octets(find(&fields, 2)?)?,
        signature: find(&fields, 3).and_then(octets),
    })
}

/// An answer in this state.
pub(super) fn answer(state: u8, token: Option<&[u8]>, signature: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut fields = explicit(0, &wrap(Tag::Enumerated, &[state])?)?;
    if let Some(token) = token {
        fields.extend(explicit(1, &NTLM.to_der().ok()?)?);
        fields.extend(explicit(2, &wrap(Tag::OctetString, token)?)?);
    }
    if let Some(signature) = signature {
        fields.extend(explicit(3, &wrap(Tag::OctetString, signature)?)?);
    }
    explicit(1, &wrap(Tag::Sequence, &fields)?)
}

/// The content of the field with this number.
fn inner(field: AnyRef<'_>, wanted: u32) -> Option<&[u8]> {
    match field.tag() {
        Tag::ContextSpecific { number, .. } if number.0 == wanted => Some(field.value()),
        _ => None,
    }
}

/// The fields of a sequence.
fn fields(sequence: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let sequence = AnyRef::from_der(sequence).ok()?;
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    let mut fields = Vec::new();
    while !reader.is_finished() {
        fields.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(fields)
}

fn find<'a>(fields: &[AnyRef<'a>], wanted: u32) -> Option<&'a [u8]> {
    fields.iter().find_map(|field| inner(*field, wanted))
}

fn octets(bytes: &[u8]) -> Option<Vec<u8>> {
    let any = AnyRef::from_der(bytes).ok()?;
    (any.tag() == Tag::OctetString).then(|| any.value().to_vec())
}

fn explicit(number: u32, content: &[u8]) -> Option<Vec<u8>> {
    let tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    };
    wrap(tag, content)
}

fn wrap(tag: Tag, content: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(tag, content).ok()?.to_der().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_client_begins_with() {
        let mechanisms = wrap(Tag::Sequence, &NTLM.to_der().unwrap()).unwrap();
        let fields = [
            explicit(0, &mechanisms).unwrap(),
            explicit(2, &wrap(Tag::OctetString, b"NTLMSSP\0").unwrap()).unwrap(),
        ]
        .concat();
        let body = [
            SPNEGO.to_der().unwrap(),
            explicit(0, &wrap(Tag::Sequence, &fields).unwrap()).unwrap(),
        ]
        .concat();
        let tag = Tag::Application {
            constructed: true,
            number: TagNumber(0),
        };
        let message = wrap(tag, &body).unwrap();
        let read = init(&message).unwrap();
        assert_eq!(read.token, b"NTLMSSP\0");
        assert_eq!(read.mechanisms, mechanisms);
        assert!(response(&message).is_none());
        for length in 0..message.len() {
            assert!(init(&message[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn reads_its_own_answers() {
        let message = answer(INCOMPLETE, Some(b"token"), Some(b"signature")).unwrap();
        let read = response(&message).unwrap();
        assert_eq!(read.token, b"token");
        assert_eq!(read.signature.as_deref(), Some(&b"signature"[..]));
        assert!(init(&message).is_none());
        assert!(response(&answer(COMPLETE, None, None).unwrap()).is_none());
    }
}
