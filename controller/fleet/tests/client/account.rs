//! Signing in with a domain account, against servers that behave badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine};
use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::site::SiteClient;
use serde_json::json;

use crate::service::*;

fn client(server: &Server) -> SiteClient {
    let mut options = site_options(&[&server.url]);
    options.credentials = account();
    SiteClient::new(&options, &fast(), &Arc::default()).unwrap()
}

fn sites() -> Reply {
    Reply::list(json!([{ "SiteCode": "PS1" }]))
}

pub fn unauthorized(offers: &[&str]) -> Reply {
    let reply = Reply::new(401, "");
    offers.iter().fold(reply, |reply, offer| {
        reply.header("www-authenticate", *offer)
    })
}

/// The second message of NTLM, from a server of the domain CONTOSO (MS-NLMP 2.2.1.2).
pub fn challenge() -> String {
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    message.extend([0, 0, 0, 0, 56, 0, 0, 0]);
    message.extend(0xe289_8215_u32.to_le_bytes());
    message.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    message.extend([0; 8]);
    let info = [
        7, 0, 8, 0, 0, 0x80, 0x3e, 0xd5, 0xde, 0xb1, 0x9d, 1, 0, 0, 0, 0,
    ];
    message.extend([16, 0, 16, 0, 56, 0, 0, 0]);
    message.extend([10, 0, 0x61, 0x4a, 0, 0, 0, 15]);
    message.extend(info);
    format!("NTLM {}", BASE64_STANDARD.encode(message))
}

/// What each request showed, in a word.
fn shown(server: &Server) -> Vec<&'static str> {
    let asked = server.asked();
    let kind = |header: &str| match header.split_once(' ') {
        None => "nothing",
        Some(("Basic", _)) => "password",
        // The type of a message of NTLM stands in its ninth byte.
        Some((_, token)) => match BASE64_STANDARD.decode(token).unwrap().get(8) {
            Some(1) => "hello",
            Some(3) => "proof",
            _ => "wrapped",
        },
    };
    asked
        .iter()
        .map(|asked| kind(&asked.authorization))
        .collect()
}

#[tokio::test]
async fn without_tls_the_password_is_never_shown_whatever_a_server_says() {
    let basic = "Basic realm=\"cm01\"";
    for (name, first, later) in [
        ("Basic from the beginning", &[basic][..], &[basic][..]),
        ("Basic instead of NTLM", &["NTLM"], &[basic]),
        (
            "Basic instead of Negotiate",
            &["Negotiate", "NTLM"],
            &[basic],
        ),
        ("nothing instead of NTLM", &["NTLM"], &[]),
        (
            "Bearer only",
            &["Bearer realm=\"\""],
            &["Bearer realm=\"\""],
        ),
    ] {
        let (first, later) = (first.to_vec(), later.to_vec());
        let server = serve(move |asked, _| {
            unauthorized(if asked.authorization.is_empty() {
                &first
            } else {
                &later
            })
        })
        .await;
        let error = client(&server).sites().await.unwrap_err();
        assert_eq!(error.code(), Code::NoSignIn, "{name}: {error}");
        assert_eq!(error.consequence(), Consequence::FixInput, "{name}");
        let shown = shown(&server);
        assert!(!shown.contains(&"password"), "{name}: {shown:?}");
        assert!(!shown.contains(&"proof"), "{name}: {shown:?}");
    }
}

#[tokio::test]
async fn a_server_that_changes_its_mind_all_the_time_is_left() {
    let count = AtomicUsize::new(0);
    let server = serve(move |_, _| {
        let offers = ["NTLM", "Negotiate"];
        unauthorized(&[offers[count.fetch_add(1, Ordering::SeqCst) % 2]])
    })
    .await;
    let error = client(&server).sites().await.unwrap_err();
    assert_eq!(error.code(), Code::NoSignIn, "{error}");
    assert!(server.asked().len() < 8, "{:?}", shown(&server));
}

#[tokio::test]
async fn a_server_that_asks_nobody_who_they_are_is_told_nothing() {
    let server = serve(|_, _| sites()).await;
    let client = client(&server);
    for _ in 0..3 {
        assert_eq!(client.sites().await.unwrap().items.len(), 1);
    }
    assert_eq!(shown(&server), ["nothing"; 3]);
}

#[tokio::test]
async fn a_message_that_makes_no_sense_ends_the_conversation_without_a_proof() {
    let cut = challenge();
    let cut = cut[..cut.len() / 2].to_owned();
    for reply in [
        "NTLM AAAA".to_owned(),
        "NTLM TlRMTVNTUAADAAAA".to_owned(),
        cut,
    ] {
        let server = serve(move |asked, _| {
            unauthorized(&[if asked.authorization.is_empty() {
                "NTLM"
            } else {
                &reply
            }])
        })
        .await;
        client(&server).sites().await.unwrap_err();
        assert!(!shown(&server).contains(&"proof"), "{:?}", shown(&server));
    }
}

#[tokio::test]
async fn a_proof_that_is_not_answered_is_given_twice_and_then_kept_back() {
    let server = serve(|asked, _| {
        let proof = "NTLM TlRMTVNTUAAD";
        if asked.authorization.is_empty() {
            unauthorized(&["NTLM"])
        } else if asked.authorization.starts_with(proof) {
            Reply::new(0, "")
        } else {
            unauthorized(&[&challenge()])
        }
    })
    .await;
    let client = client(&server);
    let mut told = Vec::new();
    for _ in 0..5 {
        let error = client.sites().await.unwrap_err();
        assert_eq!(error.consequence(), Consequence::Retry, "{error}");
        told.push(error.to_string());
    }
    let proofs = shown(&server);
    let proofs = proofs.iter().filter(|shown| **shown == "proof").count();
    assert_eq!(proofs, 2, "{told:?}");
    assert!(told[4].contains("not sent again before"), "{told:?}");
}

#[tokio::test]
async fn what_a_service_echoes_of_a_conversation_is_not_told() {
    let server = serve(|asked, _| {
        let hello = "NTLM TlRMTVNTUAAB";
        if asked.authorization.is_empty() {
            unauthorized(&["NTLM"])
        } else if asked.authorization.starts_with(hello) {
            unauthorized(&[&challenge()])
        } else {
            let words = format!("you sent {} and {PASSWORD}", asked.authorization);
            Reply::new(
                403,
                json!({ "error": { "code": "Denied", "message": words } }),
            )
        }
    })
    .await;
    let error = client(&server).sites().await.unwrap_err();
    assert_eq!(error.code(), Code::EstateForbidden);
    let told = format!("{error} {error:?}");
    assert!(told.contains("[hidden]"), "{told}");
    assert!(
        !told.contains("TlRMTVNTUAAD") && !told.contains(PASSWORD),
        "{told}"
    );
    assert_eq!(shown(&server), ["nothing", "hello", "proof"]);
}
