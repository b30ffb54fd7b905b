use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use proptest::prelude::*;
use rstest::rstest;

use super::{Challenge, Scheme, Scopes, token::use_for};
use crate::registry::transport::guard::{Named, Reach};

fn challenge(headers: &[&str]) -> Option<Challenge> {
    let mut map = HeaderMap::new();
    for header in headers {
        map.append(WWW_AUTHENTICATE, HeaderValue::from_str(header).ok()?);
    }
    Challenge::of(&map, |url| Named { url, by: Reach::Public })
}

fn realm(challenge: &Challenge) -> (&str, Option<&str>) {
    match &challenge.scheme {
        Scheme::Bearer { realm, service } => (realm.url.as_str(), service.as_deref()),
        Scheme::Basic => ("basic", None),
    }
}

#[rstest]
#[case(r#"Bearer realm="https://a.example/token",service="s",scope="repository:x:pull""#)]
#[case(r#"bearer Realm = "https://a.example/token" , SERVICE=s, scope="repository:x:pull""#)]
#[case(r#"Basic realm="b", Bearer realm="https://a.example/token",service="s",scope="repository:x:pull""#)]
fn a_token_is_wanted_however_it_is_written(#[case] header: &str) {
    let challenge = challenge(&[header]).unwrap();
    assert_eq!(realm(&challenge), ("https://a.example/token", Some("s")));
    assert_eq!(challenge.scopes, Scopes::repository("x", &["pull"]));
}

#[test]
fn challenges_stand_in_one_header_or_in_several_and_a_bad_one_hides_no_other() {
    let found =
        challenge(&[r"Negotiate, ====", r#"Basic realm="b""#, r#"Bearer realm="https://a.example/""#])
            .unwrap();
    assert_eq!(realm(&found), ("https://a.example/", None));
    assert_eq!(realm(&challenge(&["Digest nonce=x", "Basic realm=b"]).unwrap()), ("basic", None));
    assert_eq!(challenge(&["Bearer realm=\"/relative\""]), None);
    assert_eq!(challenge(&["Bearer"]), None);
    assert_eq!(challenge(&[]), None);
}

#[test]
fn scopes_are_sets() {
    let one = Scopes::parse("repository:a:push,pull repository:b:pull");
    let other = Scopes::parse("repository:b:pull,pull  repository:a:pull repository:a:push");
    assert_eq!(one, other);
    assert_eq!(one.to_string(), "repository:a:pull,push repository:b:pull");
}

#[test]
fn what_covers_more_covers_less() {
    let both = Scopes::repository("a", &["pull", "push"]).and(&Scopes::repository("b", &["pull"]));
    assert!(both.cover(&Scopes::repository("a", &["pull"])));
    assert!(both.cover(&Scopes::default()));
    assert!(!both.cover(&Scopes::repository("b", &["push"])));
    assert!(!both.cover(&Scopes::repository("c", &["pull"])));
    assert!(Scopes::repository("a", &["*"]).cover(&Scopes::repository("a", &["delete"])));
}

#[test]
fn a_name_with_a_port_keeps_its_colons() {
    let scopes = Scopes::parse("repository:host:5000/app:pull nonsense : a:b");
    assert_eq!(scopes.to_string(), "repository:host:5000/app:pull");
}

#[rstest]
#[case(300, 290)]
#[case(40, 30)]
#[case(4, 3)]
#[case(0, 0)]
fn a_token_is_renewed_before_it_ends(#[case] life: u64, #[case] expected: u64) {
    assert_eq!(use_for(Duration::from_secs(life)), Duration::from_secs(expected));
}

proptest! {
    #[test]
    fn no_header_makes_the_parser_panic(headers in prop::collection::vec("[ -~\\t]{0,120}", 0..4)) {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let _ = challenge(&headers);
    }

    #[test]
    fn nothing_like_a_challenge_makes_the_parser_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "Bearer ", "Basic ", "realm=", "\"https://a.example\"", "\"", "\\", ",", " ", "=", "scope=\"", "repository:a:pull", "\t",
        ]), 0..20),
    ) {
        let _ = challenge(&[parts.concat().as_str()]);
    }

    #[test]
    fn scopes_that_are_written_are_read_again(text in "[a-z:, /]{0,60}") {
        let scopes = Scopes::parse(&text);
        prop_assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
    }
}
