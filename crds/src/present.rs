//! Fields that may be left out, and that are not empty when they are there.

use serde::{Deserialize, Deserializer};

/// Reads a value that stands there. What reads `Option` by itself takes an empty value, `null`, for
/// one that was left out; the API server refuses it.
pub(crate) fn some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::rollout::RolloutSpec;

    #[test]
    fn a_field_is_left_out_or_has_a_value() {
        let left_out: RolloutSpec = serde_saphyr::from_str("steps: []").unwrap();
        assert_eq!(left_out.window, None);
        for empty in ["window: null", "window:", "window: ~", "maxFailures:"] {
            let read = serde_saphyr::from_str::<RolloutSpec>(empty);
            assert!(read.is_err(), "{empty}: {read:?}");
        }
    }
}
