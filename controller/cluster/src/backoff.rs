//! How long to wait after failures.

use std::time::Duration;

/// How long to wait after so many failures in a row: `first`, and each time twice as long.
pub fn doubled(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.pow(failures.saturating_sub(1).min(16)))
}
