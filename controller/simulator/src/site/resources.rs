//! The site's discovery records.

use fixedbitset::FixedBitSet;
use uuid::Uuid;

use crate::moment::Moment;
use crate::world::device::{Device, Kind};

/// The `ResourceID` of the first record, as sites count.
const FIRST_RESOURCE: u32 = 16_777_219;

/// One record; a machine that was installed anew has several.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) device: usize,
    /// The machine has a newer record.
    pub(crate) obsolete: bool,
    pub(crate) client_id: Uuid,
    pub(crate) created: Moment,
}

/// `ResourceID` of the record at `place`.
pub(crate) fn resource_id(place: usize) -> u32 {
    u32::try_from(place)
        .ok()
        .and_then(|place| place.checked_add(FIRST_RESOURCE))
        .unwrap_or(u32::MAX)
}

/// The place of the record with this `ResourceID`, if there could be one.
pub(crate) fn place_of(resource_id: u32) -> Option<usize> {
    resource_id
        .checked_sub(FIRST_RESOURCE)
        .map(|place| place as usize)
}

/// What a collection's query can see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records<'a> {
    pub(crate) resources: &'a [Resource],
    pub(crate) devices: &'a [Device],
}

impl Records<'_> {
    /// The records that `matches`.
    pub(crate) fn matching(&self, matches: impl Fn(&Resource, &Device) -> bool) -> FixedBitSet {
        let mut found = FixedBitSet::with_capacity(self.resources.len());
        for (place, resource) in self.resources.iter().enumerate() {
            if matches(resource, &self.devices[resource.device]) {
                found.insert(place);
            }
        }
        found
    }
}

/// What a query rule selects. Only the shapes that people at this site write are understood;
/// the service validates no query when it is added, and any other selects nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    Everything,
    HasClient,
    NamePrefix(String),
    AdSite(String),
    /// The organisational unit that limits the pilot collections.
    Workstations,
    Nobody,
}

impl Query {
    /// Reads WQL.
    pub(crate) fn parse(expression: &str) -> Self {
        let lower = expression.to_ascii_lowercase();
        let Some(condition) = lower.find(" where ").map(|at| &expression[at + 7..]) else {
            return if lower.contains("from sms_r_system") {
                Self::Everything
            } else {
                Self::Nobody
            };
        };
        let condition = condition.trim();
        let property = condition
            .split([' ', '='])
            .next()
            .unwrap_or_default()
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let literal = condition
            .split(['"', '\''])
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        match property.as_str() {
            "client" if condition.ends_with('1') => Self::HasClient,
            "name" if literal.ends_with('%') => {
                Self::NamePrefix(literal.trim_end_matches('%').to_owned())
            }
            "adsitename" => Self::AdSite(literal),
            "systemouname" if literal.ends_with("/WORKSTATIONS") => Self::Workstations,
            _ => Self::Nobody,
        }
    }

    /// Whom it selects now.
    pub(crate) fn select(&self, records: Records<'_>) -> FixedBitSet {
        records.matching(|_, device| match self {
            Self::Everything => true,
            Self::HasClient => device.kind.has_client(),
            Self::NamePrefix(prefix) => device
                .name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
            Self::AdSite(site) => {
                device.kind != Kind::NoClient && device.place.ad_site.eq_ignore_ascii_case(site)
            }
            Self::Workstations => device.kind != Kind::Server && !device.outside_limit,
            Self::Nobody => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_queries_that_people_write() {
        let parse = Query::parse;
        let from = "select SMS_R_System.ResourceID from SMS_R_System";
        assert_eq!(parse(from), Query::Everything);
        assert_eq!(
            parse(&format!("{from} where SMS_R_System.Name like \"FR-LT0%\"")),
            Query::NamePrefix("FR-LT0".to_owned())
        );
        assert_eq!(
            parse(&format!(
                "{from} where SMS_R_System.ADSiteName = 'FR-Paris'"
            )),
            Query::AdSite("FR-Paris".to_owned())
        );
        assert_eq!(
            parse(&format!("{from} where SMS_R_System.Client = 1")),
            Query::HasClient
        );
        assert_eq!(parse("select * from SMS_R_User"), Query::Nobody);
    }
}
