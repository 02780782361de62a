//! What befalls devices once Intune has a workload of theirs, so that a rollout can be seen to stop.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::random::Chance;
use crate::setup::Workload;

/// Something that befalls a share of the devices after a workload has moved to Intune, and that is over
/// once it has been handed back.
///
/// It befalls only devices that would otherwise be fine, and none that had the workload at Intune before
/// the world began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mishap {
    pub workload: Workload,
    /// How many of a thousand devices have drawn it. A smaller share is a part of a larger one.
    pub share: u32,
    pub what: MishapKind,
}

/// How a device fares badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MishapKind {
    /// Intune judges it noncompliant. Not to be seen while Configuration Manager judges its compliance.
    NotCompliant,
    /// Intune cannot evaluate its compliance policies, and reports an error. Seen as [`NotCompliant`] is.
    ///
    /// [`NotCompliant`]: Self::NotCompliant
    ComplianceError,
    /// Its Configuration Manager client fails its check of itself, as both services get to know.
    ClientUnhealthy,
    /// It moves and goes on syncing, but reports that the workload is where it was.
    Silent,
}

impl MishapKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [
        Self::NotCompliant,
        Self::ComplianceError,
        Self::ClientUnhealthy,
        Self::Silent,
    ];

    /// Whether nobody sees it while Configuration Manager judges compliance.
    #[must_use]
    pub const fn is_in_a_verdict(self) -> bool {
        match self {
            Self::NotCompliant | Self::ComplianceError => true,
            Self::ClientUnhealthy | Self::Silent => false,
        }
    }

    /// The question that decides who has drawn it.
    fn question(self) -> &'static str {
        match self {
            Self::NotCompliant => "mishap: not compliant",
            Self::ComplianceError => "mishap: compliance error",
            Self::ClientUnhealthy => "mishap: client unhealthy",
            Self::Silent => "mishap: silent",
        }
    }
}

impl Mishap {
    /// Whether it can befall anybody.
    pub(crate) fn is_possible(self) -> bool {
        moves(self.workload) && is_share(self.share)
    }

    /// Whether a device has drawn it. The lots of two workloads have nothing to do with each other.
    pub(crate) fn is_drawn(self, chance: Chance, device: usize) -> bool {
        let number = device
            .wrapping_mul(Workload::ALL.len())
            .wrapping_add(self.workload as usize);
        chance.per_mille(self.what.question(), number, self.share)
    }
}

impl fmt::Display for MishapKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl fmt::Display for Mishap {
    /// As it is read: `ClientApps=2.5%:Silent`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tenths) = (self.share / 10, self.share % 10);
        write!(formatter, "{}={whole}", self.workload)?;
        if tenths > 0 {
            write!(formatter, ".{tenths}")?;
        }
        write!(formatter, "%:{}", self.what)
    }
}

/// A text that names no mishap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMishap {
    #[error(
        "`{0}` does not say how many devices fare badly after which workload; write it like \
         WindowsUpdatePolicies=10% or ClientApps=5%:Silent"
    )]
    Incomplete(String),
    #[error("`{0}` is no workload that moves; those that do are {names}", names = moving())]
    Workload(String),
    #[error("`{0}` is no share of the devices; write it like 10% or 2.5%, from 0.1% to 100%")]
    Share(String),
    #[error("`{0}` is nothing that befalls a device; what does is {names}", names = kinds())]
    Kind(String),
}

/// Resource access is Intune's from the beginning.
fn moves(workload: Workload) -> bool {
    workload != Workload::ResourceAccess
}

/// Somebody, and not more than everybody.
fn is_share(per_mille: u32) -> bool {
    (1..=1000).contains(&per_mille)
}

fn moving() -> String {
    let moving = Workload::ALL
        .into_iter()
        .filter(|workload| moves(*workload));
    let names: Vec<_> = moving.map(|workload| workload.to_string()).collect();
    names.join(", ")
}

