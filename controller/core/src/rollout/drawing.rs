//! Whom a step admits.
//!
//! Lots are drawn by hashing the first id that a device was ever known by, so that a rollout which
//! grows never drops a device, whatever becomes of its name or its record.

use std::collections::BTreeSet;

use super::Seen;
use super::course::Course;
use super::progress::Progress;
use crate::digest::Digest;
use crate::resource::ObjectName;

/// The lot that a device draws in an assignment's rollout.
#[must_use]
pub fn lot(assignment: &ObjectName, first_id: &str) -> u64 {
    Digest::of_lines([assignment.to_string().as_str(), first_id]).lot()
}

impl Progress {
    /// Whether the device is in for good: it was moved, or it was admitted where it should be. It counts in
    /// every step.
    pub(super) fn is_in(&self, seen: &Seen<'_>) -> bool {
        let course = self.courses.get(seen.id);
        let was_moved = || course.is_none_or(|course| course.is_moved);
        seen.is_placed || self.admitted.contains(seen.id) && was_moved()
    }

    /// Admits devices until there are `wanted` of those that are selected. Gives which are admitted now,
    /// by their place in `devices`: those that are in for good, then those that were drawn before, then new
    /// ones by lot.
    pub(super) fn draw(
        &mut self,
        assignment: &ObjectName,
        devices: &[Seen<'_>],
        wanted: usize,
    ) -> BTreeSet<usize> {
        // Who was admitted and is lost since stays so, without taking a place.
        let stays =
            |seen: &Seen<'_>| seen.is_lost && seen.is_own && self.admitted.contains(seen.id);
        let mut drawn: BTreeSet<usize> = (0..devices.len())
            .filter(|at| self.is_in(&devices[*at]) || stays(&devices[*at]))
            .collect();
        let inside = drawn
            .iter()
            .filter(|at| devices[**at].fills_a_step())
            .count();
        let were_in = drawn.clone();
        let mut left = wanted.saturating_sub(inside);
        let (before, new): (Vec<usize>, Vec<usize>) = (0..devices.len())
            .filter(|at| !drawn.contains(at))
            .filter(|at| devices[*at].fills_a_step() && devices[*at].is_own)
            .partition(|at| self.admitted.contains(devices[*at].id));
        for mut candidates in [before, new] {
            // Lots are worth their cost only where not everybody comes in.
            if candidates.len() > left {
                candidates.sort_by_cached_key(|at| (lot(assignment, devices[*at].id), *at));
            }
            candidates.truncate(left);
            left -= candidates.len();
            drawn.extend(candidates);
        }
        for at in &drawn {
            let seen = &devices[*at];
            // What the group has no more is on its way out, and is not admitted by being there yet.
            if !seen.selected.is_possible() {
                continue;
            }
            if !self.admitted.contains(seen.id) {
                self.admitted.insert(seen.id.to_owned());
            }
            // Who has arrived before anything was done has nothing to prove.
            let is_to_prove = !seen.has_arrived || seen.is_sent;
            if is_to_prove && !self.courses.contains_key(seen.id) {
                let mut course = Course::new(seen.health);
                course.was_in = were_in.contains(at) && !seen.is_sent;
                course.is_moved = course.was_in || seen.is_under_way();
                self.courses.insert(seen.id.to_owned(), course);
            }
        }
        drawn
    }
}
