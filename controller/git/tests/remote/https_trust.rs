//! Who is shown which credentials over https, and who is believed.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_git::Address;

use crate::client::Client;
use crate::https_server::{
    PASSWORD, Reaction, TOKEN, USERNAME, is_allowed, serve, serve_as, unauthorized,
};
use crate::origin::Origin;

#[tokio::test]
async fn a_token_opens_as_a_password_does() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let client = Client::with(&server, &[("token", TOKEN), ("ca.crt", &server.ca)]);
    assert_eq!(client.fetch().await.unwrap().commit, origin.head());
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_not_repeated() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let ca = ("ca.crt", server.ca.as_str());
    for (keys, remedy) in [
        (
            &[("username", USERNAME), ("password", "hunter2"), ca][..],
            "that are valid",
        ),
        (&[("token", "hunter2"), ca], "that are valid"),
        (&[ca], "give `username`"),
    ] {
        let error = Client::with(&server, keys).fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::GitRefused);
        assert_eq!(error.consequence(), Consequence::FixInput);
        assert!(error.remedy().contains(remedy), "{}", error.remedy());
        let said = format!("{error} {error:?} {}", error.remedy());
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let other = serve(origin.root()).await;
    let password = [("username", USERNAME), ("password", PASSWORD)];
    let wrong = [&password[..], &[("ca.crt", other.ca.as_str())]].concat();
    for keys in [&password[..], &wrong] {
        let error = Client::with(&server, keys).fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::GitTrust, "{error}");
        assert_eq!(error.consequence(), Consequence::FixInput);
    }
    // Nothing was sent to a server that is not trusted.
    assert!(server.asked().is_empty());
    let garbage = [&password[..], &[("ca.crt", "no certificate")]].concat();
    let error = Client::with(&server, &garbage).fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitCredentials, "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_and_back_is_fetched_from_again() {
    let origin = Origin::new();
    let server = serve(origin.root()).await;
    let mut client = Client::of(&server);
    client.fetch().await.unwrap();
    let back = Address::parse(&server.url()).unwrap();
    // A port that nobody listens at any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    client.request.address =
        Address::parse(&format!("https://localhost:{port}/fleet.git")).unwrap();
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitUnreachable, "{error}");
    assert_eq!(error.consequence(), Consequence::Retry);
    client.request.address = back;
    assert_eq!(client.fetch().await.unwrap().commit, origin.head());
}

#[tokio::test]
async fn a_redirect_is_followed_and_credentials_stay_at_home() {
    let origin = Origin::new();
    // Within one host, as hosts do that want `.git` at the end.
    let root = origin.root().to_owned();
    let server = serve_as(&root, |asked| {
        if !is_allowed(asked) {
            unauthorized()
        } else if asked.target.starts_with("/short/") {
            let to = "/fleet.git/info/refs?service=git-upload-pack".to_owned();
            Reaction::Say(301, vec![("location", to)], Vec::new())
        } else {
            Reaction::Git
        }
    })
    .await;
    let mut client = Client::of(&server);
    client.request.address =
        Address::parse(&format!("https://localhost:{}/short", server.port)).unwrap();
    assert_eq!(client.fetch().await.unwrap().commit, origin.head());
    assert!(server.asked().iter().all(is_allowed));

    // To another port, which is another server.
    let other = serve_as(&root, |_| Reaction::Git).await;
    let to = format!("{}/info/refs?service=git-upload-pack", other.url());
    let first = serve_as(&root, move |_| {
        Reaction::Say(302, vec![("location", to.clone())], Vec::new())
    })
    .await;
    let both = format!("{}{}", first.ca, other.ca);
    let password = [("username", USERNAME), ("password", PASSWORD)];
    let client = Client::with(
        &first,
        &[&password[..], &[("ca.crt", both.as_str())]].concat(),
    );
    assert_eq!(client.fetch().await.unwrap().commit, origin.head());
    assert!(first.asked().iter().all(is_allowed));
    assert!(other.asked().len() > 1);
    assert!(
        other
            .asked()
            .iter()
            .all(|asked| asked.authorization.is_none())
    );

    // And where that other server wants some, it is said why it gets none.
    let strict = serve_as(&root, |_| unauthorized()).await;
    let to = format!("{}/info/refs", strict.url());
    let first = serve_as(&root, move |_| {
        Reaction::Say(302, vec![("location", to.clone())], Vec::new())
    })
    .await;
    let both = format!("{}{}", first.ca, strict.ca);
    let client = Client::with(
        &first,
        &[&password[..], &[("ca.crt", both.as_str())]].concat(),
    );
    let error = client.fetch().await.unwrap_err();
    assert!(
        error.remedy().contains("not sent on to another host"),
        "{}",
        error.remedy()
    );
}
