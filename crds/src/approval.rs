//! `Approval`: a person's yes to something that waits.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{Name, TimestampText};

/// What is approved, by whom, and until when; immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "Approval",
    doc = "A person's yes to something that waits; made by `diarchy approve`, never by git.",
    namespaced,
    status = "ApprovalStatus",
    derive = "PartialEq",
    shortname = "ap",
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
    printcolumn(json_path = ".spec.targetRef.kind", name = "Kind", type_ = "string"),
    printcolumn(json_path = ".spec.targetRef.name", name = "Target", type_ = "string"),
    printcolumn(json_path = ".spec.approver", name = "Approver", type_ = "string"),
    printcolumn(json_path = ".spec.expires", name = "Expires", type_ = "string"),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("an approval cannot change: delete it and approve again"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalSpec {
    /// What waits.
    pub target_ref: TargetRef,
    /// The digest of what was shown: of the waiting plan, of the spec and step, of the text to attest,
    /// or of the action with its frozen devices.
    #[schemars(length(max = 71), regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    pub digest: String,
    /// Who approves.
    #[schemars(length(min = 1, max = 256))]
    pub approver: String,
    /// Until when it counts, in RFC 3339; no longer than 24 hours after it was made.
    pub expires: TimestampText,
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetRef {
    /// Its kind.
    pub kind: TargetKind,
    /// Its name, in the same namespace.
    pub name: Name,
    /// Its uid, so that a namesake made later is not meant.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,
}

/// What can wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// A fleet's waiting plan.
    Fleet,
    /// The next step of a rollout, or a text that an assignment requires to be attested.
    WorkloadAssignment,
    /// An action on devices.
    RemoteAction,
}

/// What became of an approval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` while it counts, and once it was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPROVAL: &str = "
apiVersion: diarchy.dev/v1alpha1
kind: Approval
metadata: { generateName: plan-, namespace: nordwind }
spec:
  targetRef: { kind: WorkloadAssignment, name: updates-alpine, uid: 5bd0f4a1-2222 }
  digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  approver: lena@nordwind.example
  expires: 2026-11-23T08:00:00Z
";

    #[test]
    fn reads_every_field() {
        let approval: Approval = serde_saphyr::from_str(APPROVAL).unwrap();
        let spec = approval.spec;
        assert_eq!(spec.target_ref.kind, TargetKind::WorkloadAssignment);
        assert_eq!(spec.target_ref.name.as_str(), "updates-alpine");
        assert_eq!(spec.target_ref.uid, "5bd0f4a1-2222");
        assert!(spec.digest.starts_with("sha256:e3b0"));
        assert_eq!(spec.approver, "lena@nordwind.example");
        assert_eq!(spec.expires.as_str(), "2026-11-23T08:00:00Z");
    }

    #[test]
    fn nothing_else_can_be_approved() {
        let other = APPROVAL.replace("kind: WorkloadAssignment", "kind: DeviceGroup");
        assert!(serde_saphyr::from_str::<Approval>(&other).is_err());
    }
}
