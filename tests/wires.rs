//! Wires that are slow, narrow, cut, reset, closed late or stuck, between the program and real registries: what is on its
//! way goes on, and one wire does not hold up another.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;
use tokio::sync::{Notify, Semaphore};

use crate::{
    command::Desk,
    pair::{Pair, is, once, sends, soon},
    testbed::{
        images::{Blob, Image},
        proxy::{Proxy, Seen, Verdict},
        registry::Registry,
        toxiproxy::{Toxiproxy, Way, Wire},
    },
};

/// More bytes than the kernel takes into the buffers of a connection from which hardly anything is read.
const MORE_THAN_BUFFERS: u64 = 24_000_000;
/// In kB a second: buffers that are full do not have room again for minutes.
const HARDLY: u64 = 10;

#[tokio::test]
async fn a_slow_and_narrow_wire_only_takes_longer() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let (from, to) = (toxiproxy.wire(&pair.source.host()).await, toxiproxy.wire(&pair.target.host()).await);
    from.latency(20).await;
    to.bandwidth(Way::Up, 2_000).await;
    Pair::desk(from.host(), to.host()).synced().await;
    pair.assert_copied().await;
}

#[tokio::test]
async fn a_connection_that_is_reset_is_opened_anew() {
    for at_source in [true, false] {
        let pair = Pair::start().await;
        let toxiproxy = Toxiproxy::start().await;
        let (again, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (asked, notify, held) = (AtomicUsize::new(0), Arc::clone(&again), Arc::clone(&gate));
        let upstream = if at_source { pair.source.host() } else { pair.target.host() };
        let proxy = Proxy::with(&upstream, move |_| {
            // Answers are reset, so that the first request comes again, until the wire is good.
            if asked.fetch_add(1, Ordering::SeqCst) == 1 {
                notify.notify_one();
                return Verdict::Hold(Arc::clone(&held));
            }
            Verdict::Pass
        })
        .await;
        let wire = toxiproxy.wire(&proxy.host()).await;
        wire.reset(Way::Down).await;
        let desk = if at_source {
            Pair::desk(wire.host(), &pair.target.host())
        } else {
            Pair::desk(&pair.source.host(), wire.host())
        };
        let mend = async {
            soon("the first request comes again", again.notified()).await;
            wire.up().await;
            gate.add_permits(1);
        };
        tokio::join!(desk.synced(), mend);
        pair.assert_copied().await;
        let requests = proxy.requests();
        assert_eq!(
            (&requests[0].method, &requests[0].path),
            (&requests[1].method, &requests[1].path),
            "it was asked again"
        );
    }
}

#[tokio::test]
async fn a_registry_whose_connections_are_all_reset_is_unavailable() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let wire = toxiproxy.wire(&pair.target.host()).await;
    wire.reset(Way::Down).await;
    let ran = Pair::desk(&pair.source.host(), wire.host()).sync().await.expect(1);
    assert!(ran.stdout.contains("Unavailable"), "{}", ran.stdout);
    pair.assert_nothing_published().await;
}

#[tokio::test]
async fn connections_that_end_amid_a_download_are_read_on_from() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let from = Proxy::start(&pair.source.host()).await;
    let wire = toxiproxy.wire(&from.host()).await;
    // No connection lives long enough for one of the large layers.
    wire.limit(Way::Down, 200_000).await;
    Pair::desk(wire.host(), &pair.target.host()).synced().await;
    pair.assert_copied().await;
    let large = format!("/blobs/{}", pair.large().digest);
    let requests: Vec<Seen> =
        from.requests().into_iter().filter(|seen| seen.path.ends_with(&large)).collect();
    assert!(requests.iter().any(|seen| seen.header("range").is_some()), "it goes on with a range");
}

#[tokio::test]
async fn connections_that_end_amid_an_upload_are_gone_on_from() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let to = Proxy::start(&pair.target.host()).await;
    let wire = toxiproxy.wire(&to.host()).await;
    wire.limit(Way::Up, 200_000).await;
    Pair::desk(&pair.source.host(), wire.host()).synced().await;
    pair.assert_copied().await;
    assert!(to.count(&Method::PATCH, "/blobs/uploads/") >= 2, "both large layers go on in their sessions");
}

