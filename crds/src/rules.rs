//! CEL rules that are too long to write out.

use diarchy_core::desired::OLDEST_WINDOWS;
use diarchy_core::inventory::{ClientHealth, Compliance, JoinType};
use diarchy_core::workload::Workload;
use kube::core::Rule;

/// A duration is some time: there is a digit in it that is not 0.
pub(crate) const POSITIVE_DURATION: &str = "self.matches('[1-9]')";

/// The one value of a clause with one of these operators has a form.
pub(crate) fn value_has_form(operators: &[&str], pattern: &str) -> String {
    format!(
        "!(self.operator in ['{}']) || !has(self.values) || size(self.values) == 0 || self.values[0].matches(r'{pattern}')",
        operators.join("', '")
    )
}

/// A clause about `joinType` compares with words that there are.
pub(crate) fn words_of_join_type() -> Rule {
    known_words("joinType", JoinType::ALL.iter().map(|word| word.name()))
}

/// A clause about `compliance` compares with words that there are.
pub(crate) fn words_of_compliance() -> Rule {
    known_words("compliance", Compliance::ALL.iter().map(|word| word.name()))
}

/// A clause about `clientHealth` compares with words that there are.
pub(crate) fn words_of_client_health() -> Rule {
    known_words(
        "clientHealth",
        ClientHealth::ALL.iter().map(|word| word.name()),
    )
}

/// As sets, since the API server bounds the cost of comparing two lists far lower than that of
/// looking for every value of one in the other.
fn known_words(key: &str, words: impl Iterator<Item = &'static str>) -> Rule {
    let words: Vec<&str> = words.collect();
    let message = format!("`{key}` has no such value: write only {}", words.join(", "));
    Rule::new(format!(
        "self.key != '{key}' || !(self.operator in ['In', 'NotIn']) || !has(self.values) || sets.contains(['{}'], self.values.map(v, v.lowerAscii()))",
        words.join("', '").to_ascii_lowercase()
    ))
    .message(message.as_str())
}

/// No collection stands in a policy twice.
///
/// Pair by pair: the API server can bound the cost of comparing two fields, and not that of
/// comparing what a list made on the way may hold.
pub(crate) fn distinct_collections() -> String {
    let workloads = Workload::ASSIGNABLE.into_iter().map(|workload| {
        let value = format!("self.workloads.{workload}");
        (format!("has({value}) && "), value)
    });
    let collections: Vec<(String, String)> = workloads
        .chain([(
            "has(self.enrollment) && ".to_owned(),
            "self.enrollment".to_owned(),
        )])
        .map(|(present, value)| {
            let collection = format!("{value}.pilotCollection");
            (format!("{present}has({collection})"), collection)
        })
        .collect();
    let mut pairs = Vec::new();
    for (at, (has_one, one)) in collections.iter().enumerate() {
        for (has_other, other) in &collections[at + 1..] {
            pairs.push(format!(
                "!({has_one} && {has_other} && {one}.upperAscii() == {other}.upperAscii())"
            ));
        }
    }
    pairs.join(" && ")
}

/// The `EndpointProtection` slider stands where `DeviceConfiguration`'s does, or further.
pub(crate) fn endpoint_protection_not_behind() -> String {
    let rank = |workload: Workload| {
        let value = format!("self.workloads.{workload}");
        format!(
            "(!has({value}) || {value}.slider == 'ConfigurationManager' ? 0 : {value}.slider == 'PilotIntune' ? 1 : 2)"
        )
    };
    format!(
        "{} >= {}",
        rank(Workload::EndpointProtection),
        rank(Workload::DeviceConfiguration)
    )
}

/// A version is that of the oldest Windows that can be co-managed, or a later one.
pub(crate) fn not_older_than_co_management() -> String {
    let parts: Vec<&str> = OLDEST_WINDOWS.split('.').collect();
    let part = |at: usize| format!("(size(v) > {at} ? int(v[{at}]) : 0)");
    // Number by number, the last first: above, or equal and the rest at least.
    let compared =
        parts
            .iter()
            .enumerate()
            .rev()
            .fold(None, |rest: Option<String>, (at, least)| {
                Some(match rest {
                    Some(rest) => {
                        format!("({0} > {least} || ({0} == {least} && {rest}))", part(at))
                    }
                    None => format!("{} >= {least}", part(at)),
                })
            });
    format!("[self.split('.')].all(v, {})", compared.unwrap_or_default())
}
