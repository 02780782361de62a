//! Chance that can be asked again: the same question always has the same answer.
//!
//! A generator with a running state would make device 70,000 depend on how the 69,999 before it
//! were asked about; here every draw is a function of the seed, the question and a number.

use uuid::{Builder, Uuid};

/// The source of every accident in the world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x9E37_79B9_7F4A_7C15))
    }

    /// 64 evenly distributed bits for `question` about `number`.
    pub(crate) fn bits(self, question: &str, number: usize) -> u64 {
        let question = question.bytes().fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        mix(question ^ mix(number as u64))
    }

    /// A number from 0 to `limit` - 1; 0 when `limit` is 0.
    pub(crate) fn below(self, question: &str, number: usize, limit: u32) -> u32 {
        let wide = (self.bits(question, number) >> 32) * u64::from(limit);
        u32::try_from(wide >> 32).expect("below a 32-bit limit")
    }

    /// Whether the share of `per_mille` in a thousand includes this one.
    pub(crate) fn per_mille(self, question: &str, number: usize, per_mille: u32) -> bool {
        self.below(question, number, 1000) < per_mille
    }

    /// A number from `from` to `to`, both included.
    pub(crate) fn between(self, question: &str, number: usize, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        let wide = u128::from(self.bits(question, number)) * (u128::from(width) + 1);
        from.saturating_add(i64::try_from(wide >> 64).unwrap_or(0))
    }

    /// One of `choices`, which is never empty.
    pub(crate) fn pick<'a, T>(self, question: &str, number: usize, choices: &'a [T]) -> &'a T {
        let count = u32::try_from(choices.len()).expect("a short table");
        &choices[self.below(question, number, count) as usize]
    }

    /// One of `choices`, as likely as its weight says.
    pub(crate) fn weighted<'a, T>(
        self,
        question: &str,
        number: usize,
        choices: &'a [(u32, T)],
    ) -> &'a T {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(question, number, total);
        for (weight, choice) in choices {
            if left < *weight {
                return choice;
            }
            left -= weight;
        }
        &choices[0].1
    }

    /// An identifier in the form of a random GUID.
    pub(crate) fn guid(self, question: &str, number: usize) -> Uuid {
        let high = self.bits(question, number);
        let low = mix(high ^ self.0);
        let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The finalizer of `SplitMix64`: every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_same_question_the_same_way() {
        let chance = Chance::new(7);
        assert_eq!(chance.bits("x", 3), Chance::new(7).bits("x", 3));
        assert_ne!(chance.bits("x", 3), chance.bits("x", 4));
        assert_ne!(chance.bits("x", 3), chance.bits("y", 3));
        assert_ne!(chance.guid("x", 3), Chance::new(8).guid("x", 3));
    }

    #[test]
    fn spreads_evenly_within_its_bounds() {
        let chance = Chance::new(1);
        let sum: i64 = (0..10_000)
            .map(|number| chance.between("span", number, 30, 120))
            .inspect(|value| assert!((30..=120).contains(value)))
            .sum();
        assert!((74..=76).contains(&(sum / 10_000)));
        let hits = (0..10_000)
            .filter(|number| chance.per_mille("rare", *number, 60))
            .count();
        assert!((500..=700).contains(&hits));
    }
}