fn kinds() -> String {
    MishapKind::ALL.map(|kind| kind.to_string()).join(", ")
}

impl FromStr for Mishap {
    type Err = InvalidMishap;

    /// Reads `WORKLOAD=SHARE%[:KIND]`; the kind is `NotCompliant` unless it is given.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let incomplete = || InvalidMishap::Incomplete(text.to_owned());
        let (workload, rest) = text.split_once('=').ok_or_else(incomplete)?;
        let (share, kind) = match rest.split_once(':') {
            Some((share, kind)) => (share, Some(kind)),
            None => (rest, None),
        };
        Ok(Self {
            workload: workload
                .parse()
                .ok()
                .filter(|workload| moves(*workload))
                .ok_or_else(|| InvalidMishap::Workload(workload.to_owned()))?,
            share: per_mille(share)
                .filter(|share| is_share(*share))
                .ok_or_else(|| InvalidMishap::Share(share.to_owned()))?,
            what: kind.map_or(Ok(MishapKind::NotCompliant), |kind| {
                MishapKind::ALL
                    .into_iter()
                    .find(|known| known.to_string() == kind)
                    .ok_or_else(|| InvalidMishap::Kind(kind.to_owned()))
            })?,
        })
    }
}

/// A percentage with at most one decimal, in thousandths.
fn per_mille(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most: usize| {
        let is_number =
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u32>().ok()).flatten()
    };
    Some(digits(whole, 3)? * 10 + digits(tenths, 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mishap, InvalidMishap> {
        text.parse()
    }

    #[test]
    fn reads_what_it_writes_and_takes_noncompliance_for_granted() {
        let short = read("WindowsUpdatePolicies=10%").expect("readable");
        assert_eq!(short.share, 100);
        assert_eq!(short.what, MishapKind::NotCompliant);
        for text in [
            "WindowsUpdatePolicies=10%:NotCompliant",
            "ClientApps=2.5%:Silent",
            "ClientApps=5%:ComplianceError",
            "DeviceConfiguration=100%:ClientUnhealthy",
            "OfficeClickToRun=0.1%:Silent",
        ] {
            assert_eq!(read(text).expect("readable").to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_none_is_refused_with_what_would_be_one() {
        let says = |text: &str| read(text).expect_err(text).to_string();
        assert!(says("WindowsUpdatePolicies").contains("write it like"));
        for text in ["Updates=5%", "ResourceAccess=5%", "=5%"] {
            assert!(says(text).contains("CompliancePolicies, DeviceConfiguration, "));
            assert!(!says(text).contains("ResourceAccess, "));
        }
        for share in [
            "", "5", "%", "0%", "0.05%", "100.1%", "-1%", "+5%", "5.%", "1e1%",
        ] {
            let text = format!("ClientApps={share}");
            assert!(says(&text).contains("from 0.1% to 100%"), "{text}");
        }
        for kind in ["", "silent", "Silent:Silent"] {
            let text = format!("ClientApps=5%:{kind}");
            assert!(
                says(&text).ends_with("NotCompliant, ComplianceError, ClientUnhealthy, Silent")
            );
        }
    }

    #[test]
    fn a_smaller_share_is_drawn_by_some_of_those_of_a_larger_one() {
        let mishap = |share| Mishap {
            workload: Workload::ClientApps,
            share,
            what: MishapKind::Silent,
        };
        let drawn = |share| -> Vec<usize> {
            (0..10_000)
                .filter(|device| mishap(share).is_drawn(Chance::new(4), *device))
                .collect()
        };
        let (few, many) = (drawn(50), drawn(200));
        assert!((400..=600).contains(&few.len()), "{}", few.len());
        assert!((1850..=2150).contains(&many.len()), "{}", many.len());
        assert!(few.iter().all(|device| many.contains(device)));
        assert_eq!(drawn(1000).len(), 10_000);
    }
}
