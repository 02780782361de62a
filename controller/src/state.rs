//! The state file of a loop, for commands beside it.

use std::path::Path;

use diarchy_core::code::Code;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_operator::CLOCK;
use diarchy_operator::store::Store;
use jiff::Timestamp;

use crate::failure::Failure;

/// Opens a state file that exists: a wrong name must not make one.
pub fn open(file: &Path) -> Result<Store, Failure> {
    if !file.is_file() {
        return Err(Failure::new(
            Code::StateNotUsable,
            format!("there is no state file `{}`", file.display()),
            "give the file that `diarchy up --state` writes",
        ));
    }
    Ok(Store::open(file)?)
}

/// The time of the loop: a simulated one has a clock of its own, which it leaves in the state.
pub fn now(store: &Store) -> Result<Timestamp, Failure> {
    let left = store.meta(CLOCK)?;
    let left = left.and_then(|text| text.parse().ok());
    Ok(left.unwrap_or_else(Timestamp::now))
}

/// The resource of this name that the loop has reported: in the one namespace that has it.
pub fn find(store: &Store, kind: Kind, name: &str) -> Result<(Kind, ObjectName), Failure> {
    let statuses = store.all_statuses()?;
    let mut found = statuses
        .into_keys()
        .filter(|(of, known)| *of == kind && (known.name == name || known.to_string() == name));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Failure::argument(
            format!("the loop has reported no {kind} `{name}`"),
            "see `diarchy get --state FILE`",
        )),
        (Some(_), Some(_)) => Err(Failure::argument(
            format!("several namespaces have a {kind} `{name}`"),
            "write it as KIND/NAMESPACE/NAME",
        )),
    }
}
