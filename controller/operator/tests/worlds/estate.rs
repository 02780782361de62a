//! What people do at the site, and what becomes of devices meanwhile.

use diarchy_simulator::{Act, Cause, Effect, RuleKey};

use crate::life::Life;
use crate::repository::pilot;

/// Something that somebody does, if there is anything to do it to.
pub fn act(life: &mut Life) -> Option<Act> {
    let truths = life.truths();
    let at_site: Vec<_> = truths
        .iter()
        .filter_map(|truth| Some((truth.device, truth.resource_id?)))
        .collect();
    if at_site.is_empty() {
        return None;
    }
    let (device, resource_id) = *life.draw.pick(&at_site);
    Some(match life.draw.below(10) {
        0 => Act::Reimage { device },
        1 => Act::Retire { device },
        2 => Act::Reenroll { device },
        3 | 4 => Act::SetPresence {
            device,
            online: life.draw.happens(40),
        },
        5 => {
            let pilots = life.history.revisions[0].pilots.clone();
            let collection = pilot(*life.draw.pick(&pilots));
            Act::AddDirectRule {
                collection,
                resource_id,
            }
        }
        6 => {
            let pilots = life.history.revisions[0].pilots.clone();
            let collection = pilot(*life.draw.pick(&pilots));
            Act::RefreshCollection { collection }
        }
        _ => {
            let rules = rules(life);
            if rules.is_empty() {
                return None;
            }
            let (collection, resource_id) = life.draw.pick(&rules).clone();
            Act::RemoveDirectRule {
                collection,
                resource_id,
            }
        }
    })
}

/// Rules that were made in collections that are not people's.
fn rules(life: &Life) -> Vec<(String, u32)> {
    let log = life.house.world.control().log();
    let mut rules = Vec::new();
    for entry in log {
        if let (
            Cause::Write { .. },
            Effect::RulesAdded {
                collection, added, ..
            },
        ) = (entry.cause, entry.effect)
        {
            let direct = added.into_iter().filter_map(|rule| match rule {
                RuleKey::Direct(resource) => Some((collection.clone(), resource)),
                _ => None,
            });
            rules.extend(direct);
        }
    }
    rules
}
