//! One look at a source's repository: what is fetched, and what is carried out of it.

use std::path::PathBuf;
use std::sync::Arc;

use diarchy_core::code::Code;
use diarchy_core::finding::Severity;
use diarchy_core::resource::ObjectName;
use diarchy_crds::git_source::{GitSourceSpec, GitSourceStatus};
use diarchy_crds::reference::LocalRef;
use diarchy_fleet::endpoints::{NamedAddress, Protocol};
use diarchy_git::signature::{self, Signer, TrustedKeys};
use diarchy_git::{Address, Cache, Credentials, FetchRequest, Fetched, Loaded, Options, Source};
use diarchy_operator::connect::{Fingerprint, SecretData, Secrets as _};
use jiff::Timestamp;

use super::SourcesShared;
use super::apply::Writer;
use super::content::Content;
use super::difference::removals;
use super::error::SourceError;
use super::status::Outcome;
use super::wanted::Wanted;
use super::work::{Tried, Work};
use super::{impersonation, live, mirrors};

/// How many mistakes of a revision a status names.
const MISTAKES: usize = 3;

/// What is kept from one look to the next.
#[derive(Default)]
pub struct Memory {
    cache: Cache,
    /// What was fetched into last.
    mirror: Option<PathBuf>,
    /// What was read last, by commit and folder.
    read: Option<(String, String, Arc<Content>)>,
    /// What was applied and differs all the same.
    pub tried: Tried,
}

/// One look.
pub struct Look<'a> {
    /// What all sources share.
    pub shared: &'a SourcesShared,
    /// The source.
    pub wanted: &'a Wanted,
    /// What it asks for.
    pub spec: &'a GitSourceSpec,
}

