//! `Fleet` documents.

use std::time::Duration;

use diarchy_core::code::Code;
use diarchy_core::desired::{FleetSpec as DesiredFleet, Resources};
use diarchy_core::duration::Span;
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;

use super::{Findings, endpoint, forms, guardrails, interpret};
use crate::Fleet;
use crate::fleet::{ConfigurationManagerSpec, FleetSpec, IntuneSpec};
use crate::manifest::{GitKind, Manifest};

impl GitKind for Fleet {
    const KIND: Kind = Kind::Fleet;

    type Spec = FleetSpec;

    fn interpret(
        origin: Origin,
        manifest: Manifest<FleetSpec>,
        into: &mut Resources,
    ) -> Vec<Finding> {
        interpret(
            origin,
            Self::KIND,
            &manifest,
            None,
            into,
            |findings| read(findings, origin, &manifest),
            |resources, fleet| resources.fleets.push(fleet),
        )
    }
}

fn read(
    findings: &mut Findings,
    origin: Origin,
    manifest: &Manifest<FleetSpec>,
) -> Option<DesiredFleet> {
    let spec = &manifest.spec;
    let path = FieldPath::of("spec");
    judge_site(
        findings,
        &path.key("configurationManager"),
        &spec.configuration_manager,
    );
    judge_tenant(findings, &path.key("intune"), &spec.intune);
    let inventory = path.key("inventory");
    forms::positive_duration(
        findings,
        &inventory.key("interval"),
        &spec.inventory.interval,
    );
    let stale_after = forms::duration(
        findings,
        &inventory.key("staleAfter"),
        &spec.inventory.stale_after,
    );
    let online_within = forms::duration(
        findings,
        &inventory.key("onlineWithin"),
        &spec.inventory.online_within,
    );
    let guardrails = guardrails::read(findings, &path.key("guardrails"), &spec.guardrails);
    Some(DesiredFleet {
        header: manifest.header(origin),
        suspend: spec.suspend || manifest.is_paused(),
        mode: spec.mode,
        guardrails: guardrails?,
        stale_after: stale_after?,
        online_within: online_within?,
        beta: spec.intune.beta,
    })
}

fn judge_site(findings: &mut Findings, path: &FieldPath, site: &ConfigurationManagerSpec) {
    let services = path.key("adminService");
    if site.admin_service.is_empty() {
        findings.add(
            Code::OutOfRange,
            &services,
            "there is no AdminService to talk to",
            "write at least one address, like https://cm01.contoso.com/AdminService",
        );
    }
    for (at, service) in site.admin_service.iter().enumerate() {
        endpoint::judge(findings, &services.index(at), service);
    }
    forms::site_code(findings, &path.key("siteCode"), &site.site_code);
    let references = [
        ("caBundleRef", site.ca_bundle_ref.as_ref()),
        ("credentialsRef", Some(&site.credentials_ref)),
    ];
    for (key, reference) in references {
        if let Some(reference) = reference {
            let path = path.key(key).key("name");
            forms::name(findings, &path, reference.name.as_str());
        }
    }
}

fn judge_tenant(findings: &mut Findings, path: &FieldPath, tenant: &IntuneSpec) {
    forms::guid(findings, &path.key("tenantId"), &tenant.tenant_id);
    endpoint::judge(findings, &path.key("endpoint"), &tenant.endpoint);
    endpoint::judge(findings, &path.key("authority"), &tenant.authority);
    if let Some(reference) = &tenant.credentials_ref {
        let path = path.key("credentialsRef").key("name");
        forms::name(findings, &path, reference.name.as_str());
    }
    if !tenant.service_account_name.is_empty() {
        let path = path.key("serviceAccountName");
        forms::name(findings, &path, &tenant.service_account_name);
    }
}

impl FleetSpec {
    /// How long between two passes. A text that [`GitKind::interpret`] refuses counts as the default.
    pub fn interval(&self) -> Duration {
        span(self.inventory.interval.as_str(), Span::minutes(5))
    }

