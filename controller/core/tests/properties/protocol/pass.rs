//! A pass over the small world, as the loop makes it: read, decide, remember, send, look what is proved.

use std::collections::BTreeSet;

use diarchy_core::rollout::{Act, Heeded, Look, Progress, Seen, Stage, Turn, View};
use diarchy_core::workload::Authority;
use jiff::SignedDuration;

use super::device::{Device, IDS};
use super::promise::{Broken, Passed, Promise, judge_move};
use super::remembered::{TICK, now};
use super::{State, World, digest_of, is_approved};

/// Two passes further apart than this have not seen what was between them.
pub const LONGEST_GAP: SignedDuration = TICK;

/// How a pass ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything is sent.
    Whole,
    /// The loop dies after so many writes.
    CutAfter(usize),
}

/// What was said long ago, and what is said now.
const OLD: &str = "old";
const NEW: &str = "new";

/// What a pass has read and decided.
struct Decided {
    /// The rows of the devices that it has read.
    rows: Vec<usize>,
    /// The devices as it has read them, by row.
    read: Vec<Device>,
    /// What it has seen of those.
    seen: Vec<Seen<'static>>,
    turn: Turn,
}

/// A write that a pass makes.
struct Write {
    at: usize,
    here: bool,
}

impl World {
    /// Makes a pass, which sees the device `older` as it was before our write.
    pub(super) fn pass(&self, state: &mut State, older: Option<usize>, end: End) {
        let mut read = self.devices(state).to_vec();
        if let Some(at) = older {
            read[at] = read[at].before_our_write();
        }
        self.watch(state, &read);
        let said = said(state);
        let decided = self.decide(state, read, &said);
        let writes = self.writes(state, &decided);
        let mut broken = state.broken;
        self.send(state, &writes, end, &decided.turn.progress, &mut broken);
        state.broken = broken;
        state.looked = None;
        if end == End::Whole {
            state.looked = Some(0);
            for (device, read) in state.devices.iter_mut().zip(&decided.read) {
                device.observe(*read);
            }
        }
        self.settle(state, &decided.turn.progress);
        self.remember(state, decided.turn.progress, &said);
    }

    /// Notes who is where a spec that is complete, or was when it halted, has moved them: that is the
    /// end of their courses.
    fn settle(&self, state: &mut State, progress: &Progress) {
        let (Stage::Complete { .. } | Stage::Halted { .. }) = progress.stage else {
            return;
        };
        for (at, device) in state.devices[..self.devices].iter_mut().enumerate() {
            let is_watched = progress.courses.contains_key(IDS[at]);
            device.is_settled |= !is_watched && device.has_arrived();
        }
    }

    /// Notes how long devices were watched: from one pass to the next, if that is near enough.
    fn watch(&self, state: &mut State, read: &[Device]) {
        let gap = LONGEST_GAP.as_secs() / TICK.as_secs();
        let looked = state.looked.filter(|ticks| i64::from(*ticks) <= gap);
        let deadline = u8::try_from(self.ages.deadline.as_hours()).unwrap();
        for (device, read) in state.devices.iter_mut().zip(read) {
            let read = Some(*read).filter(|read| read.is_known && !state.is_suspended);
            device.watch(read, looked, deadline);
        }
    }

    fn decide(&self, state: &mut State, read: Vec<Device>, said: &Heeded) -> Decided {
        let before = state.progress.map(|number| self.remembered.get(number));
        let is_known = |at: &usize| read[*at].is_known;
        let rows: Vec<usize> = (0..self.devices).filter(is_known).collect();
        // Whom a spec that stays rejected gives back is not its own any more.
        let rejected = before.as_deref().filter(|before| {
            before.rejected() == Some(digest_of(state.spec)) && !is_said(state, Act::Retry)
        });
        let see = |at: &usize| {
            let is_placed = read[*at].is_placed(self.authority);
            let keeps = rejected.is_none_or(|progress| keeps(progress, IDS[*at], is_placed));
            read[*at].seen(*at, self.authority, keeps)
        };
        let seen: Vec<Seen<'static>> = rows.iter().map(see).collect();
        let asked = *state;
        let view = View {
            assignment: &self.name,
            spec: digest_of(state.spec),
            authority: self.authority,
            rollout: self.rollout(state),
            is_in_force: !state.is_suspended,
            look: look(state),
            selected: rows.len(),
            devices: seen.clone(),
            is_approved: &|digest| is_approved(&asked, digest),
            said,
        };
        let begun = Progress::of(before.as_deref().cloned(), &view);
        let turn = begun.clone().advance(&view);
        let admitted: BTreeSet<usize> = turn.admitted.iter().map(|place| rows[*place]).collect();
        let passed = Passed {
            before: before.as_deref(),
            begun: &begun,
            view: &view,
            turn: &turn,
            admitted: &admitted,
            devices: self.devices(state),
        };
        let broken = passed.judge();
        state.broken.add(broken);
        Decided {
            rows,
            read,
            seen,
            turn,
        }
    }