impl Look<'_> {
    /// Tells the credentials and keys as they are now from others.
    pub fn fingerprint(&self) -> Fingerprint {
        let credentials = &self.shared.credentials;
        let names = self.wanted.secrets().into_iter();
        let secrets: Vec<SecretData> = names
            .filter_map(|name| credentials.get(&name).ok())
            .collect();
        Fingerprint::of(&secrets, "")
    }

    /// Fetches what the source follows, and judges all of it.
    pub async fn fetch(&self, memory: &mut Memory) -> Result<Arc<Content>, SourceError> {
        match self.fetch_into(memory, false).await {
            // Whatever happened to the mirror, it can be had again.
            Err(error)
                if matches!(
                    error.code(),
                    Code::RepositoryNotReadable | Code::MirrorNotUsable
                ) =>
            {
                memory.read = None;
                self.fetch_into(memory, true).await
            }
            outcome => outcome,
        }
    }

    async fn fetch_into(
        &self,
        memory: &mut Memory,
        afresh: bool,
    ) -> Result<Arc<Content>, SourceError> {
        let keys = self.keys()?;
        let request = FetchRequest {
            afresh,
            ..self.request()?
        };
        let fetched = self.shared.setup.fetcher.fetch(&request).await?;
        // Where the source was fetched into while it had another address.
        let before = memory.mirror.replace(request.mirror.clone());
        mirrors::remove(
            before
                .into_iter()
                .filter(|one| *one != request.mirror)
                .collect(),
        )
        .await;
        if let Some((commit, path, content)) = &memory.read
            && (commit, path) == (&fetched.commit, &self.spec.path)
            && content.revision == fetched.revision
            && keys.is_none()
        {
            return Ok(Arc::clone(content));
        }
        let commit = fetched.commit.clone();
        let (loaded, signer) = self.load(memory, fetched, keys).await?;
        let content = self.judge(&loaded)?;
        let content = Arc::new(Content {
            signer: signer.map(|signer| signer.name),
            ..content
        });
        memory.read = Some((commit, self.spec.path.clone(), Arc::clone(&content)));
        Ok(content)
    }

    fn request(&self) -> Result<FetchRequest, SourceError> {
        let setup = &self.shared.setup;
        let address = Address::parse(self.spec.url.as_str())?;
        self.check_host(&address)?;
        let credentials = match &self.spec.secret_ref {
            Some(name) => {
                let secret = self.secret(name)?;
                let keys = secret.entries().map(|(key, bytes)| (key, bytes.to_vec()));
                Credentials::from_keys(keys)?
            }
            None => Credentials::default(),
        };
        credentials.fit(&address)?;
        let mirror = self.wanted.mirror(&setup.mirrors, &address);
        Ok(FetchRequest::for_source(self.spec, credentials, mirror)?)
    }

    fn check_host(&self, address: &Address) -> Result<(), SourceError> {
        let Some(allowed) = &self.shared.allowed else {
            return Ok(());
        };
        let address = place(address);
        let named = NamedAddress {
            field: "spec.url",
            address: &address,
            protocol: Protocol::Web,
        };
        match allowed.refuse([named]).into_iter().next() {
            None => Ok(()),
            Some(refused) => Err(SourceError::HostNotAllowed {
                refused,
                allowed: allowed.to_string(),
            }),
        }
    }

    fn keys_ref(&self) -> Option<&LocalRef> {
        let verify = self.spec.verify.as_ref();
        verify.map(|verify| &verify.trusted_keys_ref)
    }

    fn keys(&self) -> Result<Option<TrustedKeys>, SourceError> {
        let Some(name) = self.keys_ref() else {
            return Ok(None);
        };
        let secret = self.secret(name)?;
        let keys = TrustedKeys::read(secret.entries());
        keys.map(Some).map_err(|error| SourceError::Keys {
            secret: secret.name().to_string(),
            error,
        })
    }

    fn secret(&self, name: &LocalRef) -> Result<SecretData, SourceError> {
        let name = ObjectName::new(&self.wanted.name.namespace, name.name.as_str());
        Ok(self.shared.credentials.get(&name)?)
    }

    /// Verifies and reads what was fetched, beside the loops: both take a while.
    async fn load(
        &self,
        memory: &mut Memory,
        fetched: Fetched,
        keys: Option<TrustedKeys>,
    ) -> Result<(Loaded, Option<Signer>), SourceError> {
        let options = Options {
            reference: None,
            path: Some(self.spec.path.clone()).filter(|path| !path.is_empty()),
        };
        let mut cache = std::mem::take(&mut memory.cache);
        let reading = tokio::task::spawn_blocking(move || {
            let verified = keys.map(|keys| signature::verify(&fetched, &keys, Timestamp::now()));
            let signer = verified.transpose()?;
            let source = Source::Fetched(Box::new(fetched));
            let loaded = diarchy_git::load(&source, &options, &mut cache)?;
            Ok((loaded, signer, cache))
        });
        let read: Result<(Loaded, Option<Signer>, Cache), SourceError> = reading
            .await
            .map_err(|error| SourceError::Internal(error.to_string()))?;
        let (loaded, signer, cache) = read?;
        memory.cache = cache;
        Ok((loaded, signer))
    }

    fn judge(&self, loaded: &Loaded) -> Result<Content, SourceError> {
        let errors = loaded.diagnostics.iter();
        let mut errors = errors.filter(|one| one.severity == Severity::Error);
        let Some(first) = errors.next() else {
            return Content::of(loaded, &self.wanted.name.namespace);
        };
        let others: Vec<String> = errors.map(ToString::to_string).collect();
        let told = std::iter::once(first.to_string()).chain(others.iter().cloned());
        Err(SourceError::Invalid {
            revision: loaded.revision.display.clone(),
            code: first.code,
            count: others.len() + 1,
            first: told.take(MISTAKES).collect::<Vec<_>>().join("; "),
        })
    }

    /// What differs between git and the cluster now; `before` is what was known of the source.
    pub fn plan(&self, content: Arc<Content>, before: GitSourceStatus) -> Work {
        let source = &self.wanted.name;
        let live = live::of_namespace(&self.shared.objects, &source.namespace);
        let removals = if self.spec.prune {
            removals(&before.inventory, &content, &live, source)
        } else {
            Vec::new()
        };
        Work {
            content,
            live,
            removals,
            before,
        }
    }

    /// Applies what differs, stage by stage, and then removes what git has no more.
    pub async fn carry_out(&self, work: Work, memory: &mut Memory) -> Outcome {
        let account = self.wanted.account(self.spec);
        let Some(client) = impersonation::client_as(&account, &self.shared.client) else {
            let error = SourceError::Internal(format!("{account} is no account"));
            return work.failed(error);
        };
        let writer = Writer::new(client, &account, &self.wanted.name, &self.shared.holds);
        work.carry_out(&writer, &mut memory.tried).await
    }
}

/// The address of a repository's host, as patterns of hosts are written for https. The usual port of
/// ssh is as good as that of https.
fn place(address: &Address) -> String {
    let host = address.host();
    // On another port `known_hosts` has brackets around every host, not only around an address.
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
    {
        Some((name, port)) if !name.contains(':') => format!("https://{name}:{port}"),
        _ => format!("https://{host}"),
    }
}
