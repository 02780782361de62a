//! Selectors.

use std::ops::RangeInclusive;

use diarchy_core::code::Code;
use diarchy_core::finding::FieldPath;
use diarchy_core::inventory::{ClientHealth, Compliance, JoinType};
use diarchy_core::selector::{Key, Operator, Requirement, Selector, Test, TextKey, fold};

use super::{Findings, each, forms};
use crate::selector::RequirementSpec;

/// What a selector is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Who a group has.
    Group,
    /// Who may join.
    Admission,
}

/// Reads the clauses of a selector at `path`. That there is one is the caller's to judge.
pub(super) fn read(
    findings: &mut Findings,
    path: &FieldPath,
    specs: &[RequirementSpec],
    purpose: Purpose,
) -> Option<Selector> {
    let requirements = each(path, specs, |path, spec| {
        requirement(findings, path, spec, purpose)
    });
    Some(Selector {
        requirements: requirements?,
    })
}

fn requirement(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &RequirementSpec,
    purpose: Purpose,
) -> Option<Requirement> {
    let key = key(findings, &path.key("key"), &spec.key, purpose);
    let counted = count(findings, path, spec);
    let key = key?;
    if !key.allows(spec.operator) {
        findings.add(
            Code::OperatorNotForKey,
            &path.key("operator"),
            format!("`{}` cannot be used with `{key}`", spec.operator),
            format!("use {}", operators(&key)),
        );
        return None;
    }
    counted.then_some(())?;
    let test = test(findings, &path.key("values"), &key, spec)?;
    Some(Requirement {
        key,
        test,
        negated: is_negation(spec.operator),
        text: text(spec),
    })
}

fn key(findings: &mut Findings, path: &FieldPath, written: &str, purpose: Purpose) -> Option<Key> {
    let Some(key) = Key::from_name(written) else {
        findings.add(
            Code::UnknownAttribute,
            path,
            format!("`{written}` is no attribute of a device"),
            attributes(written, purpose),
        );
        return None;
    };
    if purpose == Purpose::Group && key.is_passing() {
        findings.add(
            Code::PassingFact,
            path,
            format!("`{written}` comes and goes, and a holiday must not hand a laptop back"),
            "take it out here, and write it into `admitWhen` of the WorkloadAssignment",
        );
        return None;
    }
    Some(key)
}

/// What to write instead of a key that does not exist.
fn attributes(written: &str, purpose: Purpose) -> String {
    let mut names = Key::names();
    names.retain(|name| {
        purpose == Purpose::Admission || !Key::from_name(name).is_some_and(|key| key.is_passing())
    });
    let label = written.strip_prefix("label/").or_else(|| {
        let (start, rest) = written.split_at_checked("labels/".len())?;
        (start.eq_ignore_ascii_case("labels/") && !rest.is_empty()).then_some(rest)
    });
    if let Some(label) = label {
        return format!("write labels/{label}");
    }
    match names.iter().find(|name| fold(name) == fold(written)) {
        Some(name) => format!("write {name}"),
        None => format!("use one of {}", names.join(", ")),
    }
}

