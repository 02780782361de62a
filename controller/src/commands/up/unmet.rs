//! What `up` says of what assignments require.

use std::path::Path;

use diarchy_operator::report::UnmetReport;

/// What is not ready and what gets on from there, on two lines.
pub fn in_words(report: &UnmetReport, state: Option<&Path>) -> String {
    let UnmetReport { assignment, unmet } = report;
    let way = match (unmet.lack.digest(), state) {
        (Some(digest), Some(state)) => {
            format!("diarchy approve {digest} --state {}", state.display())
        }
        (Some(_), None) => {
            "run with --state FILE to be able to approve it, or with --approve".to_owned()
        }
        (None, _) => unmet.way_on().to_string(),
    };
    format!("{assignment} moves nobody: {unmet}\n  on: {way}")
}