#[tokio::test]
async fn a_torn_answer_whose_connection_is_closed_late_is_read_on_from() {
    let pair = Pair::start().await;
    let toxiproxy = Toxiproxy::start().await;
    let path = format!("/blobs/{}", pair.large().digest);
    let (_, rule) = once(is(Method::GET, &path), || Verdict::TearResponse(100_000));
    let from = Proxy::with(&pair.source.host(), rule).await;
    let wire = toxiproxy.wire(&from.host()).await;
    wire.slow_close(Way::Down, 700).await;
    Pair::desk(wire.host(), &pair.target.host()).synced().await;
    pair.assert_copied().await;
    let seen: Vec<Seen> = from.requests().into_iter().filter(|seen| seen.path.ends_with(&path)).collect();
    assert_eq!((seen.len(), seen[0].down()), (2, 100_000));
    assert!(seen[1].header("range").is_some());
}

/// A source with an image that has one layer which no buffers hold.
async fn source_of_much() -> (Registry, Image, Blob) {
    let source = Registry::v3().start().await;
    let image = Image::single(3, &[MORE_THAN_BUFFERS]);
    source.push("team/app", "v1", &image).await;
    let layer = image.blobs[1].clone();
    (source, image, layer)
}

/// The wire to a registry that hardly takes anything until it is mended.
struct Jam {
    proxy: Proxy,
    wire: Wire,
    /// The large layer is sent for the second time, from the beginning or from where its session stands.
    again: Arc<Notify>,
}

impl Jam {
    async fn before(registry: &Registry, toxiproxy: &Toxiproxy, layer: &Blob) -> Self {
        let again = Arc::new(Notify::new());
        let (begins, tries, notify) = (sends(layer), AtomicUsize::new(0), Arc::clone(&again));
        let proxy = Proxy::with(&registry.host(), move |request| {
            if (begins(request) || request.method == Method::PATCH)
                && tries.fetch_add(1, Ordering::SeqCst) == 1
            {
                notify.notify_one();
            }
            Verdict::Pass
        })
        .await;
        let wire = toxiproxy.wire(&proxy.host()).await;
        wire.bandwidth(Way::Up, HARDLY).await;
        Self { proxy, wire, again }
    }
}

#[tokio::test]
async fn an_upload_that_stands_still_for_a_minute_goes_on_in_another_connection() {
    let (source, image, layer) = source_of_much().await;
    let target = Registry::v3().start().await;
    let toxiproxy = Toxiproxy::start().await;
    let jam = Jam::before(&target, &toxiproxy, &layer).await;
    let desk = Pair::desk(&source.host(), jam.wire.host());
    let mend = async {
        soon("it is sent again", jam.again.notified()).await;
        jam.wire.up().await;
    };
    tokio::join!(desk.synced(), mend);
    assert_eq!(target.digest("team/app", "v1").await.as_ref(), Some(image.digest()));
    target.complete("team/app", "v1").await;
    let begun =
        jam.proxy.requests().into_iter().find(|seen| seen.header("content-length") == Some("24000000"));
    assert_eq!(begun.expect("it was begun").status(), 0, "and never answered");
}

#[tokio::test]
async fn a_target_that_takes_nothing_is_let_go_and_fed_alone_after_the_others() {
    let (source, image, layer) = source_of_much().await;
    let (quick, stuck) = tokio::join!(Registry::v3().start(), Registry::v3().start());
    let from = Proxy::start(&source.host()).await;
    let toxiproxy = Toxiproxy::start().await;
    let jam = Jam::before(&stuck, &toxiproxy, &layer).await;
    let desk = Desk::new(&format!(
        "images:\n- name: app\n  source: {}/team/app:v1\n\
         targets:\n- name: quick\n  repository: {}/{{path}}\n- name: stuck\n  repository: {}/{{path}}",
        from.host(),
        quick.host(),
        jam.wire.host()
    ));
    let watch = async {
        soon("it is fed alone", jam.again.notified()).await;
        assert!(has(&quick, &layer).await, "the other target was not held up");
        assert!(!has(&stuck, &layer).await);
        jam.wire.up().await;
    };
    tokio::join!(desk.synced(), watch);
    for target in [&quick, &stuck] {
        assert_eq!(target.digest("team/app", "v1").await.as_ref(), Some(image.digest()));
        target.complete("team/app", "v1").await;
    }
    let reads = from.count(&Method::GET, &format!("/blobs/{}", layer.digest));
    // A try more is possible before the wire is mended.
    assert!((2..=3).contains(&reads), "once for both, and once for the one that was let go: {reads}");
}

/// Whether a registry has a blob.
async fn has(registry: &Registry, blob: &Blob) -> bool {
    let at = format!("blobs/{}", blob.digest);
    registry.request(Method::HEAD, "team/app", &at).send().await.unwrap().status().is_success()
}
