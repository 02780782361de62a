//! Selectors as they are written.

use diarchy_core::duration::SPAN_PATTERN;
use diarchy_core::selector::Operator;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::text::VERSION_PATTERN;

/// Which devices, by what is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupSelectorSpec {
    /// Clauses that must all hold; at least one.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self.all(r, !(r.key in ['lastSync', 'compliance', 'clientHealth']))")
            .message("`lastSync`, `compliance` and `clientHealth` come and go and cannot select devices: use `admitWhen` of a WorkloadAssignment")
    )]
    pub match_attributes: Vec<RequirementSpec>,
}

/// What must hold of a device when it would join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmissionSelectorSpec {
    /// Clauses that must all hold; at least one. Besides a group's keys: `lastSync`, `compliance`,
    /// `clientHealth`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_attributes: Vec<RequirementSpec>,
}

/// One clause. Text is compared without regard to case, versions number by number. Of a value that
/// does not exist, `In`, `Glob`, `AtLeast`, `LessThan`, `Within` and `Exists` are false and their
/// opposites true; of a value that was not read, each is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0")
        .message("`Exists` and `DoesNotExist` take no values: leave `values` out"),
    validation = Rule::new("self.operator in ['Exists', 'DoesNotExist'] || (has(self.values) && size(self.values) > 0)")
        .message("this operator needs `values`"),
    validation = Rule::new("!(self.operator in ['AtLeast', 'LessThan', 'Within', 'NotWithin']) || !has(self.values) || size(self.values) < 2")
        .message("this operator takes exactly one value"),
    validation = Rule::new("!(self.operator in ['AtLeast', 'LessThan']) || self.key in ['osVersion', 'clientVersion']")
        .message("`AtLeast` and `LessThan` are for `osVersion` and `clientVersion`"),
    validation = Rule::new("self.operator in ['Exists', 'DoesNotExist'] || (self.operator in ['Within', 'NotWithin']) == (self.key in ['enrolledAt', 'lastSync'])")
        .message("`Within` and `NotWithin` are for `enrolledAt` and `lastSync`, and those take no other comparison"),
    validation = Rule::new(crate::rules::value_has_form(&["AtLeast", "LessThan"], VERSION_PATTERN))
        .message("`AtLeast` and `LessThan` compare with a version: write numbers and dots, like 10.0.22631"),
    validation = Rule::new(crate::rules::value_has_form(&["Within", "NotWithin"], SPAN_PATTERN))
        .message("`Within` and `NotWithin` compare with a duration: write one like 30s, 5m, 1h30m or 7d"),
    validation = crate::rules::words_of_join_type(),
    validation = crate::rules::words_of_compliance(),
    validation = crate::rules::words_of_client_health()
)]
pub struct RequirementSpec {
    /// What it looks at: `name`, `serialNumber`, `manufacturer`, `model`, `chassis`, `osVersion`,
    /// `osEdition`, `joinType`, `ownership`, `country`, `city`, `department`, `primaryUser`,
    /// `category`, `siteCode`, `adSite`, `clientVersion`, `enrolledAt`, `labels/<name>`,
    /// `configMgrCollection` or `entraGroup` (of the last two it is true if it is true of any of
    /// the device's ids).
    #[schemars(schema_with = "crate::schema::attribute")]
    pub key: String,
    /// What it asks. `In`, `NotIn`, `Glob`, `NotGlob`: any key but times, 1 or more values (a glob
    /// knows `*` and `?`). `AtLeast`, `LessThan`: `osVersion` and `clientVersion`, one value.
    /// `Within`, `NotWithin`: `enrolledAt` and `lastSync`, one duration, before now. `Exists`,
    /// `DoesNotExist`: any key, no values.
    pub operator: Operator,
    /// What it is compared with.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 1024), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub values: Option<Vec<String>>,
}
