//! Tests of claims: `a` is older than `b`, and both want the same tag.

use futures::poll;
use jiff::Timestamp;

use super::{super::fixtures::State, *};
use crate::{
    digest::Digest,
    plan::{Listings, Observed, Seen, decide, select},
};

struct One {
    member: Member,
    selection: Arc<Selection>,
    claim: Option<Claim>,
    stop: CancellationToken,
}

impl One {
    fn new(claims: &Arc<Claims>, state: &State, name: &str) -> Self {
        let member = state.member(name, "v1", "eDp5");
        claims.enter(&member);
        let stop = CancellationToken::new();
        let claim = Some(claims.start(&member.title(), &stop));
        let selection =
            Arc::new(select(&member.wanted, &Listings::new(), &Records::default(), Timestamp::now()));
        Self { member, selection, claim, stop }
    }

    async fn select(&self) {
        self.claim.as_ref().unwrap().select(&self.selection).await;
    }

    /// Decides, where the source has the tag and the target has not; says whether it is copied.
    fn copies(&self) -> bool {
        let source = "registry.example/team/app:v1".parse().unwrap();
        let target = ("copy".to_owned(), "copy.example/team/app:v1".parse().unwrap());
        let observed = Observed {
            sources: [(source, Seen::Digest(Digest::sha256(b"app")))].into(),
            targets: [(target, Seen::Absent)].into(),
            ..Observed::default()
        };
        let Self { member: Member { wanted, .. }, selection, .. } = self;
        let plan = self.claim.as_ref().unwrap().decide(|ownership| {
            decide(wanted, selection, &Records::default(), &observed, ownership, Timestamp::now())
        });
        plan.actions[0].kind.is_change()
    }

    fn end(&mut self) {
        self.claim = None;
    }
}

fn both() -> (One, One, State) {
    let (claims, state) = (Arc::default(), State::new());
    (One::new(&claims, &state, "a"), One::new(&claims, &state, "b"), state)
}

#[tokio::test]
async fn an_older_one_waits_until_a_younger_one_has_stopped_writing_its_tag() {
    let (a, mut b, _state) = both();
    b.select().await;
    assert!(b.copies());
    let mut select = Box::pin(a.select());
    assert!(poll!(&mut select).is_pending());
    assert!(b.stop.is_cancelled());
    b.end();
    select.await;
    assert!(a.copies());
}

#[tokio::test]
async fn a_younger_one_sees_what_an_older_one_is_about_to_write_and_stops_nobody() {
    let (a, b, _state) = both();
    a.select().await;
    assert!(a.copies());
    b.select().await;
    assert!(!a.stop.is_cancelled());
    assert!(!b.copies());
}

#[tokio::test]
async fn a_selection_claims_no_longer_than_its_run() {
    let (mut a, b, _state) = both();
    a.select().await;
    a.end();
    b.select().await;
    assert!(b.copies());
}

#[tokio::test]
async fn what_a_run_claims_outlives_a_change_of_its_manifest() {
    let (claims, state) = (Arc::default(), State::new());
    let (a, b) = (One::new(&claims, &state, "a"), One::new(&claims, &state, "b"));
    a.select().await;
    claims.enter(&a.member);
    b.select().await;
    assert!(!b.copies());
    claims.keep(|title| title == "team/b");
    assert!(b.copies());
}