    /// How old a device's last report may be before it counts as stale. A text that
    /// [`GitKind::interpret`] refuses counts as the default.
    pub fn stale_after(&self) -> Duration {
        span(self.inventory.stale_after.as_str(), Span::days(30))
    }

    /// How lately a device must have been heard of to count as online. A text that
    /// [`GitKind::interpret`] refuses counts as the default.
    pub fn online_within(&self) -> Duration {
        span(self.inventory.online_within.as_str(), Span::hours(24))
    }

    /// The addresses of the AdminService, in the order in which they are tried, without a slash at
    /// the end.
    pub fn admin_services(&self) -> impl Iterator<Item = &str> {
        self.configuration_manager
            .admin_service
            .iter()
            .map(|service| service.as_str().trim_end_matches('/'))
    }

    /// The top site's code, in upper case as the site writes it.
    pub fn site_code(&self) -> String {
        let code = &self.configuration_manager.site_code;
        code.as_str().to_ascii_uppercase()
    }

    /// The Entra tenant's id, in lower case as Entra writes it.
    pub fn tenant_id(&self) -> String {
        self.intune.tenant_id.as_str().to_ascii_lowercase()
    }

    /// Where Microsoft Graph is, without a slash at the end.
    pub fn graph_endpoint(&self) -> &str {
        self.intune.endpoint.as_str().trim_end_matches('/')
    }

    /// Who issues tokens, without a slash at the end.
    pub fn token_authority(&self) -> &str {
        self.intune.authority.as_str().trim_end_matches('/')
    }

    /// The Secret with the site's credentials, by name.
    pub fn site_credentials(&self) -> &str {
        self.configuration_manager.credentials_ref.name.as_str()
    }

    /// The Secret with the roots that sign the site's certificate, by name; `None` takes the
    /// well-known ones.
    pub fn site_roots(&self) -> Option<&str> {
        let reference = self.configuration_manager.ca_bundle_ref.as_ref()?;
        Some(reference.name.as_str())
    }

    /// The Secret with the tenant's credentials, by name; `None` is workload identity.
    pub fn tenant_credentials(&self) -> Option<&str> {
        let reference = self.intune.credentials_ref.as_ref()?;
        Some(reference.name.as_str())
    }

    /// The service account that workload identity uses, `default` where none is named.
    pub fn service_account(&self) -> &str {
        match self.intune.service_account_name.as_str() {
            "" => "default",
            name => name,
        }
    }
}

fn span(text: &str, default: Span) -> Duration {
    text.parse::<Span>().unwrap_or(default).length()
}

#[cfg(test)]
mod tests {
    use diarchy_core::amount::Amount;
    use diarchy_core::desired::{Guardrails, Mode};
    use serde_json::{Value, json};

    use super::super::fixtures::{FLEET, changed, read as read_yaml, read_with};
    use super::*;
    use crate::fleet::NotifyClients;

    fn findings(changes: &[(&str, Value)]) -> Vec<String> {
        read_with::<Fleet>(FLEET, changes).list()
    }

    #[test]
    fn reads_every_field() {
        let outcome = read_yaml::<Fleet>(FLEET);
        assert_eq!(outcome.list(), Vec::<String>::new());
        let fleet = &outcome.resources.fleets[0];
        assert_eq!(fleet.header.origin, Origin(7));
        assert_eq!(fleet.header.name, "nordwind");
        assert_eq!(fleet.header.namespace.as_deref(), Some("nordwind"));
        assert!(fleet.suspend);
        assert_eq!(fleet.mode, Mode::Observe);
        assert_eq!(fleet.stale_after, Span::days(14));
        assert_eq!(fleet.online_within, Span::hours(12));
        let guardrails = &fleet.guardrails;
        assert_eq!(guardrails.max_changed_devices, Amount::Count(300));
        assert_eq!(guardrails.max_leaving, Amount::BasisPoints(50));
        assert_eq!(guardrails.max_inventory_shrink, Amount::percent(4));
        assert_eq!(guardrails.max_changes_per_hour, 1200);
        assert_eq!(guardrails.freezes[0].name, "audit");
        assert_eq!(
            guardrails.freezes[0].from.to_string(),
            "2026-11-30T23:00:00Z"
        );
        assert_eq!(
            guardrails.freezes[0].to.to_string(),
            "2026-12-03T00:00:00.5Z"
        );
    }

