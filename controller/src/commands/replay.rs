//! `diarchy replay`

use std::path::Path;

use diarchy_core::code::Code;
use diarchy_operator::record::{self, Recorded};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::{Format, Replay};
use crate::failure::{Failure, Outcome};
use crate::show::{self, plural};

/// What came of deciding again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replayed {
    file: String,
    fleet: String,
    at: Timestamp,
    revision: String,
    /// The version that had decided it.
    version: String,
    is_same: bool,
    /// Where the two differ first, in bytes from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs_at: Option<usize>,
}

/// Decides again what a folder has, and compares.
pub fn run(arguments: &Replay) -> Result<Outcome, Failure> {
    let folder = &arguments.folder;
    let files = record::files(folder).map_err(|error| unreadable(folder, &error))?;
    if files.is_empty() {
        return Err(Failure::argument(
            format!("`{}` has no decisions", folder.display()),
            "give the folder that `diarchy up --record` has written",
        ));
    }
    let mut replayed = Vec::with_capacity(files.len());
    for file in &files {
        replayed.push(replay(file)?);
    }
    let differing = replayed.iter().filter(|one| !one.is_same).count();
    match arguments.output {
        Format::Json => show::json(&replayed)?,
        Format::Text => print(&replayed, differing)?,
    }
    Ok(if differing == 0 {
        Outcome::Same
    } else {
        Outcome::Differs
    })
}

fn replay(file: &Path) -> Result<Replayed, Failure> {
    let recorded = Recorded::read(file).map_err(|error| unreadable(file, &error))?;
    let again = recorded.inputs.decide();
    let again = again.map_err(|error| unreadable(file, &error))?;
    let differs_at = first_difference(recorded.outcome.as_bytes(), again.as_bytes());
    let name = file.file_name().unwrap_or_default();
    Ok(Replayed {
        file: name.to_string_lossy().into_owned(),
        fleet: recorded.inputs.desired.fleet.to_string(),
        at: recorded.inputs.at,
        revision: recorded.inputs.revision,
        version: recorded.version,
        is_same: differs_at.is_none(),
        differs_at,
    })
}

/// Where two texts differ first.
fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    (one.len() != other.len() || same < one.len()).then_some(same)
}

fn unreadable(place: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Code::StateNotUsable,
        format!("`{}`: {error}", place.display()),
        "give the folder that `diarchy up --record` has written, as this version or an earlier one wrote it",
    )
}

fn print(replayed: &[Replayed], differing: usize) -> Result<(), Failure> {
    for one in replayed.iter().filter(|one| !one.is_same) {
        let at = one.differs_at.unwrap_or_default();
        let text = format!(
            "{}: {} at {} came out otherwise, from byte {at} on (decided by version {})",
            one.file,
            one.fleet,
            show::moment(one.at),
            one.version
        );
        show::line(&show::styled(show::NOTICE, text))?;
    }
    let all = plural(replayed.len(), "decision");
    let text = match differing {
        0 => show::styled(
            show::GOOD,
            format!("{all} made again: each came out the same"),
        ),
        _ => show::styled(
            show::NOTICE,
            format!("{all} made again: {differing} came out otherwise"),
        ),
    };
    Ok(show::line(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_differ_where_they_do() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"abd"), Some(2));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
        assert_eq!(first_difference(b"", b"a"), Some(0));
    }
}
