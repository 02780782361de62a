//! What a server says first: what it can do, and in older versions everything that it has.

use git2::Oid;

use super::packet::{Packet, Packets};
use super::refs::{Listed, Target};
use crate::remote::error::FetchError;

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 0, or 1, which differs by its first line alone.
    Zero,
    /// Version 2.
    Two,
}

/// The server's first words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub version: Version,
    capabilities: Vec<String>,
    /// Everything it has; nothing in version 2, where one has to ask.
    pub refs: Vec<Listed>,
}

impl Greeting {
    /// Reads a greeting.
    ///
    /// # Errors
    ///
    /// What is no greeting, and what this program cannot speak.
    pub async fn read(packets: &mut Packets<'_>) -> Result<Self, FetchError> {
        let first = packets.line().await?;
        let first = match first {
            // Over http a service says its name first.
            Some(line) if line.starts_with("# service=") => {
                packets.line().await?;
                packets.line().await?
            }
            other => other,
        };
        let greeting = match first.as_deref() {
            Some("version 2") => Self::two(packets).await?,
            Some("version 1") => {
                let line = packets.line().await?;
                Self::zero(packets, line).await?
            }
            _ => Self::zero(packets, first).await?,
        };
        match greeting.value("object-format") {
            None | Some("sha1") => Ok(greeting),
            Some(other) => Err(packets.garbage(&format!(
                "the repository names its objects by {other}, and only sha1 is read"
            ))),
        }
    }

    async fn two(packets: &mut Packets<'_>) -> Result<Self, FetchError> {
        let mut capabilities = Vec::new();
        while let Some(line) = packets.line().await? {
            capabilities.push(line);
        }
        Ok(Self {
            version: Version::Two,
            capabilities,
            refs: Vec::new(),
        })
    }

    async fn zero(packets: &mut Packets<'_>, first: Option<String>) -> Result<Self, FetchError> {
        let Some(first) = first else {
            // Older servers say nothing at all of an empty repository.
            return Ok(Self {
                version: Version::Zero,
                capabilities: Vec::new(),
                refs: Vec::new(),
            });
        };
        let (first, capabilities) = first
            .split_once('\0')
            .ok_or_else(|| packets.garbage("it does not say what it can do"))?;
        let capabilities = capabilities.split(' ').map(ToOwned::to_owned).collect();
        let mut greeting = Self {
            version: Version::Zero,
            capabilities,
            refs: Vec::new(),
        };
        let mut line = Some(first.to_owned());
        while let Some(text) = line {
            greeting
                .take(&text)
                .ok_or_else(|| packets.garbage(&format!("a list with `{}`", super::gist(&text))))?;
            line = match packets.next().await? {
                Packet::Data(data) => Some(String::from_utf8_lossy(data).trim_end().to_owned()),
                _ => None,
            };
        }
        greeting.point_head();
        Ok(greeting)
    }

    /// One line of a list of version 0.
    fn take(&mut self, line: &str) -> Option<()> {
        if line.starts_with("shallow ") {
            return Some(());
        }
        let (id, name) = line.split_once(' ')?;
        let id: Oid = id.parse().ok()?;
        if let Some(name) = name.strip_suffix("^{}") {
            // An empty repository lists `capabilities^{}` alone, which is nothing that it has.
            if let Some(tag) = self.refs.last_mut().filter(|last| last.name == name) {
                tag.peeled = Some(id);
            }
            return Some(());
        }
        self.refs.push(Listed {
            name: name.to_owned(),
            id,
            peeled: None,
            points_to: None,
        });
        Some(())
    }

    /// Where `HEAD` points to, which version 0 says among what it can do.
    fn point_head(&mut self) {
        let branch = self
            .capabilities
            .iter()
            .find_map(|capability| capability.strip_prefix("symref=HEAD:"))
            .map(ToOwned::to_owned);
        if let Some(head) = self.refs.iter_mut().find(|listed| listed.name == "HEAD") {
            head.points_to = branch;
        }
    }

