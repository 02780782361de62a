//! Addresses of services.

use diarchy_core::code::Code;
use diarchy_core::finding::FieldPath;
use url::{Host, Url};

use super::Findings;
use super::forms::invalid;
use crate::text::Endpoint;

const LIKE: &str = "write an address like https://cm01.contoso.com/AdminService";

/// Judges the address of a service.
pub(super) fn judge(findings: &mut Findings, path: &FieldPath, text: &Endpoint) {
    let url = match Url::parse(text.as_str()) {
        Ok(url) if url.has_host() => url,
        Ok(_) => return invalid(findings, path, format!("`{text}` names no host"), LIKE),
        Err(error) => {
            return invalid(findings, path, format!("`{text}` is no URL: {error}"), LIKE);
        }
    };
    if authority(text.as_str()).contains('@') {
        return invalid(
            findings,
            path,
            "the address carries a user name or password".to_owned(),
            "take them out, and name a Secret with them in `credentialsRef`",
        );
    }
    if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
        let rest = text.as_str().split_once("://").map_or("", |(_, rest)| rest);
        return findings.add(
            Code::InsecureEndpoint,
            path,
            format!("`{text}` is not https"),
            format!("write https://{rest}; only a loopback host may do with http"),
        );
    }
    if !is_plain(text.as_str(), &url) {
        invalid(
            findings,
            path,
            format!("`{text}` can be read as an address, and is not written as one"),
            &format!("write {url}"),
        );
    }
}

/// The part that names the host.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether an address is written out: a browser forgives more than the API server, which goes by a
/// pattern.
fn is_plain(text: &str, url: &Url) -> bool {
    let Some(rest) = text.strip_prefix(url.scheme()) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix("://") else {
        return false;
    };
    // The pattern knows loopback hosts by one name each.
    let host_is_plain = url.scheme() == "https"
        || url
            .host_str()
            .and_then(|host| rest.strip_prefix(host))
            .is_some_and(|after| after.is_empty() || after.starts_with([':', '/', '?', '#']));
    host_is_plain
        && !authority(text).is_empty()
        && !authority(text).contains('\\')
        && !text.contains(char::is_whitespace)
}

/// Whether a URL's host is this very machine, so that what is sent there crosses no network.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use diarchy_core::finding::Origin;

    use super::*;

    fn code(text: &str) -> Option<Code> {
        let mut findings = Findings::new(Origin(0));
        judge(&mut findings, &FieldPath::ROOT, &text.into());
        assert!(findings.list.len() <= 1, "{text}");
        findings.list.first().map(|finding| finding.code)
    }

    #[test]
    fn an_address_is_https_and_names_a_host() {
        for text in [
            "https://cm01.contoso.com/AdminService",
            "https://m\u{fc}nchen.de",
            "https://[::1]:8443/x?y#z",
            "https://cm01/@home",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
        for text in [
            "",
            "cm01",
            "https://",
            "https://cm01:99999",
            "mailto:it@contoso.com",
        ] {
            assert_eq!(code(text), Some(Code::InvalidFormat), "{text}");
        }
        for text in [
            "http://cm01.contoso.com",
            "ftp://cm01",
            "http://localhost.contoso.com",
        ] {
            assert_eq!(code(text), Some(Code::InsecureEndpoint), "{text}");
        }
    }

    #[test]
    fn loopback_hosts_may_do_without_tls() {
        for host in [
            "localhost",
            "localhost:",
            "sms.localhost:80",
            "127.0.0.1:9",
            "127.8.9.1",
            "[::1]:8080",
        ] {
            assert_eq!(code(&format!("http://{host}/AdminService")), None, "{host}");
        }
    }

    #[test]
    fn what_only_a_browser_forgives_is_refused() {
        for text in [
            "HTTPS://cm01",
            "https:cm01",
            "https:///cm01",
            " https://cm01",
            "https://cm01 ",
            "https://cm01/a b",
            "https://cm01/\t",
            "https://cm01\\x",
            "http://LOCALHOST",
            "http://127.1",
            "http://2130706433",
            "http://[0:0:0:0:0:0:0:1]",
        ] {
            assert_eq!(code(text), Some(Code::InvalidFormat), "{text:?}");
        }
    }

    #[test]
    fn no_credentials_stand_in_an_address() {
        for text in ["https://me:secret@cm01", "https://me@cm01", "https://@cm01"] {
            assert_eq!(code(text), Some(Code::InvalidFormat), "{text}");
        }
    }
}
