//! Groups in an order in which each comes after those that it refers to.

use std::collections::HashMap;

/// The references between groups: for each, the positions of those that it refers to.
pub struct References(pub Vec<Vec<usize>>);

/// What became of ordering them.
pub struct Order {
    /// Positions, each after those that it refers to. Groups in or behind a circle are left out.
    pub sorted: Vec<usize>,
    /// For each group that stands in a circle itself, the number of that circle.
    pub circles: HashMap<usize, usize>,
}

/// Orders groups, depth first and without recursion: nesting is as deep as users please.
pub fn order(references: &References) -> Order {
    let components = strongly_connected(references);
    let mut circles = HashMap::new();
    let mut sorted = Vec::new();
    let mut usable = vec![false; references.0.len()];
    for (number, component) in components.iter().enumerate() {
        let [single] = component.as_slice() else {
            circles.extend(component.iter().map(|group| (*group, number)));
            continue;
        };
        if references.0[*single].contains(single) {
            circles.insert(*single, number);
        } else if references.0[*single].iter().all(|other| usable[*other]) {
            usable[*single] = true;
            sorted.push(*single);
        }
    }
    Order { sorted, circles }
}

/// Tarjan's algorithm with a stack of its own: components come out after those they refer to.
fn strongly_connected(references: &References) -> Vec<Vec<usize>> {
    let count = references.0.len();
    let mut search = Search {
        references,
        index: vec![None; count],
        low: vec![0; count],
        on_stack: vec![false; count],
        stack: Vec::new(),
        next: 0,
        components: Vec::new(),
    };
    for group in 0..count {
        if search.index[group].is_none() {
            search.visit(group);
        }
    }
    search.components
}

struct Search<'a> {
    references: &'a References,
    index: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
    components: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, root: usize) {
        self.enter(root);
        let mut path = vec![(root, 0)];
        while let Some((group, position)) = path.last_mut() {
            let group = *group;
            if let Some(next) = self.references.0[group].get(*position).copied() {
                *position += 1;
                match self.index[next] {
                    None => {
                        self.enter(next);
                        path.push((next, 0));
                    }
                    Some(index) if self.on_stack[next] => {
                        self.low[group] = self.low[group].min(index);
                    }
                    Some(_) => {}
                }
            } else {
                path.pop();
                if let Some((parent, _)) = path.last() {
                    self.low[*parent] = self.low[*parent].min(self.low[group]);
                }
                if self.index[group] == Some(self.low[group]) {
                    self.leave(group);
                }
            }
        }
    }

    fn enter(&mut self, group: usize) {
        self.index[group] = Some(self.next);
        self.low[group] = self.next;
        self.next += 1;
        self.stack.push(group);
        self.on_stack[group] = true;
    }

    fn leave(&mut self, root: usize) {
        let mut component = Vec::new();
        while let Some(group) = self.stack.pop() {
            self.on_stack[group] = false;
            component.push(group);
            if group == root {
                break;
            }
        }
        component.sort_unstable();
        self.components.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_group_that_includes_itself_stands_in_a_circle() {
        let order = order(&References(vec![vec![0], vec![0], vec![]]));
        assert_eq!(order.sorted, vec![2]);
        assert_eq!(order.circles.keys().collect::<Vec<_>>(), [&0]);
    }

    #[test]
    fn a_hundred_thousand_nested_groups_do_not_exhaust_the_stack() {
        let chain = (0..100_000_usize)
            .map(|group| group.checked_sub(1).into_iter().collect())
            .collect();
        assert_eq!(order(&References(chain)).sorted.len(), 100_000);
    }

    proptest! {
        #[test]
        fn each_comes_after_those_it_refers_to(
            references in proptest::collection::vec(proptest::collection::vec(0_usize..12, 0..4), 12)
        ) {
            let order = order(&References(references.clone()));
            let mut seen = vec![false; references.len()];
            for group in &order.sorted {
                prop_assert!(references[*group].iter().all(|other| seen[*other]));
                seen[*group] = true;
            }
            // Whatever is left out can reach a circle.
            for group in (0..references.len()).filter(|group| !seen[*group]) {
                let mut reached = vec![group];
                let mut position = 0;
                while position < reached.len() {
                    for next in &references[reached[position]] {
                        if !reached.contains(next) {
                            reached.push(*next);
                        }
                    }
                    position += 1;
                }
                prop_assert!(reached.iter().any(|group| order.circles.contains_key(group)));
            }
        }
    }
}
