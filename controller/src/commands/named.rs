//! Resources as they are named on the command line: `fleet/contoso`.

use clap::ValueEnum as _;
use diarchy_core::resource::Kind;

use crate::arguments::Shown;
use crate::failure::Failure;

/// The kinds that can be stopped and asked for.
const KINDS: [Shown; 3] = [Shown::Fleets, Shown::Assignments, Shown::Sources];

/// A kind and a name, from `kind/name`.
pub fn parse(text: &str) -> Result<(Kind, &str), Failure> {
    let invalid =
        |what: String| Failure::argument(what, "write fleet/NAME, assignment/NAME or source/NAME");
    let Some((kind, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Err(invalid(format!("`{text}` names no resource")));
    };
    let shown = Shown::from_str(kind, true).ok();
    let of_api = |shown: &&Shown| {
        let name = shown.kind().name();
        kind.eq_ignore_ascii_case(name) || kind.eq_ignore_ascii_case(&format!("{name}s"))
    };
    let shown = shown.as_ref().or_else(|| Shown::ALL.iter().find(of_api));
    match shown {
        Some(shown) if KINDS.contains(shown) => Ok((shown.kind(), name)),
        Some(shown) => Err(invalid(format!("a {} has no loop", shown.kind()))),
        None => Err(invalid(format!("there is no kind `{kind}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_understood_as_people_write_them() {
        for text in ["fleet/a", "fleets/a", "Fleet/a", "fl/a"] {
            assert_eq!(parse(text).unwrap(), (Kind::Fleet, "a"), "{text}");
        }
        for text in ["assignment/a", "wa/a", "workloadassignments/a"] {
            assert_eq!(parse(text).unwrap(), (Kind::WorkloadAssignment, "a"));
        }
        for text in ["fleet", "fleet/", "group/a", "pod/a", "/a"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
