//! The pack that a server answers with, on its way into the mirror.

use git2::Oid;

use super::greeting::{Greeting, Version};
use super::negotiation::Question;
use super::packet::{Packet, Packets};
use crate::remote::error::{FetchError, one_line};
use crate::remote::mirror::{Mirror, Receiving};
use crate::remote::request::Limits;

/// The bytes before the first object of a pack: its name, its version, how many objects.
const HEADER: usize = 12;

/// What is said of an answer, and how much of it is taken.
pub struct Take<'t> {
    pub host: &'t str,
    pub address: &'t str,
    pub reference: &'t str,
    pub limits: Limits,
}

impl Take<'_> {
    /// Reads an answer to `question` into the mirror.
    ///
    /// # Errors
    ///
    /// An answer that is no pack, or more than is taken; a mirror that cannot be written.
    pub async fn read(
        &self,
        packets: &mut Packets<'_>,
        greeting: &Greeting,
        question: &Question,
        mirror: &mut Mirror,
    ) -> Result<(), FetchError> {
        let shallow = match greeting.version {
            Version::Two => self.sections(packets).await?,
            Version::Zero => self.acknowledgments(packets, greeting, question).await?,
        };
        // Written before the pack: what says less than is there does no harm, and a pack without
        // it would be taken for all of history.
        if let Some(shallow) = shallow {
            mirror.cut_off(&shallow)?;
        }
        let mut pack = Pack {
            take: self,
            begin: Vec::new(),
            received: 0,
            into: None,
        };
        self.bands(packets, &mut pack, mirror).await?;
        pack.end(packets)
    }

    /// The sections before the pack (version 2): which commits have no parents here.
    async fn sections(&self, packets: &mut Packets<'_>) -> Result<Option<Vec<Oid>>, FetchError> {
        let mut shallow = None;
        loop {
            let section = self.line(packets).await?;
            match section.as_deref() {
                Some("packfile") => return Ok(shallow),
                Some("shallow-info") => shallow = Some(self.shallow(packets).await?),
                Some("acknowledgments" | "wanted-refs" | "packfile-uris") => {
                    while self.line(packets).await?.is_some() {}
                }
                Some(other) => {
                    let detail = format!("a section `{}`", super::gist(other));
                    return Err(packets.garbage(&detail));
                }
                None => return Err(packets.garbage("no pack")),
            }
        }
    }

    /// The lines before the pack (version 0).
    async fn acknowledgments(
        &self,
        packets: &mut Packets<'_>,
        greeting: &Greeting,
        question: &Question,
    ) -> Result<Option<Vec<Oid>>, FetchError> {
        if !greeting.can("side-band-64k") {
            return Err(packets.garbage("the server is too old: it lacks side-band-64k"));
        }
        let shallow = match question.depth {
            Some(_) => Some(self.shallow(packets).await?),
            None => None,
        };
        loop {
            let line = self.line(packets).await?;
            let words: Vec<&str> = line.iter().flat_map(|line| line.split(' ')).collect();
            match words.as_slice() {
                // The last word on what both have; everything before it is about single commits.
                ["NAK"] | ["ACK", _] => return Ok(shallow),
                ["ACK", _, _] => {}
                _ => return Err(packets.garbage("no word on what both sides have")),
            }
        }
    }

    async fn shallow(&self, packets: &mut Packets<'_>) -> Result<Vec<Oid>, FetchError> {
        let mut ids = Vec::new();
        while let Some(line) = self.line(packets).await? {
            match line.split_once(' ') {
                Some(("shallow", id)) => ids.push(
                    id.parse()
                        .map_err(|_| packets.garbage("a commit without an id"))?,
                ),
                Some(("unshallow", _)) => {}
                _ => return Err(packets.garbage("no word on how far back it sends")),
            }
        }
        Ok(ids)
    }

    /// A line; an error of the server's about the objects asked for is one about the revision.
    async fn line(&self, packets: &mut Packets<'_>) -> Result<Option<String>, FetchError> {
        packets.line().await.map_err(|error| match &error {
            FetchError::Answer { detail, .. } if detail.contains("not our ref") => {
                FetchError::NoRevision {
                    address: self.address.to_owned(),
                    reference: self.reference.to_owned(),
                    detail: String::new(),
                }
            }
            _ => error,
        })
    }

    /// Unwinds the bands: the pack on the first, chatter on the second, an error on the third.
    async fn bands(
        &self,
        packets: &mut Packets<'_>,
        pack: &mut Pack<'_>,
        mirror: &Mirror,
    ) -> Result<(), FetchError> {
        loop {
            let fault = match packets.next().await? {
                Packet::Flush => return packets.end(),
                Packet::Data([1, data @ ..]) => {
                    pack.take(data, mirror)?;
                    continue;
                }
                Packet::Data([2, ..]) => continue,
                Packet::Data([3, message @ ..]) => {
                    format!("it says `{}`", one_line(&String::from_utf8_lossy(message)))
                }
                _ => "a pack that is cut into nothing of git's".to_owned(),
            };
            return Err(packets.garbage(&fault));
        }
    }

    fn too_large(&self, detail: String) -> FetchError {
        FetchError::TooLarge {
            address: self.address.to_owned(),
            detail,
        }
    }
}

/// A pack as it arrives.
struct Pack<'t> {
    take: &'t Take<'t>,
    /// Its first bytes, until they say how much there will be.
    begin: Vec<u8>,
    received: u64,
    into: Option<Receiving>,
}

impl Pack<'_> {
    fn take(&mut self, data: &[u8], mirror: &Mirror) -> Result<(), FetchError> {
        let limits = self.take.limits;
        self.received += data.len() as u64;
        if self.received > limits.pack_bytes {
            let detail = format!("it sends more than {} MiB", limits.pack_bytes >> 20);
            return Err(self.take.too_large(detail));
        }
        if let Some(into) = &mut self.into {
            return into.write(data);
        }
        self.begin.extend_from_slice(data);
        let Some(objects) = self.objects() else {
            return Ok(());
        };
        if objects > limits.objects {
            let detail = format!(
                "it sends {objects} objects, and at most {} are taken",
                limits.objects
            );
            return Err(self.take.too_large(detail));
        }
        // A pack of nothing says that everything is here already.
        if objects > 0 {
            let mut into = mirror.receive(self.take.host)?;
            into.write(&self.begin)?;
            self.into = Some(into);
        }
        Ok(())
    }

    fn objects(&self) -> Option<u32> {
        let count = self.begin.get(HEADER - 4..HEADER)?;
        Some(u32::from_be_bytes(count.try_into().ok()?))
    }

    fn end(self, packets: &Packets<'_>) -> Result<(), FetchError> {
        match self.into {
            Some(into) => into.commit(),
            None if self.begin.starts_with(b"PACK") && self.objects() == Some(0) => Ok(()),
            None => Err(packets.garbage("no pack")),
        }
    }
}
