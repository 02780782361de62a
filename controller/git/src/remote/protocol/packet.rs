//! Packet lines: how git cuts what it says into pieces (gitprotocol-common).

use super::Incoming;
use crate::remote::error::FetchError;

/// The four digits that say how long a packet is, themselves included.
const HEADER: usize = 4;
/// The longest packet that git sends.
const LONGEST: usize = 65_520;

/// One packet; data is the reader's until the next is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'p> {
    /// A line, or a piece of something longer.
    Data(&'p [u8]),
    /// `0000`: the end of a list.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of an answer.
    ResponseEnd,
}

/// Reads packets out of what arrives.
pub struct Packets<'i> {
    incoming: Incoming<'i>,
    host: String,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    used: usize,
    received: u64,
    most: u64,
}

impl<'i> Packets<'i> {
    /// Packets of `host`, which may send at most so many bytes.
    pub fn new(incoming: Incoming<'i>, host: &str, most: u64) -> Self {
        Self {
            incoming,
            host: host.to_owned(),
            buffer: Vec::new(),
            used: 0,
            received: 0,
            most,
        }
    }

    /// The next packet.
    ///
    /// # Errors
    ///
    /// A connection that fails or ends, more bytes than are taken, and what is no packet. A packet
    /// that says `ERR` is the server's own error.
    pub async fn next(&mut self) -> Result<Packet<'_>, FetchError> {
        self.fill(HEADER).await?;
        let header = &self.buffer[self.used..self.used + HEADER];
        let Some(length) = length(header) else {
            let beginning = String::from_utf8_lossy(&self.buffer[self.used..]).into_owned();
            return Err(self.garbage(&format!(
                "no packet of git's begins with `{}`",
                super::gist(&beginning)
            )));
        };
        let special = match length {
            0 => Some(Packet::Flush),
            1 => Some(Packet::Delimiter),
            2 => Some(Packet::ResponseEnd),
            _ => None,
        };
        if let Some(special) = special {
            self.used += HEADER;
            return Ok(special);
        }
        if !(HEADER..=LONGEST).contains(&length) {
            return Err(self.garbage(&format!("a packet of {length} bytes")));
        }
        self.fill(length).await?;
        let begin = self.used + HEADER;
        self.used += length;
        let data = &self.buffer[begin..self.used];
        if let Some(message) = data.strip_prefix(b"ERR ") {
            return Err(super::said(&self.host, &String::from_utf8_lossy(message)));
        }
        Ok(Packet::Data(data))
    }

    /// The next packet as a line of text, without its end; `None` at the end of a list.
    pub async fn line(&mut self) -> Result<Option<String>, FetchError> {
        let line = match self.next().await? {
            Packet::Data(data) => {
                Some(String::from_utf8_lossy(data.strip_suffix(b"\n").unwrap_or(data)).into_owned())
            }
            _ => None,
        };
        Ok(line)
    }

    /// Ends the reading of one answer, behind which nothing may stand.
    pub fn end(&self) -> Result<(), FetchError> {
        if self.used < self.buffer.len() {
            return Err(self.garbage("more than was asked for"));
        }
        Ok(())
    }

    /// An error that says that this is not what git sends.
    pub fn garbage(&self, detail: &str) -> FetchError {
        FetchError::Answer {
            host: self.host.clone(),
            detail: detail.to_owned(),
        }
    }

    /// Has at least `wanted` bytes in the buffer.
    async fn fill(&mut self, wanted: usize) -> Result<(), FetchError> {
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        } else if self.used > LONGEST {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        while self.buffer.len() - self.used < wanted {
            let before = self.buffer.len();
            if !self.incoming.more(&mut self.buffer).await? {
                return Err(self.incoming.ended_early(&self.host));
            }
            self.received += (self.buffer.len() - before) as u64;
            if self.received > self.most {
                return Err(self.garbage(&format!("more than {} bytes", self.most)));
            }
        }
        Ok(())
    }
}

fn length(header: &[u8]) -> Option<usize> {
    if !header.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = str::from_utf8(header).ok()?;
    usize::from_str_radix(digits, 16).ok()
}

/// What is said to a server, packet by packet.
#[derive(Debug, Default)]
pub struct Request(Vec<u8>);

impl Request {
    /// Adds one line.
    pub fn line(&mut self, line: &str) {
        let length = HEADER + line.len() + 1;
        self.0.extend(format!("{length:04x}{line}\n").into_bytes());
    }

    /// Adds the end of a list.
    pub fn flush(&mut self) {
        self.0.extend(b"0000");
    }

    /// Adds the end of a section.
    pub fn delimiter(&mut self) {
        self.0.extend(b"0001");
    }

    /// All of it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::protocol::block_on;

    fn packets(pieces: &[&[u8]]) -> Packets<'static> {
        Packets::new(Incoming::pieces(pieces), "h", 1 << 20)
    }

    #[test]
    fn packets_are_found_however_the_network_cuts_them() {
        let text = b"0009abc\n\n0001000200000006hi";
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let mut packets = packets(&pieces);
            block_on(async {
                assert_eq!(packets.next().await, Ok(Packet::Data(b"abc\n\n")));
                assert_eq!(packets.next().await, Ok(Packet::Delimiter));
                assert_eq!(packets.next().await, Ok(Packet::ResponseEnd));
                assert_eq!(packets.next().await, Ok(Packet::Flush));
                assert_eq!(packets.next().await, Ok(Packet::Data(b"hi")));
                assert_eq!(packets.end(), Ok(()));
            });
        }
    }

    #[test]
    fn what_is_no_packet_is_said() {
        for (text, said) in [
            (&b"<html><body>"[..], "begins with `<html><body>`"),
            (b"+123", "begins with"),
            (b"0003", "a packet of 3 bytes"),
            (b"ffff", "a packet of 65535 bytes"),
            (b"0009ERR no", "no"),
            (b"00", "ended in the middle"),
            (b"0010abc", "ended in the middle"),
        ] {
            let error = block_on(async { packets(&[text]).next().await.map(drop) }).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_server_that_never_ends_is_cut_off() {
        let endless = b"0008abcd".repeat(1 << 18);
        let error = block_on(async {
            let mut packets = packets(&[&endless]);
            loop {
                if let Err(error) = packets.next().await {
                    return error;
                }
            }
        });
        assert!(
            error.to_string().contains("more than 1048576 bytes"),
            "{error}"
        );
    }

    #[test]
    fn a_request_is_cut_into_packets() {
        let mut request = Request::default();
        request.line("want x");
        request.delimiter();
        request.flush();
        assert_eq!(request.into_bytes(), b"000bwant x\n00010000");
    }
}
