//! A fleet's guardrails.

use diarchy_core::code::Code;
use diarchy_core::desired::{Freeze, Guardrails};
use diarchy_core::finding::FieldPath;

use super::{Findings, each, forms};
use crate::guardrails::{FreezeSpec, GuardrailsSpec, MOST_CHANGES_PER_HOUR};

pub(super) fn read(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &GuardrailsSpec,
) -> Option<Guardrails> {
    let changed = forms::amount(
        findings,
        &path.key("maxChangedDevices"),
        &spec.max_changed_devices,
    );
    let leaving = forms::amount(findings, &path.key("maxLeaving"), &spec.max_leaving);
    let shrink = forms::amount(
        findings,
        &path.key("maxInventoryShrink"),
        &spec.max_inventory_shrink,
    );
    let pace = pace(
        findings,
        &path.key("maxChangesPerHour"),
        spec.max_changes_per_hour,
    );
    let freezes = each(&path.key("freeze"), &spec.freeze, |path, spec| {
        freeze(findings, path, spec)
    });
    Some(Guardrails {
        max_changed_devices: changed?,
        max_leaving: leaving?,
        max_inventory_shrink: shrink?,
        max_changes_per_hour: pace?,
        freezes: freezes?,
    })
}

fn pace(findings: &mut Findings, path: &FieldPath, changes: i64) -> Option<u32> {
    let pace = u32::try_from(changes).ok();
    let allowed = (1..=MOST_CHANGES_PER_HOUR).contains(&changes);
    if !allowed {
        findings.add(
            Code::OutOfRange,
            path,
            format!("`{changes}` changes in an hour lie outside 1 to {MOST_CHANGES_PER_HOUR}"),
            format!(
                "write a number from 1 to {MOST_CHANGES_PER_HOUR}; to write nothing at all, set \
                 `suspend: true`"
            ),
        );
    }
    pace.filter(|_| allowed)
}

fn freeze(findings: &mut Findings, path: &FieldPath, spec: &FreezeSpec) -> Option<Freeze> {
    let from = forms::timestamp(findings, &path.key("from"), &spec.from);
    let to = forms::timestamp(findings, &path.key("to"), &spec.to);
    let (from, to) = (from?, to?);
    if from >= to {
        findings.add(
            Code::InvalidSpan,
            &path.key("to"),
            format!(
                "the freeze ends at `{}`, not after it begins at `{}`",
                spec.to, spec.from
            ),
            format!("write a time later than {}", spec.from),
        );
        return None;
    }
    Some(Freeze {
        name: spec.name.clone(),
        from,
        to,
    })
}
