//! Who brings a blob, who waits, and who mounts it.

use futures::FutureExt as _;

use super::*;
use crate::registry::{Keychain, Registries, Settings};

/// A repository, with the credential that belongs to this name, or with none.
fn remote(repository: &str, user: Option<&str>) -> Store {
    let registry = repository.split('/').next().unwrap();
    let keychain = user.map_or_else(Keychain::default, |user| Keychain::password(registry, user, "secret"));
    Registries::new(Settings::default()).unwrap().open(&repository.parse().unwrap(), &keychain).into()
}

fn blob() -> Digest {
    Digest::sha256(b"blob")
}

/// What a claim is, as a word; a ticket is given back.
fn word(claim: &Claim) -> &'static str {
    match claim {
        Claim::Here => "here",
        Claim::Elsewhere(_) => "elsewhere",
        Claim::Yours(_) => "yours",
        Claim::Busy(_) => "busy",
    }
}

#[test]
fn whoever_comes_first_brings_a_blob_and_whoever_else_wants_it_in_that_registry_waits() {
    let known = Known::default();
    let (app, web) = (remote("a.example/app", None), remote("a.example/web", None));
    let ticket = known.claim(&blob(), &app, Trust::Answers, true);
    assert_eq!(word(&ticket), "yours");
    let Claim::Busy(waits) = known.claim(&blob(), &web, Trust::Answers, true) else {
        panic!("it is on its way")
    };
    let Claim::Busy(late) = known.claim(&blob(), &app, Trust::Answers, true) else {
        panic!("not even to the same repository")
    };
    let mut waits = std::pin::pin!(waits);
    assert!(waits.as_mut().now_or_never().is_none());
    drop(ticket);
    assert!(waits.now_or_never().is_some());
    assert!(late.now_or_never().is_some(), "it ended before anybody waited, and that is not missed");
    assert_eq!(
        word(&known.claim(&blob(), &web, Trust::Answers, true)),
        "yours",
        "it failed, so it is somebody else's turn"
    );
}

#[test]
fn other_blobs_other_registries_and_other_credentials_do_not_wait() {
    let known = Known::default();
    let app = remote("a.example/app", None);
    let _ticket = known.claim(&blob(), &app, Trust::Answers, true);
    assert_eq!(word(&known.claim(&Digest::sha256(b"other"), &app, Trust::Answers, true)), "yours");
    assert_eq!(word(&known.claim(&blob(), &remote("b.example/app", None), Trust::Answers, true)), "yours");
    assert_eq!(
        word(&known.claim(&blob(), &remote("a.example/app", Some("me")), Trust::Answers, true)),
        "yours"
    );
}

#[test]
fn what_was_brought_is_here_and_mounted_from_here_elsewhere() {
    let known = Known::default();
    let (app, web) = (remote("a.example/app", None), remote("a.example/web", None));
    known.seen(&blob(), &app);
    assert_eq!(word(&known.claim(&blob(), &app, Trust::Answers, true)), "here");
    let Claim::Elsewhere(from) = known.claim(&blob(), &web, Trust::Answers, true) else {
        panic!("the registry has it")
    };
    assert_eq!(from.repository(), app.repository());
    assert_eq!(word(&known.claim(&blob(), &remote("b.example/app", None), Trust::Answers, true)), "yours");
    assert_eq!(
        word(&known.claim(&blob(), &remote("a.example/app", Some("me")), Trust::Answers, true)),
        "yours"
    );
}

#[test]
fn what_cannot_be_mounted_is_uploaded_by_one_at_a_time() {
    let known = Known::default();
    let (app, web, api) =
        (remote("a.example/app", None), remote("a.example/web", None), remote("a.example/api", None));
    known.seen(&blob(), &app);
    let ticket = known.claim(&blob(), &web, Trust::Answers, false);
    assert_eq!(word(&ticket), "yours");
    assert_eq!(word(&known.claim(&blob(), &api, Trust::Answers, false)), "busy");
    drop(ticket);
    assert_eq!(word(&known.claim(&blob(), &api, Trust::Answers, false)), "yours");
}

#[test]
fn all_targets_are_answered_at_once_and_one_registry_gets_one_ticket() {
    let known = Known::default();
    let targets = ["a.example/app", "a.example/web", "b.example/app", "c.example/app", "c.example/web"]
        .map(|repository| remote(repository, None));
    known.seen(&blob(), &targets[3]);
    let claims = known.claim_all(&blob(), targets.iter(), Trust::Answers);
    let words: Vec<_> = claims.iter().map(word).collect();
    assert_eq!(words, ["yours", "busy", "yours", "here", "elsewhere"]);
}

#[test]
fn what_a_registry_says_that_it_lacks_is_forgotten_there_and_nowhere_else() {
    let known = Known::default();
    let (here, there) = (remote("a.example/app", None), remote("b.example/app", None));
    let kept = Digest::sha256(b"kept");
    for digest in [&blob(), &kept] {
        known.seen(digest, &here);
        known.seen(digest, &there);
    }
    known.forget(here.account(), [&blob()]);
    assert_eq!(word(&known.claim(&blob(), &here, Trust::Answers, true)), "yours");
    assert_eq!(word(&known.claim(&kept, &here, Trust::Answers, true)), "here");
    assert_eq!(word(&known.claim(&blob(), &there, Trust::Answers, true)), "here");
}

#[test]
fn a_blob_that_is_forgotten_while_it_is_brought_is_still_brought_by_one_alone() {
    let known = Known::default();
    let app = remote("a.example/app", None);
    let _ticket = known.claim(&blob(), &app, Trust::Answers, true);
    known.forget(app.account(), [&blob()]);
    assert_eq!(word(&known.claim(&blob(), &app, Trust::Answers, true)), "busy");
}

#[test]
fn where_a_registry_is_not_trusted_only_what_was_sent_there_is_there() {
    let known = Known::default();
    let (app, web) = (remote("a.example/app", None), remote("a.example/web", None));
    known.seen(&blob(), &app);
    assert_eq!(word(&known.claim(&blob(), &app, Trust::Nothing, true)), "yours");
    known.sent(&blob(), &app);
    assert_eq!(word(&known.claim(&blob(), &app, Trust::Nothing, true)), "here");
    assert_eq!(word(&known.claim(&blob(), &web, Trust::Nothing, true)), "yours", "a mount is an answer too");
}

#[test]
fn a_registry_that_never_mounted_is_not_asked_to_any_more() {
    let known = Known::default();
    let (app, web) = (remote("a.example/app", None), remote("a.example/web", None));
    known.seen(&blob(), &app);
    (0..MAX_REFUSED).for_each(|_| known.not_mounted(&web));
    assert_eq!(word(&known.claim(&blob(), &web, Trust::Answers, true)), "yours");
    known.mounted(&Digest::sha256(b"other"), &web);
    assert_eq!(word(&known.claim(&blob(), &web, Trust::Answers, true)), "elsewhere", "one refused some only");
}

#[test]
fn of_a_blob_that_is_everywhere_some_places_are_remembered_each_once() {
    let known = Known::default();
    let all: Vec<_> =
        (0..MAX_PLACES + 5).map(|number| remote(&format!("a.example/app{number}"), None)).collect();
    for place in all.iter().chain(&all) {
        known.seen(&blob(), place);
    }
    let here = all.iter().filter(|place| word(&known.claim(&blob(), place, Trust::Answers, true)) == "here");
    assert_eq!(here.count(), MAX_PLACES);
}
