//! Forms that values have: read, or refused with what to write instead.

use diarchy_core::amount::Amount;
use diarchy_core::code::Code;
use diarchy_core::duration::Span;
use diarchy_core::finding::FieldPath;
use diarchy_core::version::Version;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Findings;
use crate::text::{
    AmountText, CollectionId, DurationText, Guid, SiteCode, TimeOfDay, TimeZoneName, TimestampText,
    VersionText,
};

/// The longest name of a resource (DNS-1123 subdomain).
const LONGEST_NAME: usize = 253;
/// The longest name of a namespace (DNS-1123 label).
const LONGEST_LABEL: usize = 63;
/// The most digits of a version's number: any number of so many digits can be compared.
const LONGEST_NUMBER: usize = 18;

/// Judges the name of a resource.
pub(super) fn name(findings: &mut Findings, path: &FieldPath, text: &str) {
    if !is_name(text) {
        findings.add(
            Code::InvalidName,
            path,
            format!("`{text}` is no DNS-1123 name"),
            format!(
                "use at most {LONGEST_NAME} lower-case letters, digits, `-` and `.`, with a letter \
                 or digit at both ends of each part, like `{}`",
                suggested_name(text)
            ),
        );
    }
}

/// Whether a text is a DNS-1123 subdomain.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}

/// Judges the name of a namespace.
pub(super) fn namespace(findings: &mut Findings, path: &FieldPath, text: &str) {
    if text.len() > LONGEST_LABEL || !is_label(text) {
        findings.add(
            Code::InvalidName,
            path,
            format!("`{text}` is no DNS-1123 name of a namespace"),
            format!(
                "use at most {LONGEST_LABEL} lower-case letters, digits and `-`, with a letter or \
                 digit at both ends, like `{}`",
                suggested_name(&text.replace('.', "-"))
            ),
        );
    }
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The nearest name that is one: what is not allowed becomes `-`.
fn suggested_name(text: &str) -> String {
    let parts: Vec<String> = text
        .to_lowercase()
        .split('.')
        .map(|part| {
            let kept: String = part
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .take(LONGEST_LABEL)
                .collect();
            kept.trim_matches('-').to_owned()
        })
        .filter(|part| !part.is_empty())
        .take(3)
        .collect();
    if parts.is_empty() {
        "emea-laptops".to_owned()
    } else {
        parts.join(".")
    }
}

pub(super) fn invalid(findings: &mut Findings, path: &FieldPath, problem: String, remedy: &str) {
    findings.add(Code::InvalidFormat, path, problem, remedy);
}

/// Reads a duration.
pub(super) fn duration(
    findings: &mut Findings,
    path: &FieldPath,
    text: &DurationText,
) -> Option<Span> {
    span(findings, path, text.as_str())
}

/// Reads a duration above 0.
pub(super) fn positive_duration(
    findings: &mut Findings,
    path: &FieldPath,
    text: &DurationText,
) -> Option<Span> {
    let span = duration(findings, path, text)?;
    if span.length().is_zero() {
        findings.add(
            Code::OutOfRange,
            path,
            format!("`{text}` is no time at all"),
            "write a duration above 0, like 5m",
        );
        return None;
    }
    Some(span)
}

/// Reads a duration that stands where other texts may.
pub(super) fn span(findings: &mut Findings, path: &FieldPath, text: &str) -> Option<Span> {
    let span = text.parse().ok();
    if span.is_none() {
        invalid(
            findings,
            path,
            format!("`{text}` is no duration"),
            "write numbers with units, like 30s, 5m, 1h30m or 7d",
        );
    }
    span
}

/// Reads a number of devices.
pub(super) fn amount(
    findings: &mut Findings,
    path: &FieldPath,
    text: &AmountText,
) -> Option<Amount> {
    match text {
        AmountText::Count(count) => {
            let amount = u32::try_from(*count).ok().map(Amount::Count);
            if amount.is_none() {
                findings.add(
                    Code::OutOfRange,
                    path,
                    format!("`{count}` is no number of devices"),
                    format!(
                        "write a number from 0 to {}, or a percentage like 5%",
                        u32::MAX
                    ),
                );
            }
            amount
        }
        AmountText::Percent(text) => percentage(findings, path, text),
    }
}

fn percentage(findings: &mut Findings, path: &FieldPath, text: &str) -> Option<Amount> {
    if let Ok(amount) = text.parse() {
        return Some(amount);
    }
    let number = text.strip_suffix('%').map(str::parse::<f64>);
    if matches!(number, Some(Ok(number)) if !(0.0..=100.0).contains(&number)) {
        findings.add(
            Code::OutOfRange,
            path,
            format!("`{text}` lies outside 0% to 100%"),
            "write a percentage from 0% to 100%",
        );
    } else if text.parse::<u64>().is_ok() {
        invalid(
            findings,
            path,
            format!("`{text}` is a text, not a number"),
            &format!("write {text} without quotes, or a percentage like 5%"),
        );
    } else {
        invalid(
            findings,
            path,
            format!("`{text}` is neither a number of devices nor a percentage"),
            "write an integer, or a percentage with at most two decimals, like 500, 5% or 2.5%",
        );
    }
    None
}

/// Reads a number of devices that must be at least one, or above 0%.
pub(super) fn positive_amount(
    findings: &mut Findings,
    path: &FieldPath,
    text: &AmountText,
) -> Option<Amount> {
    let amount = amount(findings, path, text)?;
    if amount.is_zero() {
        findings.add(
            Code::OutOfRange,
            path,
            format!("`{text}` is no device at all"),
            "write a number of at least 1, or a percentage above 0%",
        );
        return None;
    }
    Some(amount)
}

/// Reads a moment: RFC 3339 as the API server reads it, which wants capitals and knows no leap second.
pub(super) fn timestamp(
    findings: &mut Findings,
    path: &FieldPath,
    text: &TimestampText,
) -> Option<Timestamp> {
    let moment = is_rfc3339(text.as_str())
        .then(|| text.as_str().parse().ok())
        .flatten();
    if moment.is_none() {
        invalid(
            findings,
            path,
            format!("`{text}` is no RFC 3339 time"),
            "write date, time and offset, like 2026-12-15T00:00:00Z",
        );
    }
    moment
}

fn is_rfc3339(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let shaped = |text: &str, shape: &[u8]| {
        text.len() == shape.len()
            && text.bytes().zip(shape).all(|(b, s)| match s {
                b'0' => b.is_ascii_digit(),
                _ => b == *s,
            })
    };
    let Some((local, rest)) = text.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if offset.len() == fraction.len() {
                return false;
            }
            offset
        }
        None => rest,
    };
    // Within a day: what is further away no clock shows.
    let within_a_day = offset.get(1..3).is_some_and(|hours| hours <= "23");
    shaped(local, SHAPE)
        && !local.ends_with(":60")
        && (offset == "Z"
            || within_a_day && (shaped(offset, b"+00:00") || shaped(offset, b"-00:00")))
}

