//! Certificates, keys and people of a control plane.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rand::RngExt as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

/// Somebody who asks the API server for something.
#[derive(Debug)]
pub struct Person {
    pub name: &'static str,
    pub groups: &'static [&'static str],
}

/// May do everything.
pub const ADMIN: Person = Person {
    name: "admin",
    groups: &["system:masters"],
};
/// Writes what a fleet shall be. What anybody below may do is for a test to grant, by group.
pub const MEGAN: Person = Person {
    name: "megan@contoso.com",
    groups: &["fleet-editors"],
};
/// Approves.
pub const ADELE: Person = Person {
    name: "adele@contoso.com",
    groups: &["fleet-approvers"],
};
/// Looks.
pub const ALEX: Person = Person {
    name: "alex@contoso.com",
    groups: &["fleet-viewers"],
};
/// Has no part in it.
pub const LEE: Person = Person {
    name: "lee@contoso.com",
    groups: &[],
};

const PEOPLE: [Person; 5] = [ADMIN, MEGAN, ADELE, ALEX, LEE];

/// The file names of what a server is started with.
pub(super) const CA: &str = "ca.pem";
pub(super) const SERVER: &str = "server.pem";
pub(super) const SERVER_KEY: &str = "server.key";
pub(super) const CLIENT: &str = "client.pem";
pub(super) const CLIENT_KEY: &str = "client.key";
pub(super) const ACCOUNTS: &str = "accounts.pub";
pub(super) const ACCOUNTS_KEY: &str = "accounts.key";
pub(super) const TOKENS: &str = "tokens.csv";

/// Writes all of them into `directory`, and gives everybody's token.
pub(super) fn write(directory: &Path) -> Vec<(&'static str, String)> {
    let keep = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    certificates(&keep);
    // What service accounts' tokens are signed with.
    let accounts = KeyPair::generate().unwrap();
    keep(ACCOUNTS, &accounts.public_key_pem());
    keep(ACCOUNTS_KEY, &accounts.serialize_pem());
    let tokens: Vec<_> = PEOPLE
        .iter()
        .map(|person| {
            let token: u128 = rand::rng().random();
            (person.name, format!("{token:032x}"))
        })
        .collect();
    let line = |(Person { name, groups }, (_, token)): (&Person, &(&str, String))| {
        format!("{token},{name},{name},\"{}\"", groups.join(","))
    };
    let lines: Vec<String> = PEOPLE.iter().zip(&tokens).map(line).collect();
    keep(TOKENS, &lines.join("\n"));
    tokens
}

fn certificates(keep: &impl Fn(&str, &str)) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name
        .push(DnType::CommonName, "Test control plane");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate().unwrap();
    keep(CA, &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);

    let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    server
        .subject_alt_names
        .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    server
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().unwrap();
    keep(SERVER, &server.signed_by(&key, &issuer).unwrap().pem());
    keep(SERVER_KEY, &key.serialize_pem());

    let mut client = CertificateParams::new(Vec::new()).unwrap();
    let names = &mut client.distinguished_name;
    names.push(DnType::CommonName, ADMIN.name);
    names.push(DnType::OrganizationName, ADMIN.groups[0]);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    keep(CLIENT, &client.signed_by(&key, &issuer).unwrap().pem());
    keep(CLIENT_KEY, &key.serialize_pem());
}

/// A kubeconfig's user: `person`, by token.
pub(super) fn with_token(tokens: &[(&str, String)], person: &Person) -> Value {
    let token = tokens
        .iter()
        .find_map(|(name, token)| (*name == person.name).then_some(token));
    json!({ "token": token.expect("only people of the token file") })
}

/// A kubeconfig's user: the administrator, by client certificate.
pub(super) fn with_certificate(directory: &Path) -> Value {
    json!({
        "client-certificate": directory.join(CLIENT),
        "client-key": directory.join(CLIENT_KEY),
    })
}

/// The administrator's kubeconfig for a server on this port.
pub(super) fn kubeconfig(directory: &Path, port: u16, tokens: &[(&str, String)]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "tests",
            "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": directory.join(CA),
            },
        }],
        "users": [{ "name": "user", "user": with_token(tokens, &ADMIN) }],
        "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": "user" } }],
        "current-context": "tests",
    })
}
