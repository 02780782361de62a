//! Where the small world leads in the end: every state, and what is reached from it.

use std::collections::HashMap;

use stateright::Model;

use super::{Action, State, World};

/// Every state that is reached, with the ways on by quiet actions alone.
pub struct Walk {
    /// Each state once.
    pub states: Vec<State>,
    numbers: HashMap<State, u32>,
    /// By state, from which others it is reached by a quiet action.
    quietly_from: Vec<Vec<u32>>,
    /// By state, how it was reached first: from which, and by what.
    first: Vec<Option<(u32, Action)>>,
}

impl Walk {
    /// Walks everywhere in `world` where only such actions happen as `happens` tells. Besides what is
    /// quiet, people may do `also` at any time.
    pub fn new(world: &World, also: &[Action], happens: impl Fn(&Action) -> bool) -> Self {
        let mut walk = Self {
            states: Vec::new(),
            numbers: HashMap::new(),
            quietly_from: Vec::new(),
            first: Vec::new(),
        };
        for state in world.init_states() {
            walk.number(state, None);
        }
        let mut actions = Vec::new();
        let mut at = 0;
        while let Some(state) = walk.states.get(at).copied() {
            let from = u32::try_from(at).unwrap();
            actions.clear();
            world.actions(&state, &mut actions);
            actions.extend(also);
            for action in actions.iter().filter(|action| happens(action)) {
                let Some(mut next) = world.next_state(&state, *action) else {
                    continue;
                };
                let is_quiet = action.is_quiet() || also.contains(action);
                if is_quiet {
                    next.left = state.left;
                }
                let number = walk.number(next, Some((from, *action)));
                if is_quiet {
                    walk.quietly_from[number].push(from);
                }
            }
            at += 1;
        }
        walk
    }

    fn number(&mut self, state: State, first: Option<(u32, Action)>) -> usize {
        let next = self.states.len();
        let new = u32::try_from(next).unwrap();
        let number = *self.numbers.entry(state).or_insert(new);
        if number == new {
            self.states.push(state);
            self.quietly_from.push(Vec::new());
            self.first.push(first);
        }
        number as usize
    }

    /// The first state found from which no `goal` is reached quietly.
    pub fn never_reaches(&self, goal: impl Fn(&State) -> bool) -> Option<usize> {
        let mut reaches: Vec<bool> = self.states.iter().map(goal).collect();
        let mut open: Vec<usize> = (0..reaches.len()).filter(|at| reaches[*at]).collect();
        while let Some(at) = open.pop() {
            for from in &self.quietly_from[at] {
                let from = *from as usize;
                if !reaches[from] {
                    reaches[from] = true;
                    open.push(from);
                }
            }
        }
        reaches.iter().position(|reaches| !reaches)
    }

    /// The first state found that is a `goal`, and that a quiet action leads away from.
    pub fn leaves(&self, goal: impl Fn(&State) -> bool) -> Option<usize> {
        let goals: Vec<bool> = self.states.iter().map(goal).collect();
        let mut ways = self.quietly_from.iter().zip(&goals);
        ways.find_map(|(from, is_goal)| {
            let mut from = from.iter().map(|from| *from as usize);
            from.find(|from| !is_goal && goals[*from])
        })
    }

    /// The shortest way to the state with this number.
    pub fn way_to(&self, number: usize) -> Vec<Action> {
        let mut way = Vec::new();
        let mut at = number;
        while let Some((from, action)) = self.first[at] {
            way.push(action);
            at = from as usize;
        }
        way.reverse();
        way
    }
}