/// Reads a time of day.
pub(super) fn time_of_day(
    findings: &mut Findings,
    path: &FieldPath,
    text: &TimeOfDay,
) -> Option<Time> {
    let time = parse_time_of_day(text.as_str());
    if time.is_none() {
        invalid(
            findings,
            path,
            format!("`{text}` is no time of day"),
            "write hours and minutes on 24 hours, in quotes, like \"08:00\"",
        );
    }
    time
}

fn parse_time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<i8>().ok())
            .flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// Reads a time zone out of the compiled-in database, so that every machine knows the same ones.
pub(super) fn time_zone(
    findings: &mut Findings,
    path: &FieldPath,
    text: &TimeZoneName,
) -> Option<TimeZone> {
    let zone = TimeZoneDatabase::bundled().get(text.as_str()).ok();
    if zone.is_none() {
        findings.add(
            Code::UnknownValue,
            path,
            format!("`{text}` is no IANA time zone"),
            "write one like Europe/Paris or UTC",
        );
    }
    zone
}

/// Judges the GUID of a tenant.
pub(super) fn guid(findings: &mut Findings, path: &FieldPath, text: &Guid) {
    let remedy = "write it like 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10; Entra's overview page shows it as \
                  the tenant ID";
    object_guid(findings, path, text, remedy);
}

/// Judges the GUID of something that `remedy` says where to find.
pub(super) fn object_guid(findings: &mut Findings, path: &FieldPath, text: &Guid, remedy: &str) {
    let groups: Vec<&str> = text.as_str().split('-').collect();
    let is_guid = groups.len() == 5
        && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| {
            group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit())
        });
    if !is_guid {
        invalid(findings, path, format!("`{text}` is no GUID"), remedy);
    }
}

/// Reads a version.
pub(super) fn version(
    findings: &mut Findings,
    path: &FieldPath,
    text: &VersionText,
) -> Option<Version> {
    version_text(findings, path, text.as_str())
}

/// Reads a version that stands where other texts may.
pub(super) fn version_text(
    findings: &mut Findings,
    path: &FieldPath,
    text: &str,
) -> Option<Version> {
    let version = text
        .split('.')
        .all(|part| part.len() <= LONGEST_NUMBER)
        .then(|| text.parse().ok())
        .flatten();
    if version.is_none() {
        invalid(
            findings,
            path,
            format!("`{text}` is no version"),
            "write numbers and dots, like 10.0.22631",
        );
    }
    version
}

/// Reads a collection's id, in upper case as the site shows it.
pub(super) fn collection(
    findings: &mut Findings,
    path: &FieldPath,
    text: &CollectionId,
) -> Option<String> {
    let id = text.as_str();
    let valid = id.len() == 8
        && id.is_ascii()
        && id[..3].bytes().all(|b| b.is_ascii_alphanumeric())
        && id[3..].bytes().all(|b| b.is_ascii_hexdigit());
    if !valid {
        invalid(
            findings,
            path,
            format!("`{text}` is no collection id"),
            "write the site code and 5 hexadecimal digits, like PS100021; the console shows it as \
             Collection ID",
        );
    }
    valid.then(|| id.to_ascii_uppercase())
}

/// Judges a site's code.
pub(super) fn site_code(findings: &mut Findings, path: &FieldPath, text: &SiteCode) {
    let code = text.as_str();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        invalid(
            findings,
            path,
            format!("`{text}` is no site code"),
            "write the 3 letters or digits that the console shows beside the site's name, like PS1",
        );
    }
}
