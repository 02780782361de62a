//! The status of a `DeviceGroup`.

use diarchy_core::desired::GroupIndex;
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::selector::TextKey;
use diarchy_crds::device_group::DeviceGroupStatus;
use diarchy_crds::status::EXAMPLES;

use super::small;
use crate::condition::{ConditionKind, Truth, merge};

pub(super) fn status(
    engine: &Engine<'_>,
    index: GroupIndex,
    old: &DeviceGroupStatus,
) -> DeviceGroupStatus {
    let inventory = engine.inventory();
    let members = engine.groups().members(index);
    let rows = || members.certain().ones();
    let names = inventory.text(TextKey::Name);
    let mut status = DeviceGroupStatus {
        members: Some(small(members.count_certain())),
        unknown: Some(small(members.count_unknown())),
        eligible: Some(small(
            rows()
                .filter(|row| engine.eligibility().judge(*row).is_none())
                .count(),
        )),
        digest: Some(Digest::of_lines(rows().map(|row| inventory.id(row))).to_string()),
        examples: rows()
            .take(EXAMPLES)
            .map(|row| {
                let name = names.get(row).known();
                name.map_or_else(|| inventory.id(row).to_owned(), ToString::to_string)
            })
            .collect(),
        ..DeviceGroupStatus::default()
    };
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds: true,
        reason: "Evaluated",
        message: format!("{} members", members.count_certain()),
    };
    status.conditions = merge(&old.conditions, vec![ready], engine.now());
    status
}
