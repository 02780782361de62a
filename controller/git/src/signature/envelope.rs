//! A signed object of git's, taken apart into what is signed and the signature.

use super::Refusal;

/// What kind of signature it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ssh,
    OpenPgp,
}

/// How signatures begin, on a line of their own.
const SSH: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
const OPENPGP: [&[u8]; 2] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
];
const X509: &[u8] = b"-----BEGIN SIGNED MESSAGE-----";

/// The header that holds a commit's signature, and the one of a repository with other object ids.
const HEADER: &[u8] = b"gpgsig";
const OTHER_HEADER: &[u8] = b"gpgsig-sha256";

/// A signed object.
#[derive(Debug)]
pub struct Envelope {
    pub kind: Kind,
    /// What is signed.
    pub content: Vec<u8>,
    /// The signature, in armour.
    pub signature: String,
    /// When the object says that it was made.
    pub made: i64,
}

impl Envelope {
    /// Takes a commit apart: the signature is a header, and what is signed is the rest.
    pub fn of_commit(commit: &[u8]) -> Result<Self, Refusal> {
        let mut content = Vec::new();
        let mut signatures: Vec<Vec<u8>> = Vec::new();
        let mut taking = Taking::Content;
        let mut lines = commit.split_inclusive(|byte| *byte == b'\n');
        for line in lines.by_ref() {
            if line == b"\n" {
                content.extend(line);
                break;
            }
            if let Some(rest) = line.strip_prefix(b" ") {
                match taking {
                    Taking::Content => content.extend(line),
                    Taking::Signature => signatures.iter_mut().for_each(|last| last.extend(rest)),
                    Taking::Nothing => {}
                }
                continue;
            }
            let value = |key: &[u8]| line.strip_prefix(key)?.strip_prefix(b" ");
            taking = if let Some(begin) = value(HEADER) {
                signatures.push(begin.to_vec());
                Taking::Signature
            } else if value(OTHER_HEADER).is_some() {
                Taking::Nothing
            } else {
                content.extend(line);
                Taking::Content
            };
        }
        content.extend(lines.flatten());
        match signatures.as_slice() {
            [] => Err(Refusal::Unsigned),
            [signature] => Self::new(content, signature, b"committer "),
            _ => Err(Refusal::unreadable("it has more than one")),
        }
    }

    /// Takes a tag apart: the signature is the end of its text, and what is signed is the rest.
    pub fn of_tag(tag: &[u8]) -> Result<Self, Refusal> {
        // As git does it: the last line that begins a signature begins the signature.
        let mut begin = None;
        let mut at = 0;
        for line in tag.split_inclusive(|byte| *byte == b'\n') {
            if begins(line) {
                begin = Some(at);
            }
            at += line.len();
        }
        let (content, signature) = tag.split_at(begin.ok_or(Refusal::Unsigned)?);
        Self::new(content.to_vec(), signature, b"tagger ")
    }

    fn new(content: Vec<u8>, signature: &[u8], who: &[u8]) -> Result<Self, Refusal> {
        let kind = if signature.starts_with(SSH) {
            Kind::Ssh
        } else if OPENPGP.iter().any(|begin| signature.starts_with(begin)) {
            Kind::OpenPgp
        } else if signature.starts_with(X509) {
            return Err(Refusal::unreadable(
                "it is one of X.509, and only SSH and OpenPGP are read",
            ));
        } else {
            return Err(Refusal::unreadable("it is neither SSH nor OpenPGP"));
        };
        let signature = String::from_utf8(signature.to_vec())
            .map_err(|_| Refusal::unreadable("it is no text"))?;
        let made = headers(&content)
            .find_map(|line| line.strip_prefix(who))
            .and_then(time_of)
            .ok_or_else(|| Refusal::unreadable("the object does not say when it was made"))?;
        Ok(Self {
            kind,
            content,
            signature,
            made,
        })
    }

    /// The value of a header of what is signed.
    pub fn header(&self, key: &str) -> Option<&str> {
        headers(&self.content)
            .filter_map(|line| str::from_utf8(line).ok())
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
    }
}

enum Taking {
    Content,
    Signature,
    Nothing,
}

fn begins(line: &[u8]) -> bool {
    [SSH, X509]
        .iter()
        .chain(&OPENPGP)
        .any(|begin| line.starts_with(begin))
}

/// The lines before the text.
fn headers(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    object
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
}

/// The seconds in `Name <mail> 1700000000 +0100`.
fn time_of(who: &[u8]) -> Option<i64> {
    let text = String::from_utf8_lossy(who);
    let mut words = text.rsplit(' ');
    let _zone = words.next()?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
        author A <a@b> 1700000000 +0100\n\
        committer C <c@d> 1700000001 +0100\n\
        gpgsig -----BEGIN SSH SIGNATURE-----\n \n U1NI\n -----END SSH SIGNATURE-----\n\
        gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n other\n\
        encoding latin1\n\
        \n\
        gpgsig in the text\n -----BEGIN SSH SIGNATURE-----\n";

    #[test]
    fn a_signature_is_cut_out_of_a_commit() {
        let envelope = Envelope::of_commit(COMMIT.as_bytes()).unwrap();
        assert_eq!(envelope.kind, Kind::Ssh);
        assert_eq!(envelope.made, 1_700_000_001);
        assert_eq!(
            envelope.signature,
            "-----BEGIN SSH SIGNATURE-----\n\nU1NI\n-----END SSH SIGNATURE-----\n"
        );
        let content = String::from_utf8(envelope.content).unwrap();
        let signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n \n U1NI\n -----END SSH SIGNATURE-----\n\
            gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n other\n";
        assert_eq!(content, COMMIT.replace(signature, ""));
    }

    #[test]
    fn what_only_looks_like_a_signature_is_none() {
        let unsigned =
            "tree x\ncommitter C <c@d> 1 +0000\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n";
        let error = Envelope::of_commit(unsigned.as_bytes()).unwrap_err();
        assert_eq!(error, Refusal::Unsigned);
        for commit in [
            COMMIT.replace("SSH", "SIGNED MESSAGE-----\n x"),
            COMMIT.replace("-----BEGIN", "BEGIN"),
            COMMIT.replace("committer", "commiter"),
            COMMIT.replace("encoding latin1", "gpgsig -----BEGIN SSH SIGNATURE-----"),
        ] {
            let error = Envelope::of_commit(commit.as_bytes()).unwrap_err();
            assert!(matches!(error, Refusal::Unreadable { .. }), "{error}");
        }
        for broken in [&b""[..], b"\n", b"gpgsig", b"gpgsig\n", b"gpgsig \n", b" x"] {
            assert!(Envelope::of_commit(broken).is_err());
            assert!(Envelope::of_tag(broken).is_err());
        }
    }

    #[test]
    fn a_signature_is_the_end_of_a_tag() {
        let tag = "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\ntag v1\n\
            tagger T <t@u> 1700000002 +0000\n\nquoted:\n-----BEGIN PGP SIGNATURE-----\nx\n\
            -----BEGIN PGP SIGNATURE-----\ny\n";
        let envelope = Envelope::of_tag(tag.as_bytes()).unwrap();
        assert_eq!(envelope.kind, Kind::OpenPgp);
        assert_eq!(envelope.signature, "-----BEGIN PGP SIGNATURE-----\ny\n");
        assert!(envelope.content.ends_with(b"x\n"));
        assert_eq!(envelope.header("tag"), Some("v1"));
        assert_eq!(envelope.made, 1_700_000_002);
    }
}
