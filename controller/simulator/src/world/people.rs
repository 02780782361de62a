//! The users of the fleet, as Entra knows them.

use crate::random::Chance;
use crate::world::vocabulary::{DEPARTMENTS, FIRST_NAMES, LAST_NAMES, PLACES, Place};
use uuid::Uuid;

/// A person, a function of a number.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) principal_name: String,
    pub(crate) place: &'static Place,
    pub(crate) department: Option<&'static str>,
    /// Some accounts were made without a country.
    pub(crate) country: Option<&'static str>,
}

/// The person with this number.
pub(crate) fn person(chance: Chance, number: usize) -> Person {
    let first = *chance.pick("first name", number, &FIRST_NAMES);
    let last = *chance.pick("last name", number, &LAST_NAMES);
    let place = chance.weighted("place", number, &PLACES);
    let department = *chance.weighted("department", number, &DEPARTMENTS);
    Person {
        id: chance.guid("user", number),
        first,
        last,
        principal_name: format!("{}.{}{number}@contoso.com", letters(first), letters(last)),
        place,
        department: (!chance.per_mille("no department", number, 15)).then_some(department),
        country: (!chance.per_mille("no country", number, 10)).then_some(place.country),
    }
}

/// The number of the person who uses device `device`: usually its own, sometimes that of the device
/// before (a second device), sometimes nobody (a shared one).
pub(crate) fn user_of(chance: Chance, device: usize) -> Option<usize> {
    if chance.per_mille("shared", device, 30) {
        return None;
    }
    if device > 0 && chance.per_mille("second device", device, 50) {
        return user_of(chance, device - 1);
    }
    Some(device)
}

/// `name` as it is written in an address.
fn letters(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            'é' | 'è' => 'e',
            'í' => 'i',
            'ń' => 'n',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}