    #[test]
    fn tells_how_to_reach_the_estate() {
        let spec = serde_saphyr::from_str::<Manifest<FleetSpec>>(FLEET)
            .unwrap()
            .spec;
        assert_eq!(spec.interval(), Duration::from_secs(90));
        assert_eq!(spec.stale_after(), Span::days(14).length());
        assert_eq!(spec.online_within(), Span::hours(12).length());
        assert_eq!(
            spec.admin_services().collect::<Vec<_>>(),
            [
                "https://sms01.nordwind.example/AdminService",
                "http://127.0.0.1:8443/AdminService"
            ]
        );
        assert_eq!(spec.site_code(), "NW1");
        assert_eq!(spec.tenant_id(), "0f9619ff-8b86-4d01-b42d-00cf4fc964ff");
        assert_eq!(spec.graph_endpoint(), "https://graph.microsoft.us");
        assert_eq!(spec.token_authority(), "https://login.microsoftonline.us");
        assert_eq!(spec.site_credentials(), "site-account");
        assert_eq!(spec.site_roots(), Some("site-roots"));
        assert_eq!(spec.tenant_credentials(), Some("tenant-app"));
        assert_eq!(spec.service_account(), "diarchy");
        assert!(!spec.intune.beta);
        assert_eq!(spec.notify_clients, NotifyClients::Paced);
    }

    #[test]
    fn takes_the_defaults_that_the_api_promises() {
        let changes = [
            ("/spec/suspend", Value::Null),
            ("/spec/mode", Value::Null),
            ("/spec/mdmAuthority", Value::Null),
            ("/spec/inventory", Value::Null),
            ("/spec/notifyClients", Value::Null),
            ("/spec/guardrails", Value::Null),
            ("/spec/configurationManager/caBundleRef", Value::Null),
            ("/spec/intune/endpoint", Value::Null),
            ("/spec/intune/authority", Value::Null),
            ("/spec/intune/credentialsRef", Value::Null),
            ("/spec/intune/serviceAccountName", Value::Null),
            ("/spec/intune/beta", Value::Null),
        ];
        let outcome = read_with::<Fleet>(FLEET, &changes);
        assert_eq!(outcome.list(), Vec::<String>::new());
        let fleet = &outcome.resources.fleets[0];
        assert!(!fleet.suspend);
        assert_eq!(fleet.mode, Mode::Enforce);
        assert_eq!(fleet.guardrails, Guardrails::default());
        assert_eq!(
            (fleet.stale_after, fleet.online_within),
            (Span::days(30), Span::hours(24))
        );
        let manifest: Manifest<FleetSpec> =
            serde_json::from_value(changed(FLEET, &changes)).unwrap();
        let spec = manifest.spec;
        assert_eq!(spec.interval(), Duration::from_mins(5));
        assert_eq!(spec.graph_endpoint(), "https://graph.microsoft.com");
        assert_eq!(spec.token_authority(), "https://login.microsoftonline.com");
        assert_eq!(spec.tenant_credentials(), None);
        assert_eq!(spec.site_roots(), None);
        assert_eq!(spec.service_account(), "default");
        assert!(spec.intune.beta);
        assert_eq!(spec.notify_clients, NotifyClients::Never);
    }

    #[test]
    fn a_guardrail_left_out_beside_others_keeps_its_default() {
        let changes = [("/spec/guardrails", json!({ "maxLeaving": 1 }))];
        let outcome = read_with::<Fleet>(FLEET, &changes);
        let expected = Guardrails {
            max_leaving: Amount::Count(1),
            ..Guardrails::default()
        };
        assert_eq!(outcome.resources.fleets[0].guardrails, expected);
    }

