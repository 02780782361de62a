//! `GitSource`: a repository that is delivered into a cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::LocalRef;
use crate::text::{BranchOrTag, CommitId, DurationText, RepositoryUrl};

/// How many resources the inventory of a status names at most.
pub const MAX_INVENTORY: usize = 4096;

/// Which repository is delivered, how often it is looked at, and whose word it must bear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "GitSource",
    doc = "A git repository whose resources are applied to its own namespace, and kept as git has them.",
    namespaced,
    status = "GitSourceStatus",
    derive = "PartialEq",
    shortname = "gs",
    category = "diarchy",
    printcolumn(
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        name = "Ready",
        type_ = "string"
    ),
    printcolumn(
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        name = "Status",
        type_ = "string"
    ),
    printcolumn(
        json_path = ".status.lastAppliedRevision",
        name = "Revision",
        type_ = "string",
        priority = 1
    ),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitSourceSpec {
    /// The repository: `https://host/path`, `ssh://[user@]host/path` or `user@host:path`. Without a
    /// password. `file:///path` only outside of a cluster.
    pub url: RepositoryUrl,
    /// Which revision is followed.
    #[serde(rename = "ref")]
    pub reference: GitReference,
    /// The folder within the repository that is read. Default empty: all of it.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("!('/' + self + '/').contains('/../')").message("a path leads downwards: write it without `..`"))]
    pub path: String,
    /// How long between two looks, at least `10s`. Default `1m`.
    #[serde(default = "one_minute")]
    #[x_kube(validation = Rule::new("self.contains('d') || duration(self) >= duration('10s')").message("a server is not asked more often than every 10 seconds: write `10s` or more"))]
    pub interval: DurationText,
    /// How long one fetch may take, at most `10m`. Default `60s`.
    #[serde(default = "sixty_seconds")]
    #[x_kube(validation = Rule::new("!self.contains('d') && duration(self) > duration('0s') && duration(self) <= duration('10m')").message("a fetch may take up to 10 minutes: write more than nothing, and `10m` or less"))]
    pub timeout: DurationText,
    /// A Secret with `username` and `password`, or `token`, for https; with `identity` and
    /// `known_hosts` for ssh; and `ca.crt` where the server's certificate has an authority of its
    /// own. Default: everybody may read it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub secret_ref: Option<LocalRef>,
    /// Who must have signed a revision before it is applied. Default: nobody need.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub verify: Option<VerifySpec>,
    /// Whether what git no longer has is removed from the cluster; what becomes of its devices says
    /// `onDelete` of each assignment. Default false.
    #[serde(default)]
    pub prune: bool,
    /// The service account of this namespace whose rights resources are applied with. Default empty:
    /// that of the namespace, `default`, and never the controller's.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::service_account")]
    pub service_account_name: String,
    /// While true nothing is fetched and nothing applied. Default false.
    #[serde(default)]
    pub suspend: bool,
}

/// Which revision is followed: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.branch) ? 1 : 0) + (has(self.tag) ? 1 : 0) + (has(self.commit) ? 1 : 0) == 1").message("a source follows one thing: write exactly one of `branch`, `tag` and `commit`"))]
pub struct GitReference {
    /// A branch: its newest commit.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub branch: Option<BranchOrTag>,
    /// A tag; followed if it is moved.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub tag: Option<BranchOrTag>,
    /// A commit by its whole id of 40 hexadecimal digits.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub commit: Option<CommitId>,
}

/// Who must have signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifySpec {
    /// What must be signed. Default `Head`.
    #[serde(default)]
    pub mode: VerifyMode,
    /// A Secret with the keys that are trusted, any number of files: `allowed_signers` of SSH, public
    /// keys of OpenPGP, and `revoked_keys` of SSH, which count no longer.
    pub trusted_keys_ref: LocalRef,
}

/// What must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum VerifyMode {
    /// The commit that is applied, or the tag that stands for it.
    #[default]
    Head,
}

fn one_minute() -> DurationText {
    "1m".into()
}

fn sixty_seconds() -> DurationText {
    "60s".into()
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitSourceStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`; `Reconciling` and `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last `diarchy.dev/requestedAt` that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// The revision that was last fetched, applied or not: `main@sha1:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub last_attempted_revision: Option<String>,
    /// The revision that is in force: `main@sha1:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub last_applied_revision: Option<String>,
    /// A revision that has begun to be applied and is not applied wholly; there only while that is
    /// so. Until it is, or the source is suspended or paused, nothing that changes in the namespace
    /// is carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub applying_revision: Option<String>,
    /// What is applied, and who has signed the newest revision that changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<AppliedContent>,
    /// How many resources it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<u32>,
    /// The resources that were applied, as `diarchy.dev/<kind>/<namespace>/<name>`, sorted; at most
    /// 4096.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4096), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub inventory: Vec<String>,
}

/// What a source applies, whatever else its revisions have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedContent {
    /// Tells it from any other: `sha256:…`.
    #[schemars(length(max = 128))]
    pub digest: String,
    /// Who has signed the newest revision that changed it, where signatures are verified: they do not
    /// approve what it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub signer: Option<String>,
}
