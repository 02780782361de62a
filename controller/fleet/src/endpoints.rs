//! Which addresses may be called: where people who do not run Diarchy write fleets, a fleet must not
//! send credentials wherever it likes.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::http::kdc_address;

/// The hosts that may be called, by patterns: `graph.microsoft.com`, `*.contoso.com` for every name
/// below it, `cm01.contoso.com:8443` for another port than that of the scheme, `*` for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedEndpoints(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// As it was written.
    text: String,
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// Names that end in this, which begins with a dot.
    Below(String),
    This(Host),
}

/// A text that is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of hosts: write `host`, `host:port`, `*.domain` or `*`")]
pub struct NoPattern(String);

/// An address that a fleet names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedAddress<'a> {
    /// Where it stands, such as `intune.authority`.
    pub field: &'a str,
    /// The address, or `host` or `host:port` of a domain controller.
    pub address: &'a str,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// What is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, nearly always within TLS.
    Web,
    /// Kerberos, with a domain controller.
    Kerberos,
}

/// An address that may not be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// Where it stands.
    pub field: String,
    /// Host and port; empty when the address has none.
    pub host: String,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            write!(f, "{} is no address", self.field)
        } else {
            write!(f, "{} leads to {}", self.field, self.host)
        }
    }
}

impl AllowedEndpoints {
    /// Reads patterns.
    ///
    /// # Errors
    ///
    /// The first that is none.
    pub fn read<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, NoPattern> {
        let patterns = patterns.into_iter().map(str::parse);
        Ok(Self(patterns.collect::<Result<_, _>>()?))
    }

    /// Those of `addresses` that may not be called. What cannot be read may not.
    #[must_use]
    pub fn refuse<'a>(
        &self,
        addresses: impl IntoIterator<Item = NamedAddress<'a>>,
    ) -> Vec<NotAllowed> {
        let addresses = addresses.into_iter();
        addresses.filter_map(|named| self.judge(named)).collect()
    }

    fn judge(&self, named: NamedAddress<'_>) -> Option<NotAllowed> {
        let Some(target) = Target::read(named.protocol, named.address) else {
            return Some(NotAllowed {
                field: named.field.to_owned(),
                host: String::new(),
            });
        };
        let allowed = self.0.iter().any(|pattern| pattern.matches(&target));
        (!allowed).then(|| NotAllowed {
            field: named.field.to_owned(),
            host: format!("{}:{}", target.host, target.port),
        })
    }
}

impl fmt::Display for AllowedEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.0.iter().map(|pattern| pattern.text.as_str()).collect();
        f.write_str(&patterns.join(", "))
    }
}

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_pattern = || NoPattern(text.to_owned());
        let trimmed = text.trim();
        let (host, port) = match trimmed.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| no_pattern())?))
            }
            _ => (trimmed, None),
        };
        let host = if host == "*" {
            HostPattern::Any
        } else if let Some(domain) = host.strip_prefix("*.") {
            match plain_host(domain) {
                Some(Host::Domain(domain)) => HostPattern::Below(format!(".{domain}")),
                _ => return Err(no_pattern()),
            }
        } else {
            HostPattern::This(plain_host(host).ok_or_else(no_pattern)?)
        };
        Ok(Self {
            text: trimmed.to_owned(),
            host,
            port,
        })
    }
}

impl Pattern {
    fn matches(&self, target: &Target) -> bool {
        let host = match (&self.host, &target.host) {
            (HostPattern::Any, _) => true,
            (HostPattern::Below(suffix), Host::Domain(name)) => {
                name.len() > suffix.len() && name.ends_with(suffix.as_str())
            }
            (HostPattern::Below(_), _) => false,
            (HostPattern::This(host), target) => host == target,
        };
        // Another port may be another server.
        let port = match self.port {
            Some(port) => port == target.port,
            None => target.is_usual_port || self.host == HostPattern::Any,
        };
        host && port
    }
}

/// Where an address leads.
struct Target {
    host: Host,
    port: u16,
    /// Whether the port is that of the protocol.
    is_usual_port: bool,
}

impl Target {
    fn read(protocol: Protocol, address: &str) -> Option<Self> {
        let (url, usual) = match protocol {
            Protocol::Web => {
                let url = Url::parse(address).ok()?;
                let usual = if url.scheme() == "https" { 443 } else { 80 };
                (url, usual)
            }
            Protocol::Kerberos => (kdc_address(address).ok()?, 88),
        };
        // As in https, so that names are brought into the one form that they are compared in.
        let host = plain_host(url.host_str()?)?;
        let port = url.port_or_known_default().unwrap_or(usual);
        Some(Self {
            host,
            port,
            is_usual_port: port == usual,
        })
    }
}

/// A host without anything around it.
fn plain_host(text: &str) -> Option<Host> {
    if text.is_empty() || text.contains(['/', '@', '?', '#', '*', ' ', '\\']) {
        return None;
    }
    let url = Url::parse(&format!("https://{text}")).ok()?;
    if url.port().is_some() {
        return None;
    }
    normal(url.host()?.to_owned())
}

