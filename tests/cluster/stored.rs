//! Objects as they are stored.
//!
//! Tests that wait ask ten times a second: a process for each question would take more of the
//! machine than what is asked.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{Cluster, Namespace};

/// What keeps the connections. Tests themselves are no async code.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
});

impl Cluster {
    /// The administrator's client, in this process.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let kubeconfig: Kubeconfig = serde_json::from_value(self.base.clone()).unwrap();
            RUNTIME.block_on(async {
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                Client::try_from(config.unwrap()).unwrap()
            })
        })
    }
}

impl Namespace<'_> {
    /// An object of one of our kinds as it is stored; it must be there. The kind may be written in
    /// any way that its definition knows, such as `wa`.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let plural = plural(kind);
        let namespace = &self.name;
        let path = format!("/apis/diarchy.dev/v1alpha1/namespaces/{namespace}/{plural}/{name}");
        let request = http::Request::get(&path).body(Vec::new()).unwrap();
        let client = self.cluster.client();
        RUNTIME
            .block_on(client.request(request))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

fn plural(kind: &str) -> &'static str {
    static DEFINED: LazyLock<Vec<CustomResourceDefinition>> =
        LazyLock::new(diarchy_crds::generate::all);
    let found = DEFINED.iter().map(|one| &one.spec.names).find(|names| {
        let also = names
            .singular
            .iter()
            .chain(names.short_names.iter().flatten());
        let mut all = also.chain([&names.kind, &names.plural]);
        all.any(|name| name == kind)
    });
    &found
        .unwrap_or_else(|| panic!("no kind of ours: {kind}"))
        .plural
}