    #[test]
    fn a_person_can_stop_it_too() {
        for (value, stopped) in [("true", true), ("false", false), ("yes", false)] {
            let changes = [
                ("/spec/suspend", json!(false)),
                (
                    "/metadata/annotations",
                    json!({ "diarchy.dev/paused": value }),
                ),
            ];
            let outcome = read_with::<Fleet>(FLEET, &changes);
            assert_eq!(outcome.resources.fleets[0].suspend, stopped, "{value}");
        }
    }

    #[test]
    fn every_rule_of_names_and_site_has_its_path() {
        let cases = [
            (
                "/metadata/name",
                json!("Nordwind"),
                "InvalidName metadata.name",
            ),
            (
                "/metadata/name",
                json!("-nord"),
                "InvalidName metadata.name",
            ),
            ("/metadata/name", json!("a..b"), "InvalidName metadata.name"),
            ("/metadata/name", json!(""), "InvalidName metadata.name"),
            (
                "/metadata/name",
                json!("a".repeat(254)),
                "InvalidName metadata.name",
            ),
            (
                "/metadata/namespace",
                json!("nord.wind"),
                "InvalidName metadata.namespace",
            ),
            (
                "/metadata/namespace",
                json!("a".repeat(64)),
                "InvalidName metadata.namespace",
            ),
            (
                "/spec/configurationManager/adminService",
                json!([]),
                "OutOfRange spec.configurationManager.adminService",
            ),
            (
                "/spec/configurationManager/adminService/1",
                json!("http://sms02.nordwind.example/AdminService"),
                "InsecureEndpoint spec.configurationManager.adminService[1]",
            ),
            (
                "/spec/configurationManager/adminService/0",
                json!("sms01"),
                "InvalidFormat spec.configurationManager.adminService[0]",
            ),
            (
                "/spec/configurationManager/adminService/0",
                json!("https://me:secret@sms01/"),
                "InvalidFormat spec.configurationManager.adminService[0]",
            ),
            (
                "/spec/configurationManager/siteCode",
                json!("NW-1"),
                "InvalidFormat spec.configurationManager.siteCode",
            ),
            (
                "/spec/configurationManager/caBundleRef/name",
                json!("Site Roots"),
                "InvalidName spec.configurationManager.caBundleRef.name",
            ),
            (
                "/spec/configurationManager/credentialsRef/name",
                json!("_"),
                "InvalidName spec.configurationManager.credentialsRef.name",
            ),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(findings(&[(pointer, value.clone())]), [expected], "{value}");
        }
    }

    #[test]
    fn every_rule_of_tenant_and_inventory_has_its_path() {
        let cases = [
            (
                "/spec/intune/tenantId",
                json!("nordwind"),
                "InvalidFormat spec.intune.tenantId",
            ),
            (
                "/spec/intune/tenantId",
                json!("0F9619FF8B864D01B42D00CF4FC964FF"),
                "InvalidFormat spec.intune.tenantId",
            ),
            (
                "/spec/intune/endpoint",
                json!("http://graph.microsoft.us"),
                "InsecureEndpoint spec.intune.endpoint",
            ),
            (
                "/spec/intune/authority",
                json!("http://localhost.example"),
                "InsecureEndpoint spec.intune.authority",
            ),
            (
                "/spec/intune/credentialsRef/name",
                json!("Tenant"),
                "InvalidName spec.intune.credentialsRef.name",
            ),
            (
                "/spec/intune/serviceAccountName",
                json!("Diarchy"),
                "InvalidName spec.intune.serviceAccountName",
            ),
            (
                "/spec/inventory/interval",
                json!("5"),
                "InvalidFormat spec.inventory.interval",
            ),
            (
                "/spec/inventory/interval",
                json!("0s"),
                "OutOfRange spec.inventory.interval",
            ),
            (
                "/spec/inventory/staleAfter",
                json!("1w"),
                "InvalidFormat spec.inventory.staleAfter",
            ),
            (
                "/spec/inventory/onlineWithin",
                json!("-1h"),
                "InvalidFormat spec.inventory.onlineWithin",
            ),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(findings(&[(pointer, value.clone())]), [expected], "{value}");
        }
    }

