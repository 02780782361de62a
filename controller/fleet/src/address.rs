//! Addresses of services.

use url::{Host, Url};

use crate::error::{EstateError, Service};

/// The address under which a service's calls live: https, but for loopback, where a simulator may
/// be asked without.
pub(crate) fn base_address(service: Service, text: &str) -> Result<Url, EstateError> {
    let unusable = |detail: &str| EstateError::Configuration {
        service,
        detail: format!("the address {detail}"),
    };
    let url = Url::parse(text).map_err(|_| unusable("is not an absolute one"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(unusable("does not begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("holds a query or a fragment"));
    }
    Ok(url)
}

/// The address of `path` under `base`. `path` holds nothing that a user wrote unchecked.
pub(crate) fn endpoint_under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_https_and_loopback_only() {
        for text in [
            "https://cm01.contoso.com/AdminService",
            "http://127.0.0.1:8080",
            "http://[::1]/x",
            "http://localhost:1",
        ] {
            assert!(base_address(Service::Graph, text).is_ok(), "{text}");
        }
        for text in [
            "http://cm01.contoso.com",
            "ftp://127.0.0.1",
            "cm01.contoso.com",
            "https://u:p@cm01",
            "https://cm01/?a",
            "",
        ] {
            let error = base_address(Service::Graph, text).unwrap_err();
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }

    #[test]
    fn joins_paths_with_one_slash() {
        for base in ["https://cm01/AdminService", "https://cm01/AdminService/"] {
            let base = base_address(Service::AdminService, base).unwrap();
            assert_eq!(
                endpoint_under(&base, "wmi/SMS_Collection('PS100001')").as_str(),
                "https://cm01/AdminService/wmi/SMS_Collection('PS100001')"
            );
        }
    }
}
