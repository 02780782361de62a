//! Releases of Configuration Manager: administrators know them by year and month, and a site tells the
//! number of its build.

/// Builds, and the releases that they are (memdocs: core/servers/manage/updates.md, "Version details";
/// from 2503 on as that page has listed them since).
const RELEASES: [(&str, &str); 20] = [
    ("9146", "2603"),
    ("9141", "2509"),
    ("9135", "2503"),
    ("9132", "2409"),
    ("9128", "2403"),
    ("9122", "2309"),
    ("9106", "2303"),
    ("9096", "2211"),
    ("9088", "2207"),
    ("9078", "2203"),
    ("9068", "2111"),
    ("9058", "2107"),
    ("9049", "2103"),
    ("9040", "2010"),
    ("9012", "2006"),
    ("8968", "2002"),
    ("8913", "1910"),
    ("8853", "1906"),
    ("8790", "1902"),
    ("8740", "1810"),
];

/// The release of a site with this version, such as `2503` of `5.00.9135.1000`; the version itself where
/// the build is not known.
pub fn release(version: &str) -> &str {
    let build = version
        .strip_prefix("5.00.")
        .and_then(|rest| rest.split('.').next());
    RELEASES
        .iter()
        .find(|(number, _)| Some(*number) == build)
        .map_or(version, |(_, release)| release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_known_by_its_release() {
        assert_eq!(release("5.00.9135.1000"), "2503");
        // A hotfix is the same release.
        assert_eq!(release("5.00.9132.1011"), "2409");
        for unknown in ["5.00.9999.1000", "5.00", "9135", ""] {
            assert_eq!(release(unknown), unknown);
        }
    }

    #[test]
    fn later_builds_are_later_releases() {
        assert!(RELEASES.is_sorted_by(|a, b| a.0 > b.0 && a.1 > b.1));
    }
}