    #[test]
    fn every_guardrail_has_its_path() {
        let cases = [
            (
                "maxChangedDevices",
                json!("101%"),
                "OutOfRange spec.guardrails.maxChangedDevices",
            ),
            (
                "maxChangedDevices",
                json!(-1),
                "OutOfRange spec.guardrails.maxChangedDevices",
            ),
            (
                "maxChangedDevices",
                json!(4_294_967_296_u64),
                "OutOfRange spec.guardrails.maxChangedDevices",
            ),
            (
                "maxLeaving",
                json!("2.555%"),
                "InvalidFormat spec.guardrails.maxLeaving",
            ),
            (
                "maxLeaving",
                json!("12"),
                "InvalidFormat spec.guardrails.maxLeaving",
            ),
            (
                "maxInventoryShrink",
                json!("-3%"),
                "OutOfRange spec.guardrails.maxInventoryShrink",
            ),
            (
                "maxChangesPerHour",
                json!(0),
                "OutOfRange spec.guardrails.maxChangesPerHour",
            ),
            (
                "maxChangesPerHour",
                json!(10_000_001),
                "OutOfRange spec.guardrails.maxChangesPerHour",
            ),
        ];
        for (key, value, expected) in cases {
            let pointer = format!("/spec/guardrails/{key}");
            assert_eq!(
                findings(&[(&pointer, value.clone())]),
                [expected],
                "{value}"
            );
        }
    }

    #[test]
    fn a_freeze_has_two_times_in_order() {
        let freeze = "/spec/guardrails/freeze/0";
        let cases = [
            (
                "from",
                "2026-12-01",
                "InvalidFormat spec.guardrails.freeze[0].from",
            ),
            (
                "from",
                "2026-12-01 00:00:00Z",
                "InvalidFormat spec.guardrails.freeze[0].from",
            ),
            (
                "from",
                "2026-02-30T00:00:00Z",
                "InvalidFormat spec.guardrails.freeze[0].from",
            ),
            (
                "to",
                "2026-12-03T00:00:00",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-12-03T00:00:00.Z",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-12-03t00:00:00Z",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-12-03T00:00:00z",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-12-03T23:59:60Z",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-12-03T00:00:00+24:00",
                "InvalidFormat spec.guardrails.freeze[0].to",
            ),
            (
                "to",
                "2026-11-30T23:00:00Z",
                "InvalidSpan spec.guardrails.freeze[0].to",
            ),
        ];
        for (key, value, expected) in cases {
            let pointer = format!("{freeze}/{key}");
            assert_eq!(findings(&[(&pointer, json!(value))]), [expected], "{value}");
        }
    }

    #[test]
    fn says_all_that_is_wrong_at_once() {
        let changes = [
            ("/metadata/name", json!("Nordwind")),
            ("/spec/intune/tenantId", json!("nordwind")),
            ("/spec/inventory/interval", json!("often")),
            ("/spec/guardrails/maxLeaving", json!("some")),
            ("/spec/guardrails/freeze/0/from", json!("yesterday")),
        ];
        let outcome = read_with::<Fleet>(FLEET, &changes);
        assert_eq!(outcome.findings.len(), 5);
        assert_eq!(outcome.resources.named[0].kind, Kind::Fleet);
        assert_eq!(outcome.resources.named[0].header.name, "Nordwind");
    }

    #[test]
    fn lists_and_texts_have_limits_without_an_api_server_too() {
        let many: Vec<String> = (0..17)
            .map(|at| format!("https://sms{at}.example"))
            .collect();
        let changes = [
            ("/spec/configurationManager/adminService", json!(many)),
            ("/spec/guardrails/freeze/0/name", json!("x".repeat(64))),
        ];
        assert_eq!(
            findings(&changes),
            [
                "OutOfRange spec.configurationManager.adminService",
                "OutOfRange spec.guardrails.freeze[0].name",
            ]
        );
        let changes = [("/spec/guardrails/freeze/0/name", json!(""))];
        assert_eq!(
            findings(&changes),
            ["OutOfRange spec.guardrails.freeze[0].name"]
        );
    }
}
