//! What is written into a collection's Comment, so that the site itself says whose it is.

use std::fmt;

use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Staged;

/// A line of a collection's Comment that concerns Diarchy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// `diarchy: <fleet>/<workload>`, or `diarchy: <fleet>/Enrollment`: a person's leave to write
    /// into this pilot collection.
    Pilot {
        /// The fleet.
        fleet: String,
        /// What it is the pilot of.
        staged: Staged,
    },
    /// `diarchy: <fleet>/<workload> <namespace>/<assignment> <uid>`: Diarchy made this collection
    /// for an assignment; with `Enrollment`, for a policy.
    Owned {
        /// The fleet.
        fleet: String,
        /// What the collection that includes it is the pilot of.
        staged: Staged,
        /// The assignment or policy.
        owner: ObjectName,
        /// Which one of that name: a new one has another.
        uid: String,
    },
    /// `diarchy claim: <fleet> <epoch> <installation>`: who may write to the fleet.
    Claim {
        /// The fleet.
        fleet: String,
        /// The highest is in force.
        epoch: u64,
        /// The installation that holds it.
        installation: String,
    },
}

const OWN: &str = "diarchy:";
const CLAIM: &str = "diarchy claim:";

impl Mark {
    /// Reads one line; anything that is not exactly a mark is none.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix(CLAIM) {
            let mut words = rest.split_ascii_whitespace();
            let mark = Self::Claim {
                fleet: words.next()?.to_owned(),
                epoch: words.next()?.parse().ok()?,
                installation: words.next()?.to_owned(),
            };
            return words.next().is_none().then_some(mark);
        }
        let mut words = line.strip_prefix(OWN)?.split_ascii_whitespace();
        let (fleet, staged) = words.next()?.split_once('/')?;
        let (fleet, staged) = (fleet.to_owned(), staged.parse().ok()?);
        if fleet.is_empty() {
            return None;
        }
        let Some(owner) = words.next() else {
            return Some(Self::Pilot { fleet, staged });
        };
        let (namespace, name) = owner.split_once('/')?;
        let uid = words.next()?.to_owned();
        let formed = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        (formed && words.next().is_none()).then(|| Self::Owned {
            fleet,
            staged,
            owner: ObjectName::new(namespace, name),
            uid,
        })
    }

    /// The marks in a Comment, which people may have written other lines into.
    pub fn all_in(comment: &str) -> impl Iterator<Item = Self> {
        comment.lines().filter_map(Self::parse)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pilot { fleet, staged } => write!(f, "{OWN} {fleet}/{staged}"),
            Self::Owned {
                fleet,
                staged,
                owner,
                uid,
            } => write!(f, "{OWN} {fleet}/{staged} {owner} {uid}"),
            Self::Claim {
                fleet,
                epoch,
                installation,
            } => write!(f, "{CLAIM} {fleet} {epoch} {installation}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_as_written() {
        for text in [
            "diarchy: contoso/ClientApps",
            "diarchy: contoso/Enrollment",
            "diarchy: contoso/ClientApps contoso/apps-emea 7f0c-1",
            "diarchy: contoso/Enrollment contoso/contoso 7f0c-2",
            "diarchy claim: contoso 12 4f1d",
        ] {
            assert_eq!(Mark::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_mark_is_none() {
        for text in [
            "",
            "diarchy: contoso",
            "diarchy: contoso/Apps",
            "diarchy: /ClientApps",
            "diarchy: contoso/ClientApps contoso/apps",
            "diarchy: contoso/ClientApps apps uid",
            "diarchy: contoso/ClientApps a/b/c uid",
            "diarchy: contoso/ClientApps contoso/apps uid more",
            "diarchy claim: contoso x 4f1d",
            "diarchy claim: contoso 1",
            "diarchy claim: contoso 1 a b",
            "not diarchy: contoso/ClientApps",
        ] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_mark_is_found_among_other_lines() {
        let comment = "Ask Ana before changing.\r\n  diarchy: contoso/ClientApps\r\n";
        assert_eq!(Mark::all_in(comment).count(), 1);
    }
}