    /// What the pass sends, in the order of rows. The real loop finds it in the plan, and lets brakes
    /// take what is due of it.
    fn writes(&self, state: &State, decided: &Decided) -> Vec<Write> {
        let Decided {
            rows,
            read,
            seen,
            turn,
        } = decided;
        let mut begin = 0;
        let mut writes = Vec::new();
        let is_rejected = matches!(turn.progress.stage, Stage::RolledBack { .. });
        let may_write = |place: &usize| read[rows[*place]].is_movable && !state.is_suspended;
        for place in (0..rows.len()).filter(may_write) {
            let (at, seen) = (rows[place], &seen[place]);
            let device = read[at];
            let is_wanted = turn.admitted.contains(&place);
            if is_wanted && !device.is_here {
                let is_counted = !(seen.is_sent || seen.is_placed) && device.is_online;
                let is_free = !is_counted || begin < turn.limits.more;
                if turn.limits.may_move && is_free {
                    begin += usize::from(is_counted);
                    writes.push(Write { at, here: true });
                }
            }
            // What would only be undone at the end is not cleared, but for a rule that nobody wants.
            let goes_back = device.is_here && is_rejected;
            let is_on_its_way = !device.is_here && device.is_asked;
            let is_withdrawn = is_on_its_way && self.authority == Authority::Intune;
            if !is_wanted && (goes_back || is_withdrawn) {
                writes.push(Write { at, here: false });
            }
        }
        writes
    }

    /// Sends `writes`, and remembers each before it is sent.
    fn send(
        &self,
        state: &mut State,
        writes: &[Write],
        end: End,
        progress: &Progress,
        broken: &mut Broken,
    ) {
        let rollout = self.rollout(state);
        let devices = &mut state.devices[..self.devices];
        // What the site has already is not sent.
        let is_new = |write: &&Write| devices[write.at].is_asked != write.here;
        let new: Vec<&Write> = writes.iter().filter(is_new).collect();
        let most = match end {
            End::Whole => new.len(),
            End::CutAfter(after) => after,
        };
        for Write { at, here } in new.into_iter().take(most) {
            if *here {
                judge_move(devices, *at, rollout, progress, broken);
            }
            let is_taken_back = !here && devices[*at].is_settled;
            broken.note(Promise::Settled, !is_taken_back);
            devices[*at].write(*here);
        }
    }

    fn remember(&self, state: &mut State, mut progress: Progress, said: &Heeded) {
        state.said = 0;
        for act in Act::ALL {
            let is_heard = progress.heeded.get(&act) == said.get(&act);
            state.said |= u8::from(!is_heard) << act as u8;
            progress.heeded.insert(act, OLD.to_owned());
        }
        state.progress = Some(self.remembered.keep(progress));
    }
}

/// Whether a rejected spec leaves the device where it is.
fn keeps(progress: &Progress, id: &str, is_placed: bool) -> bool {
    (is_placed || progress.admitted.contains(id)) && !progress.courses.contains_key(id)
}

fn is_said(state: &State, act: Act) -> bool {
    state.said & 1 << act as u8 != 0
}

/// What people want, as they said it last.
fn said(state: &State) -> Heeded {
    let said = |act| if is_said(state, act) { NEW } else { OLD };
    Act::ALL.map(|act| (act, said(act).to_owned())).into()
}

fn look(state: &State) -> Look {
    let ago = |ticks: u8| now() - TICK * i32::from(ticks);
    Look {
        now: now(),
        last: state.looked.map(ago),
        longest_gap: LONGEST_GAP,
    }
}
