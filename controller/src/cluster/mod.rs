//! A cluster, as the kubeconfig of the one at the terminal reaches it.

mod ask;
pub mod preflight;
mod token;

use diarchy_cluster::{ClusterError, in_words};
use diarchy_core::code::Code;
use diarchy_core::resource::{GROUP, Kind, ObjectName, VERSION};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

use crate::arguments::{Cluster, Fleet};
use crate::failure::Failure;

pub use ask::Controller;

/// A cluster that is reached.
pub struct Connection {
    /// The API server.
    pub client: Client,
    config: Config,
    /// The namespace that is meant.
    pub namespace: String,
}

impl Connection {
    /// Reads the kubeconfig; nothing is asked yet.
    pub async fn new(arguments: &Cluster) -> Result<Self, Failure> {
        let mut config = match &arguments.context {
            None => Config::infer().await.map_err(|error| no_cluster(&error))?,
            Some(context) => {
                let options = KubeConfigOptions {
                    context: Some(context.clone()),
                    ..KubeConfigOptions::default()
                };
                let kubeconfig = Kubeconfig::read().map_err(|error| no_cluster(&error))?;
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                config.map_err(|error| no_cluster(&error))?
            }
        };
        // A person waits: what is not served now is told now, and not tried for minutes.
        config.default_retry = false;
        let client = Client::try_from(config.clone()).map_err(|error| no_cluster(&error))?;
        let namespace = arguments.namespace.clone();
        Ok(Self {
            namespace: namespace.unwrap_or_else(|| config.default_namespace.clone()),
            client,
            config,
        })
    }

    /// The objects of a kind, of this namespace or of another.
    pub fn objects(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource(kind))
    }

    /// The objects of a kind in every namespace.
    pub fn all(&self, kind: Kind) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource(kind))
    }

    /// The fleet that is meant: the one chosen, or the only one of the namespace.
    pub async fn choose(&self, choice: &Fleet) -> Result<ObjectName, Failure> {
        if let Some(chosen) = &choice.fleet {
            return Ok(chosen
                .parse()
                .unwrap_or_else(|_| ObjectName::new(&self.namespace, chosen)));
        }
        let fleets = self.objects(Kind::Fleet, &self.namespace);
        let fleets = fleets.list(&ListParams::default()).await;
        let fleets = fleets.map_err(|error| failed("fleets cannot be listed", &error))?;
        let names: Vec<String> = fleets.iter().map(ResourceExt::name_any).collect();
        let namespace = &self.namespace;
        match names.as_slice() {
            [name] => Ok(ObjectName::new(namespace, name)),
            [] => Err(Failure::new(
                Code::FleetNotChosen,
                format!("namespace {namespace} has no fleet"),
                "name another with --namespace",
            )),
            several => Err(Failure::new(
                Code::FleetNotChosen,
                format!("namespace {namespace} has several fleets"),
                format!("choose one with --fleet: {}", several.join(", ")),
            )),
        }
    }

    /// Sets an annotation of an object of this namespace; null takes it away.
    pub async fn annotate(
        &self,
        kind: Kind,
        name: &str,
        annotation: &str,
        value: &Value,
    ) -> Result<(), Failure> {
        let patch = json!({ "metadata": { "annotations": { annotation: value } } });
        let objects = self.objects(kind, &self.namespace);
        let patched = objects
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        patched
            .map(|_| ())
            .map_err(|error| failed(&format!("{kind} {name} was not changed"), &error))
    }
}

/// Something that the API server did not do.
pub fn failed(what: &str, error: &kube::Error) -> Failure {
    let remedy = match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            "ask for the role diarchy-view, diarchy-edit or diarchy-approve in that namespace"
        }
        kube::Error::Api(status) if status.is_not_found() => {
            "check the spelling, the namespace, and that Diarchy's definitions are installed"
        }
        _ => "see whether `kubectl get fleets` works with the same kubeconfig",
    };
    let found = in_words::of(error);
    Failure::new(Code::ClusterNotUsable, format!("{what}: {found}"), remedy)
}

fn no_cluster(error: &dyn std::error::Error) -> Failure {
    let error = ClusterError::NoCluster(error.to_string());
    Failure::new(
        error.code(),
        error.to_string(),
        "name a cluster with KUBECONFIG; or give REPO, or --state FILE, where none is meant",
    )
}

fn resource(kind: Kind) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, kind.name()))
}