    /// Whether the server can do this.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    /// What the server says of a capability that has a value.
    pub fn value(&self, capability: &str) -> Option<&str> {
        self.capabilities
            .iter()
            .find_map(|known| known.strip_prefix(capability)?.strip_prefix('='))
    }

    /// How many commits to ask for: the one that is wanted, where the server can leave out what
    /// came before it. Nobody reads history.
    pub fn depth(&self, target: &Target) -> Option<u32> {
        let shallow = match self.version {
            Version::Two => self
                .value("fetch")
                .is_some_and(|features| features.split(' ').any(|it| it == "shallow")),
            Version::Zero => self.can("shallow"),
        };
        (shallow && self.may_want(target)).then_some(1)
    }

    /// Whether the server gives out this target when it is asked for by its id.
    pub fn may_want(&self, target: &Target) -> bool {
        self.version == Version::Two
            || self.can("allow-reachable-sha1-in-want")
            || self.can("allow-any-sha1-in-want")
            || self
                .refs
                .iter()
                .any(|listed| listed.id == target.id || listed.peeled == Some(target.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::connection::Incoming;
    use crate::remote::protocol::block_on;
    use crate::remote::protocol::packet::Request;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn read(lines: &[&str]) -> Result<Greeting, FetchError> {
        let mut text = Request::default();
        for line in lines {
            match *line {
                "" => text.flush(),
                line => text.line(line),
            }
        }
        let text = text.into_bytes();
        block_on(async {
            let mut packets = Packets::new(Incoming::pieces(&[&text]), "h", 1 << 20);
            Greeting::read(&mut packets).await
        })
    }

    #[test]
    fn version_two_says_what_it_can_do() {
        for service in [&["# service=git-upload-pack", ""][..], &[]] {
            let lines = [
                service,
                &[
                    "version 2",
                    "fetch=shallow filter",
                    "object-format=sha1",
                    "",
                ],
            ]
            .concat();
            let greeting = read(&lines).unwrap();
            assert_eq!(greeting.version, Version::Two);
            assert_eq!(greeting.depth(&Target::commit(A.parse().unwrap())), Some(1));
        }
    }

    #[test]
    fn older_versions_list_what_they_have() {
        let head = format!("{A} HEAD\0side-band-64k symref=HEAD:refs/heads/main shallow");
        let lines = [
            &head,
            &format!("{A} refs/heads/main"),
            &format!("{B} refs/tags/v1"),
            &format!("{A} refs/tags/v1^{{}}"),
            "",
        ];
        for first in [&[][..], &["version 1"]] {
            let greeting = read(&[first, &lines].concat()).unwrap();
            assert_eq!(greeting.version, Version::Zero);
            assert_eq!(
                greeting.refs[0].points_to.as_deref(),
                Some("refs/heads/main")
            );
            assert_eq!(greeting.refs[2].peeled, Some(A.parse().unwrap()));
            assert!(greeting.may_want(&Target::commit(B.parse().unwrap())));
            let other = Target::commit("cc".repeat(20).parse().unwrap());
            assert!(!greeting.may_want(&other));
            assert_eq!(greeting.depth(&other), None);
        }
    }

    #[test]
    fn an_empty_repository_has_nothing() {
        let nothing = format!("{} capabilities^{{}}\0side-band-64k", "0".repeat(40));
        assert_eq!(read(&[&nothing, ""]).unwrap().refs, []);
        assert_eq!(read(&[""]).unwrap().refs, []);
    }

    #[test]
    fn what_is_no_greeting_is_said() {
        let no_capabilities = format!("{A} HEAD");
        let no_list = "hello\0side-band-64k";
        for lines in [
            &[&no_capabilities, ""][..],
            &[no_list, ""],
            &["version 2", "object-format=sha256", ""],
        ] {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }
}