fn operators(key: &Key) -> String {
    Operator::ALL
        .into_iter()
        .filter(|operator| key.allows(*operator))
        .map(Operator::name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// How many values an operator takes.
const fn arity(operator: Operator) -> RangeInclusive<usize> {
    match operator {
        Operator::Exists | Operator::DoesNotExist => 0..=0,
        Operator::AtLeast | Operator::LessThan | Operator::Within | Operator::NotWithin => 1..=1,
        Operator::In | Operator::NotIn | Operator::Glob | Operator::NotGlob => 1..=usize::MAX,
    }
}

fn count(findings: &mut Findings, path: &FieldPath, spec: &RequirementSpec) -> bool {
    let number = spec.values.as_ref().map_or(0, Vec::len);
    let arity = arity(spec.operator);
    if arity.contains(&number) {
        return true;
    }
    let (takes, remedy) = match *arity.end() {
        0 => ("no values", "leave `values` out"),
        1 => ("exactly one value", "write one value into `values`"),
        _ => (
            "at least one value",
            "write at least one value into `values`",
        ),
    };
    let written = match number {
        0 => "none".to_owned(),
        number => number.to_string(),
    };
    let path = match spec.values {
        Some(_) => path.key("values"),
        None => path.clone(),
    };
    findings.add(
        Code::WrongNumberOfValues,
        &path,
        format!("`{}` takes {takes}, and has {written}", spec.operator),
        remedy,
    );
    false
}

fn test(
    findings: &mut Findings,
    path: &FieldPath,
    key: &Key,
    spec: &RequirementSpec,
) -> Option<Test> {
    let values = spec.values.as_deref().unwrap_or_default();
    let folded = || values.iter().map(|value| fold(value)).collect();
    let first = || Some((path.index(0), values.first()?.as_str()));
    match spec.operator {
        Operator::In | Operator::NotIn => {
            judge_words(findings, path, key, values).then(|| Test::In(folded()))
        }
        Operator::Glob | Operator::NotGlob => Some(Test::Glob(folded())),
        Operator::AtLeast => {
            let (path, value) = first()?;
            forms::version_text(findings, &path, value).map(Test::AtLeast)
        }
        Operator::LessThan => {
            let (path, value) = first()?;
            forms::version_text(findings, &path, value).map(Test::LessThan)
        }
        Operator::Within | Operator::NotWithin => {
            let (path, value) = first()?;
            forms::span(findings, &path, value).map(Test::Within)
        }
        Operator::Exists | Operator::DoesNotExist => Some(Test::Exists),
    }
}

/// Some attributes know a few words only: another one would be asked for in vain.
fn judge_words(findings: &mut Findings, path: &FieldPath, key: &Key, values: &[String]) -> bool {
    let words: Vec<&str> = match key {
        Key::Text(TextKey::JoinType) => JoinType::ALL.iter().map(|word| word.name()).collect(),
        Key::Text(TextKey::ClientHealth) => {
            ClientHealth::ALL.iter().map(|word| word.name()).collect()
        }
        Key::Text(TextKey::Compliance) => Compliance::ALL.iter().map(|word| word.name()).collect(),
        _ => return true,
    };
    let mut known = true;
    for (at, value) in values.iter().enumerate() {
        if !words.iter().any(|word| fold(word) == fold(value)) {
            known = false;
            findings.add(
                Code::UnknownValue,
                &path.index(at),
                format!("`{value}` is no value of `{key}`"),
                format!("use one of {}", words.join(", ")),
            );
        }
    }
    known
}

const fn is_negation(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::NotIn | Operator::NotGlob | Operator::NotWithin | Operator::DoesNotExist
    )
}

/// How a requirement reads: `country In [FR, DE]`, `osVersion AtLeast 10.0.22631`, `adSite Exists`.
fn text(spec: &RequirementSpec) -> String {
    let (key, operator) = (&spec.key, spec.operator);
    let values = spec.values.as_deref().unwrap_or_default();
    match *arity(operator).end() {
        0 => format!("{key} {operator}"),
        1 => format!("{key} {operator} {}", values.join(", ")),
        _ => format!("{key} {operator} [{}]", values.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use diarchy_core::duration::Span;
    use diarchy_core::finding::Origin;
    use proptest::prelude::*;

    use super::*;

    fn spec(key: &str, operator: Operator, values: &[&str]) -> RequirementSpec {
        RequirementSpec {
            key: key.to_owned(),
            operator,
            values: Some(values.iter().map(ToString::to_string).collect()),
        }
    }

    fn read_one(spec: RequirementSpec, purpose: Purpose) -> Result<Requirement, Vec<String>> {
        let mut findings = Findings::new(Origin(0));
        let selector = read(&mut findings, &FieldPath::of("at"), &[spec], purpose);
        let list: Vec<String> = findings
            .list
            .iter()
            .map(|finding| format!("{:?} {}: {}", finding.code, finding.path, finding.remedy))
            .collect();
        match selector {
            Some(mut selector) => {
                assert_eq!(list, Vec::<String>::new());
                Ok(selector.requirements.remove(0))
            }
            None => Err(list),
        }
    }

    fn wrong(spec: RequirementSpec, purpose: Purpose) -> String {
        let mut findings = read_one(spec, purpose).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    #[test]
    fn values_compare_folded_and_read_as_written() {
        let read = |key, operator, values: &[&str]| {
            read_one(spec(key, operator, values), Purpose::Group).unwrap()
        };
        let country = read("country", Operator::NotIn, &["FR", "De"]);
        assert_eq!(country.test, Test::In(vec!["fr".into(), "de".into()]));
        assert!(country.negated);
        assert_eq!(country.text, "country NotIn [FR, De]");
        let model = read("model", Operator::Glob, &["Latitude 7*"]);
        assert_eq!(model.test, Test::Glob(vec!["latitude 7*".into()]));
        assert!(!model.negated);
        let version = read("osVersion", Operator::AtLeast, &["10.0.22631"]);
        assert_eq!(version.test, Test::AtLeast("10.0.22631".parse().unwrap()));
        assert_eq!(version.text, "osVersion AtLeast 10.0.22631");
        let client = read("clientVersion", Operator::LessThan, &["5.0"]);
        assert_eq!(client.test, Test::LessThan("5.0".parse().unwrap()));
        let enrolled = read("enrolledAt", Operator::NotWithin, &["14d"]);
        assert_eq!(
            (enrolled.test, enrolled.negated),
            (Test::Within(Span::days(14)), true)
        );
        let label = read("labels/Wave", Operator::DoesNotExist, &[]);
        assert_eq!(label.key, Key::Label("Wave".into()));
        assert_eq!((label.test, label.negated), (Test::Exists, true));
        assert_eq!(label.text, "labels/Wave DoesNotExist");
    }

    #[test]
    fn an_unknown_key_is_told_its_right_name() {
        let unknown = |key| wrong(spec(key, Operator::Exists, &[]), Purpose::Group);
        assert_eq!(
            unknown("osversion"),
            "UnknownAttribute at[0].key: write osVersion"
        );
        assert_eq!(
            unknown("label/wave"),
            "UnknownAttribute at[0].key: write labels/wave"
        );
        assert_eq!(
            unknown("Labels/wave"),
            "UnknownAttribute at[0].key: write labels/wave"
        );
        let all = unknown("uptime");
        assert!(
            all.starts_with("UnknownAttribute at[0].key: use one of name, serialNumber"),
            "{all}"
        );
        assert!(!all.contains("lastSync"), "{all}");
        assert!(unknown("labels/").starts_with("UnknownAttribute at[0].key: use one of"));
        let all = wrong(spec("uptime", Operator::Exists, &[]), Purpose::Admission);
        assert!(all.contains("lastSync"), "{all}");
    }

    #[test]
    fn an_operator_must_fit_its_key() {
        for (key, operator) in [
            ("country", Operator::AtLeast),
            ("country", Operator::Within),
            ("osVersion", Operator::NotWithin),
            ("enrolledAt", Operator::In),
            ("enrolledAt", Operator::LessThan),
            ("entraGroup", Operator::AtLeast),
            ("labels/wave", Operator::LessThan),
        ] {
            let found = wrong(spec(key, operator, &["1"]), Purpose::Group);
            assert!(
                found.starts_with("OperatorNotForKey at[0].operator: use "),
                "{found}"
            );
        }
        assert_eq!(
            wrong(spec("enrolledAt", Operator::Glob, &["*"]), Purpose::Group),
            "OperatorNotForKey at[0].operator: use Within, NotWithin, Exists, DoesNotExist"
        );
    }

    #[test]
    fn an_operator_takes_its_number_of_values() {
        for (key, operator, values) in [
            ("country", Operator::In, &[] as &[&str]),
            ("country", Operator::Exists, &["FR"]),
            ("osVersion", Operator::AtLeast, &["10.0", "11.0"]),
            ("enrolledAt", Operator::Within, &[]),
        ] {
            let found = wrong(spec(key, operator, values), Purpose::Group);
            assert!(
                found.starts_with("WrongNumberOfValues at[0].values: "),
                "{found}"
            );
            let mut without = spec(key, operator, values);
            without.values = None;
            if arity(operator).contains(&0) {
                assert!(read_one(without, Purpose::Group).is_ok());
            } else {
                let found = wrong(without, Purpose::Group);
                assert!(found.starts_with("WrongNumberOfValues at[0]: "), "{found}");
            }
        }
    }

    #[test]
    fn a_value_must_have_its_form() {
        for (key, operator, value, code) in [
            ("osVersion", Operator::AtLeast, "11 24H2", "InvalidFormat"),
            ("clientVersion", Operator::LessThan, "v5", "InvalidFormat"),
            ("enrolledAt", Operator::Within, "14 days", "InvalidFormat"),
            ("joinType", Operator::In, "Hybrid", "UnknownValue"),
        ] {
            let found = wrong(spec(key, operator, &[value]), Purpose::Group);
            assert!(
                found.starts_with(&format!("{code} at[0].values[0]: ")),
                "{found}"
            );
        }
        let found = wrong(
            spec("clientHealth", Operator::NotIn, &["healthy", "ill"]),
            Purpose::Admission,
        );
        assert_eq!(
            found,
            "UnknownValue at[0].values[1]: use one of Healthy, Unhealthy, Inactive, Unknown"
        );
    }

    #[test]
    fn what_comes_and_goes_admits_and_does_not_select() {
        for (key, operator, value) in [
            ("lastSync", Operator::Within, "7d"),
            ("compliance", Operator::In, "Compliant"),
            ("clientHealth", Operator::NotIn, "Inactive"),
        ] {
            let found = wrong(spec(key, operator, &[value]), Purpose::Group);
            assert!(found.starts_with("PassingFact at[0].key: "), "{found}");
            assert!(read_one(spec(key, operator, &[value]), Purpose::Admission).is_ok());
        }
    }

    #[test]
    fn several_mistakes_of_one_clause_are_all_found() {
        let found = read_one(spec("uptime", Operator::In, &[]), Purpose::Group).unwrap_err();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    proptest! {
        #[test]
        fn a_clause_is_read_or_refused_with_a_reason(
            key in prop::sample::select(Key::names()),
            operator in prop::sample::select(Operator::ALL.to_vec()),
            values in prop::collection::vec("[a-zA-Z0-9.*%]{0,6}", 0..3),
        ) {
            let spec = RequirementSpec { key: key.to_owned(), operator, values: Some(values.clone()) };
            match read_one(spec, Purpose::Admission) {
                Ok(requirement) => {
                    prop_assert_eq!(requirement.key.to_string(), key);
                    prop_assert!(requirement.key.allows(operator));
                    prop_assert!(arity(operator).contains(&values.len()));
                }
                Err(findings) => prop_assert!(!findings.is_empty()),
            }
        }
    }
}
