//! A way to a server: questions go out, answers come in, whatever lies between.

use super::address::Kind;
use super::error::FetchError;
use super::https::Https;
use super::request::FetchRequest;
use super::ssh::Ssh;

/// A connection to one repository of one server.
pub enum Connection {
    Https(Box<Https>),
    Ssh(Box<Ssh>),
}

impl Connection {
    /// Makes a connection, as the address says.
    ///
    /// # Errors
    ///
    /// Credentials that cannot be used. Over ssh also all that can go wrong on the way.
    pub async fn open(request: &FetchRequest) -> Result<Self, FetchError> {
        request.credentials.fit(&request.address)?;
        match request.address.kind() {
            Kind::Https(url) => Ok(Self::Https(Box::new(Https::new(request, url)?))),
            Kind::Ssh(ssh) => Ok(Self::Ssh(Box::new(Ssh::open(request, ssh).await?))),
        }
    }

    /// What the server says first.
    ///
    /// # Errors
    ///
    /// All that can go wrong on the way.
    pub async fn greeting(&mut self) -> Result<Incoming<'_>, FetchError> {
        match self {
            Self::Https(https) => Ok(Incoming::Https(Box::new(https.greeting().await?))),
            Self::Ssh(ssh) => Ok(Incoming::Ssh(ssh)),
        }
    }

    /// What the server answers to `question`.
    ///
    /// # Errors
    ///
    /// All that can go wrong on the way.
    pub async fn ask(&mut self, question: Vec<u8>) -> Result<Incoming<'_>, FetchError> {
        match self {
            Self::Https(https) => Ok(Incoming::Https(Box::new(https.ask(question).await?))),
            Self::Ssh(ssh) => {
                ssh.send(question).await?;
                Ok(Incoming::Ssh(ssh))
            }
        }
    }

    /// Takes leave, where that is more than not asking again.
    pub async fn close(self) {
        if let Self::Ssh(ssh) = self {
            ssh.close().await;
        }
    }
}

/// The bytes of an answer, as they arrive.
pub enum Incoming<'c> {
    Https(Box<super::https::Body>),
    Ssh(&'c mut Ssh),
    #[cfg(test)]
    Pieces(std::collections::VecDeque<Vec<u8>>),
}

impl Incoming<'_> {
    /// Adds what comes next to `buffer`; false at the end.
    ///
    /// # Errors
    ///
    /// A connection that breaks.
    pub async fn more(&mut self, buffer: &mut Vec<u8>) -> Result<bool, FetchError> {
        match self {
            Self::Https(body) => body.more(buffer).await,
            Self::Ssh(ssh) => ssh.more(buffer).await,
            #[cfg(test)]
            Self::Pieces(pieces) => Ok(pieces.pop_front().is_some_and(|piece| {
                buffer.extend(piece);
                true
            })),
        }
    }

    /// What an end in the middle means.
    pub fn ended_early(&self, host: &str) -> FetchError {
        if let Self::Ssh(ssh) = self
            && let Some(error) = ssh.fault()
        {
            return error;
        }
        FetchError::Answer {
            host: host.to_owned(),
            detail: "it ended in the middle".to_owned(),
        }
    }

    #[cfg(test)]
    pub fn pieces(pieces: &[&[u8]]) -> Self {
        Self::Pieces(pieces.iter().map(|piece| piece.to_vec()).collect())
    }
}
