//! The fetching half of git's protocol, in its versions 0 to 2, over any connection.
//!
//! libgit2 can be taught transports only through functions that are unsafe, and unsafe code is
//! forbidden here; it also speaks version 0 alone, in which a server lists every branch it has
//! before one is asked for. What a fetch needs is small: read what the server can do, ask for one
//! reference, ask for the pack that leads to it, and hand its bytes to libgit2's own object store.
//! No state is kept between questions, so that both https and ssh take the same requests.

mod greeting;
mod negotiation;
mod pack;
mod packet;
mod refs;

use git2::Oid;

use super::connection::Connection;
pub(crate) use super::connection::Incoming;
use super::error::{FetchError, one_line};
use super::mirror::Mirror;
use super::request::{FetchRequest, Fetched, FetchedTag};

use greeting::{Greeting, Version};
use packet::Packets;
pub use refs::Target;

/// How much a server may say before it is asked for a pack: all branches of a large repository.
const LONGEST_LISTING: u64 = 64 << 20;

/// What one conversation is about.
pub struct Conversation<'c> {
    pub connection: &'c mut Connection,
    pub request: &'c FetchRequest,
    pub host: String,
}

/// Brings what is wanted into the mirror, and says what it is.
///
/// # Errors
///
/// Whatever the server, the network or the mirror does wrong.
pub async fn fetch(
    conversation: &mut Conversation<'_>,
    mirror: &mut Mirror,
) -> Result<Fetched, FetchError> {
    let greeting = conversation.greeting().await?;
    let target = conversation.target(&greeting).await?;
    if !mirror.is_complete(&target)? {
        let question = negotiation::Question {
            want: negotiation::wants(&greeting, &target, conversation.request)?,
            have: mirror.haves(),
            shallow: mirror.shallow(),
            depth: greeting.depth(&target),
        };
        conversation.pack(&greeting, &question, mirror).await?;
    }
    let commit = mirror.accept(&target, conversation.request)?;
    Ok(fetched(conversation.request, &target, commit))
}

fn fetched(request: &FetchRequest, target: &Target, commit: Oid) -> Fetched {
    let tag = target.tag().map(|name| FetchedTag {
        name: name.to_owned(),
        object: (target.id != commit).then(|| target.id.to_string()),
    });
    Fetched {
        address: request.address.clone(),
        mirror: request.mirror.clone(),
        commit: commit.to_string(),
        tag,
        revision: match target.short() {
            Some(name) => format!("{}@sha1:{commit}", one_line(name)),
            None => format!("sha1:{commit}"),
        },
    }
}

impl Conversation<'_> {
    async fn greeting(&mut self) -> Result<Greeting, FetchError> {
        let mut packets = Packets::new(
            self.connection.greeting().await?,
            &self.host,
            LONGEST_LISTING,
        );
        let greeting = Greeting::read(&mut packets).await?;
        packets.end()?;
        Ok(greeting)
    }

    /// What the server has that is wanted.
    async fn target(&mut self, greeting: &Greeting) -> Result<Target, FetchError> {
        let wanted = &self.request.wanted;
        let names = wanted.references();
        let listed = match greeting.version {
            Version::Two if names.is_empty() => Vec::new(),
            Version::Two => {
                let request = refs::request(&names);
                let incoming = self.connection.ask(request).await?;
                let mut packets = Packets::new(incoming, &self.host, LONGEST_LISTING);
                let listed = refs::read(&mut packets).await?;
                packets.end()?;
                listed
            }
            Version::Zero => greeting.refs.clone(),
        };
        refs::choose(&names, &listed)
            .or_else(|| wanted.commit().map(Target::commit))
            .ok_or_else(|| FetchError::NoRevision {
                address: self.request.address.to_string(),
                reference: wanted.as_str().to_owned(),
                detail: refs::why_not(wanted, &greeting.refs),
            })
    }

    async fn pack(
        &mut self,
        greeting: &Greeting,
        question: &negotiation::Question,
        mirror: &mut Mirror,
    ) -> Result<(), FetchError> {
        let limits = self.request.limits;
        let incoming = self.connection.ask(question.request(greeting)).await?;
        // The limit of bytes is the pack's; the rest of an answer is lines about it.
        let most = limits.pack_bytes.saturating_add(LONGEST_LISTING);
        let mut packets = Packets::new(incoming, &self.host, most);
        let taken = pack::Take {
            host: &self.host,
            address: self.request.address.as_str(),
            reference: self.request.wanted.as_str(),
            limits,
        };
        taken.read(&mut packets, greeting, question, mirror).await
    }
}

/// What a server says is wrong, by what it asks of the caller: git has no codes for it.
pub(crate) fn said(host: &str, message: &str) -> FetchError {
    FetchError::Answer {
        host: host.to_owned(),
        detail: format!("it says `{}`", one_line(message)),
    }
}

/// The beginning of what came instead of something of git's.
pub(crate) fn gist(text: &str) -> String {
    one_line(&text.chars().take(60).collect::<String>())
}

#[cfg(test)]
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}