/// A name without the dot that a full name may end in.
fn normal(host: Host<String>) -> Option<Host> {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            (!name.is_empty()).then(|| Host::Domain(name.to_owned()))
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web<'a>(field: &'a str, address: &'a str) -> NamedAddress<'a> {
        NamedAddress {
            field,
            address,
            protocol: Protocol::Web,
        }
    }

    #[test]
    fn says_which_address_may_not_be_called() {
        for (patterns, address, allowed) in [
            ("graph.microsoft.com", "https://graph.microsoft.com", true),
            (
                "graph.microsoft.com",
                "https://GRAPH.microsoft.com./v1.0",
                true,
            ),
            (
                "graph.microsoft.com",
                "https://graph.microsoft.com:443",
                true,
            ),
            (
                "graph.microsoft.com",
                "https://graph.microsoft.com:8443",
                false,
            ),
            (
                "graph.microsoft.com:8443",
                "https://graph.microsoft.com:8443",
                true,
            ),
            (
                "graph.microsoft.com:8443",
                "https://graph.microsoft.com",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://graph.microsoft.com.evil.example",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://evilgraph.microsoft.com",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://graph.microsoft.com@evil.example",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://evil.example/graph.microsoft.com",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://evil.example#graph.microsoft.com",
                false,
            ),
            (
                "graph.microsoft.com",
                "https://evil.example\\@graph.microsoft.com",
                false,
            ),
            (
                "*.contoso.com",
                "https://cm01.contoso.com/AdminService",
                true,
            ),
            (
                "*.contoso.com",
                "https://cm01.emea.contoso.com/AdminService",
                true,
            ),
            ("*.contoso.com", "https://contoso.com", false),
            ("*.contoso.com", "https://evilcontoso.com", false),
            ("*.contoso.com:8443", "https://cm01.contoso.com:8443", true),
            ("*", "https://anything.example:1", true),
            ("", "https://graph.microsoft.com", false),
            ("a.example,*.b.example", "https://x.b.example", true),
            ("10.0.0.1", "https://10.0.0.1", true),
            ("10.0.0.1", "https://167772161", true),
            ("*.contoso.com", "cm01.contoso.com", false),
            ("[::1]", "https://[0:0::1]", true),
            ("[::1]:8443", "https://[::1]:8443", true),
            ("localhost", "http://localhost", true),
            ("localhost", "http://localhost:8080", false),
            ("xn--mnchen-3ya.example", "https://münchen.example", true),
            ("münchen.example", "https://xn--mnchen-3ya.example", true),
            // What is no address leads nowhere that is known.
            ("*", "", false),
            ("*", "https://", false),
            ("*", "not an address", false),
        ] {
            // An empty list allows nothing.
            let patterns = patterns.split(',').filter(|text| !text.is_empty());
            let list = AllowedEndpoints::read(patterns).unwrap();
            let refused = list.refuse([web("intune.endpoint", address)]);
            assert_eq!(
                refused.is_empty(),
                allowed,
                "{list}: {address}: {refused:?}"
            );
        }
    }

    #[test]
    fn says_which_domain_controller_may_not_be_asked() {
        let list = AllowedEndpoints::read(["*.contoso.com", "10.0.0.1:750"]).unwrap();
        for (address, allowed) in [
            ("dc01.contoso.com", true),
            ("DC01.contoso.com:88", true),
            ("tcp://dc01.contoso.com:88", true),
            ("dc01.contoso.com:443", false),
            ("dc01.evil.example:88", false),
            ("10.0.0.1:750", true),
            ("10.0.0.1", false),
            ("https://dc01.contoso.com", false),
            ("", false),
        ] {
            let refused = list.refuse([NamedAddress {
                field: "kdc",
                address,
                protocol: Protocol::Kerberos,
            }]);
            assert_eq!(refused.is_empty(), allowed, "{address}: {refused:?}");
        }
    }

    #[test]
    fn names_the_field_and_the_host() {
        let list = AllowedEndpoints::read(["graph.microsoft.com"]).unwrap();
        let refused = list.refuse([
            web("intune.endpoint", "https://graph.microsoft.com"),
            web("intune.authority", "https://login.evil.example/x"),
            web("configurationManager.adminService[0]", "nonsense:"),
        ]);
        let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "intune.authority leads to login.evil.example:443",
                "configurationManager.adminService[0] is no address"
            ]
        );
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in [
            "",
            " ",
            "https://graph.microsoft.com",
            "a.example/x",
            "*.*.example",
            "a.*.example",
            "u@a.example",
            "a.example:x",
            "a.example:99999",
            "*.10.0.0.1",
            "*example",
        ] {
            let error = AllowedEndpoints::read([text]).unwrap_err();
            assert!(error.to_string().contains("no pattern"), "{error}");
        }
    }
}
