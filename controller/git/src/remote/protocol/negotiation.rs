//! What a server is asked for.
//!
//! Everything is said at once and without waiting for an answer: what is wanted, and the few tips
//! that the mirror has. A server that knows one of them leaves out what it leads to; one that does
//! not sends a whole tree, which is what a first fetch takes.

use git2::Oid;

use super::greeting::{Greeting, Version};
use super::packet::Request;
use super::refs::Target;
use crate::remote::error::FetchError;
use crate::remote::request::FetchRequest;

/// One question for a pack.
#[derive(Debug)]
pub struct Question {
    /// The objects wanted.
    pub want: Vec<Oid>,
    /// Commits that are here, with everything that they lead to, but for what `shallow` cuts off.
    pub have: Vec<Oid>,
    /// Of those the ones whose parents are not here.
    pub shallow: Vec<Oid>,
    /// How many commits to send; all without.
    pub depth: Option<u32>,
}

/// The objects to ask for.
///
/// A server of version 0 that gives nothing out by its id is asked for all its branches: the commit
/// is in one of them, or the server does not have it.
///
/// # Errors
///
/// [`FetchError::NoRevision`] when there is nothing to ask for.
pub fn wants(
    greeting: &Greeting,
    target: &Target,
    request: &FetchRequest,
) -> Result<Vec<Oid>, FetchError> {
    if greeting.may_want(target) {
        return Ok(vec![target.id]);
    }
    let mut tips: Vec<Oid> = greeting
        .refs
        .iter()
        .filter(|listed| listed.name.starts_with("refs/heads/"))
        .map(|listed| listed.id)
        .collect();
    tips.sort_unstable();
    tips.dedup();
    if tips.is_empty() {
        return Err(FetchError::NoRevision {
            address: request.address.to_string(),
            reference: request.wanted.as_str().to_owned(),
            detail: ", for nothing has been committed there".to_owned(),
        });
    }
    Ok(tips)
}

impl Question {
    /// The question as the server's version has it.
    pub fn request(&self, greeting: &Greeting) -> Vec<u8> {
        match greeting.version {
            Version::Zero => self.zero(greeting),
            Version::Two => self.two(),
        }
    }

    fn two(&self) -> Vec<u8> {
        let mut request = Request::default();
        request.line("command=fetch");
        request.line(&format!("agent={}", crate::remote::AGENT));
        request.line("object-format=sha1");
        request.delimiter();
        for option in ["thin-pack", "no-progress", "ofs-delta"] {
            request.line(option);
        }
        for id in &self.want {
            request.line(&format!("want {id}"));
        }
        self.history(&mut request);
        self.haves(&mut request);
        request.flush();
        request.into_bytes()
    }

    fn zero(&self, greeting: &Greeting) -> Vec<u8> {
        let acks = ["multi_ack_detailed", "multi_ack"];
        let acks = acks.into_iter().find(|it| greeting.can(it));
        let others = ["side-band-64k", "thin-pack", "no-progress", "ofs-delta"];
        let mut words: Vec<String> = acks
            .into_iter()
            .chain(others.into_iter().filter(|it| greeting.can(it)))
            .map(ToOwned::to_owned)
            .collect();
        if greeting.value("agent").is_some() {
            words.push(format!("agent={}", crate::remote::AGENT));
        }
        let mut request = Request::default();
        for (at, id) in self.want.iter().enumerate() {
            match at {
                0 => request.line(&format!("want {id} {}", words.join(" "))),
                _ => request.line(&format!("want {id}")),
            }
        }
        self.history(&mut request);
        request.flush();
        self.haves(&mut request);
        request.into_bytes()
    }

    /// How far back is known, and how far back to send.
    fn history(&self, request: &mut Request) {
        for id in &self.shallow {
            request.line(&format!("shallow {id}"));
        }
        if let Some(depth) = self.depth {
            request.line(&format!("deepen {depth}"));
        }
    }

    fn haves(&self, request: &mut Request) {
        for id in &self.have {
            request.line(&format!("have {id}"));
        }
        request.line("done");
    }
}
