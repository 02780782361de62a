//! What a domain controller says of an account, and what becomes of it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::site::{SiteClient, SiteCredentials};
use diarchy_fleet::{DomainAccount, Secret};

use crate::service::*;

/// A proof is asked for, by this error, and given as an encrypted time, whose type begins so.
const PREAUTHENTICATION: u8 = 25;
const TIMESTAMP: [u8; 5] = [0xa1, 3, 2, 1, 2];

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128, "a short message");
    [&[tag, length], content].concat()
}

/// A KRB-ERROR with this code (RFC 4120, section 5.9.1).
fn krb_error(code: u8) -> Vec<u8> {
    let text = |tag, text: &str| tlv(tag, &tlv(0x1b, text.as_bytes()));
    let number = |tag, number: u8| tlv(tag, &tlv(2, &[number]));
    let names = [tlv(0x1b, b"krbtgt"), tlv(0x1b, b"CONTOSO.COM")].concat();
    let service = [number(0xa0, 2), tlv(0xa1, &tlv(0x30, &names))].concat();
    let fields = [
        number(0xa0, 5),
        number(0xa1, 30),
        tlv(0xa4, &tlv(0x18, b"20261123120000Z")),
        number(0xa5, 0),
        number(0xa6, code),
        text(0xa9, "CONTOSO.COM"),
        tlv(0xaa, &tlv(0x30, &service)),
    ]
    .concat();
    tlv(0x7e, &tlv(0x30, &fields))
}

/// A domain controller that asks for a proof, and answers one with `code`. How often it was asked.
fn controller(code: u8) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut message).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let proves = message
                .windows(TIMESTAMP.len())
                .any(|part| part == TIMESTAMP);
            let reply = krb_error(if proves { code } else { PREAUTHENTICATION });
            let length = u32::try_from(reply.len()).unwrap().to_be_bytes();
            stream
                .write_all(&[&length, reply.as_slice()].concat())
                .unwrap();
        }
    });
    (address, asked)
}

fn client(url: &str, kdc: &str) -> SiteClient {
    let mut options = site_options(&[url]);
    options.credentials = SiteCredentials::Account(DomainAccount {
        username: "svc-diarchy@contoso.com".to_owned(),
        password: Secret::new(PASSWORD),
        kdc: Some(kdc.to_owned()),
    });
    SiteClient::new(&options, &fast(), &Arc::default()).unwrap()
}

async fn site_that_speaks_kerberos() -> Server {
    serve(|_, _| {
        Reply::new(401, "")
            .header("www-authenticate", "Negotiate")
            .header("www-authenticate", "NTLM")
    })
    .await
}

#[tokio::test]
async fn what_a_domain_controller_says_of_an_account_is_told_and_tried_once() {
    for (code, expected, part) in [
        (6, Code::AccountRefused, "no such account"),
        (18, Code::AccountLocked, "locked or disabled"),
        (23, Code::PasswordExpired, "has expired"),
        (24, Code::AccountRefused, "wrong password"),
    ] {
        let site = site_that_speaks_kerberos().await;
        let (kdc, asked) = controller(code);
        let client = client(&site.url, &kdc);
        let error = client.sites().await.unwrap_err();
        assert_eq!(error.code(), expected, "{code}: {error}");
        assert_eq!(error.consequence(), Consequence::FixInput);
        assert!(error.to_string().contains(part), "{code}: {error}");
        assert!(!error.to_string().contains(PASSWORD));
        // Without a proof and with one.
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{code}");
        for _ in 0..3 {
            assert_eq!(client.sites().await.unwrap_err(), error);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{code}");
        // No other way was tried, and the site heard nothing of the account.
        let headers = site.asked().into_iter().map(|asked| asked.authorization);
        assert!(headers.into_iter().all(|header| header.is_empty()));
    }
}

#[tokio::test]
async fn a_clock_that_differs_too_much_is_told_and_tried_again_later() {
    let site = site_that_speaks_kerberos().await;
    let (kdc, asked) = controller(37);
    let client = client(&site.url, &kdc);
    for round in 1..=2 {
        let error = client.sites().await.unwrap_err();
        assert_eq!(error.code(), Code::ClockSkew, "{error}");
        assert!(!error.to_string().contains("not tried again"), "{error}");
        // Without a proof, with one, and with one for the time that the controller names.
        assert_eq!(asked.load(Ordering::SeqCst), 3 * round);
    }
}

#[tokio::test]
async fn a_domain_controller_that_cannot_help_leaves_the_account_alone() {
    let site = site_that_speaks_kerberos().await;
    for (code, expected, consequence) in [
        (14, Code::NoSignIn, Consequence::FixInput),
        (60, Code::EstateAnswer, Consequence::Retry),
    ] {
        let (kdc, asked) = controller(code);
        let client = client(&site.url, &kdc);
        for _ in 0..2 {
            let error = client.sites().await.unwrap_err();
            assert_eq!((error.code(), error.consequence()), (expected, consequence));
        }
        // It is asked again: nothing was said against the account.
        assert_eq!(asked.load(Ordering::SeqCst), 4, "{code}");
    }
    let nobody = client(&site.url, "127.0.0.1:1");
    let error = nobody.sites().await.unwrap_err();
    assert_eq!(
        (error.code(), error.consequence()),
        (Code::EstateUnreachable, Consequence::Retry)
    );
}
