//! Rollouts as they are written.

use diarchy_core::desired::OnFailure;
use jiff::civil::Weekday;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{AmountText, DurationText, TimeOfDay, TimeZoneName};

/// How an assignment goes out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutSpec {
    /// Cumulative and increasing; a last step of `100%` is implied. Default: that one.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub steps: Vec<StepSpec>,
    /// How many online devices may be assigned and not yet observed: a number, at least 1, or a
    /// percentage of the selected devices. Default: no limit.
    // A schema of its own hides from the derive that the field may be left out.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "crate::schema::positive_amount")]
    pub max_concurrency: Option<AmountText>,
    /// How many failures are borne: a number, or a percentage of the admitted, online devices.
    /// Default: no limit.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_failures: Option<AmountText>,
    /// How many of a step's online devices, and at least one, must report before it may end; the
    /// soak alone is not enough. A number or a percentage. Default `90%`.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub min_observed: Option<AmountText>,
    /// How long a device may take, in its online time alone, before it counts as failed; above 0.
    /// Default: no limit.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    #[x_kube(validation = Rule::new(crate::rules::POSITIVE_DURATION).message("a deadline of no time fails everything: write a duration above 0, like 72h"))]
    pub progress_deadline: Option<DurationText>,
    /// What too many failures do: `Halt` stops where it is, `Rollback` takes its devices back.
    /// Default `Halt`.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// When writes may be made; their effects come later. Default: always.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub window: Option<WindowSpec>,
}

/// One step of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepSpec {
    /// How many devices it has, with those of the steps before it, above 0: a number, or a
    /// percentage of the selected devices.
    #[schemars(schema_with = "crate::schema::positive_amount")]
    pub devices: AmountText,
    /// How long it is watched before the next. Default: not at all.
    #[serde(default = "no_time")]
    pub soak: DurationText,
    /// Whether a person must let the next step begin. Default `NotRequired`.
    #[serde(default)]
    pub approval: StepApproval,
}

fn no_time() -> DurationText {
    "0s".into()
}

/// Whether a person must let the next step begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum StepApproval {
    /// It begins by itself.
    #[default]
    NotRequired,
    /// A person must approve it.
    Required,
}

/// Hours of the week in which writes may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.from != self.to").message("a window must not end when it begins: write another `to`").field_path(".to"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowSpec {
    /// The days on which it opens. Default: every day.
    #[serde(default)]
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub days: Vec<Day>,
    /// When it opens, on 24 hours: `08:00`.
    pub from: TimeOfDay,
    /// When it closes, on 24 hours: `16:00`. Before `from`: on the next day.
    pub to: TimeOfDay,
    /// Whose clock it goes by, by its IANA name: `Europe/Paris`.
    pub time_zone: TimeZoneName,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Mon => Self::Monday,
            Day::Tue => Self::Tuesday,
            Day::Wed => Self::Wednesday,
            Day::Thu => Self::Thursday,
            Day::Fri => Self::Friday,
            Day::Sat => Self::Saturday,
            Day::Sun => Self::Sunday,
        }
    }
}
