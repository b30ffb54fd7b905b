//! Two writers at once, `kill -9` at any instant, and a disk that is full.

use std::{
    env,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{complete, parts};
use crate::{
    command::Desk,
    testbed::{
        images::{Format, Image, Layer},
        proxy::{Proxy, Verdict},
        registry::Registry,
    },
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

#[tokio::test]
async fn two_processes_that_write_one_layout_at_once_leave_both_tags() {
    let source = Registry::v3().start().await;
    let base = Layer::new(5, 60_000);
    let image = |seed| Image::of(Format::Oci, "linux/amd64", vec![base.clone(), Layer::new(seed, 2_000)]);
    let images = [image(1), image(2)];
    for (tag, image) in ["v1", "v2"].into_iter().zip(&images) {
        source.push("app", tag, image).await;
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let out = folder.path().join(round.to_string());
        let desk = |tag| {
            Desk::new(&format!(
                "images:\n- {{name: app, source: '{}/app:{tag}'}}\ntargets:\n- {{name: copy, repository: 'oci:{}'}}",
                source.host(),
                out.display()
            ))
        };
        let (a, b) = (desk("v1"), desk("v2"));
        tokio::join!(a.synced(), b.synced());
        let tags = complete(&out);
        assert_eq!(tags.get("v1"), Some(images[0].digest()), "round {round}");
        assert_eq!(tags.get("v2"), Some(images[1].digest()), "round {round}");
        assert_eq!(parts(&out), 0, "round {round}");
    }
}

/// How often a run is killed; `make soak` asks for more.
fn kills() -> usize {
    let asked = std::env::var("IMAGESYNC_KILLS").ok();
    asked.map_or(50, |kills| kills.parse::<usize>().expect("a number").div_ceil(4))
}

/// A whole run asks the source about so many times; what comes later kills a run that is writing its last, or done.
const REQUESTS: usize = 18;
/// After so many kills it begins anew, with a layout that is not there.
const ERA: usize = 10;

#[tokio::test]
async fn whatever_instant_a_run_is_killed_at_every_tag_of_a_layout_is_complete() {
    let source = Registry::v3().start().await;
    let (seen, limit) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let due = Arc::new(Notify::new());
    let rule = {
        let (seen, limit, due) = (Arc::clone(&seen), Arc::clone(&limit), Arc::clone(&due));
        move |_: &http::request::Parts| {
            if seen.fetch_add(1, Ordering::SeqCst) == limit.load(Ordering::SeqCst) {
                due.notify_one();
            }
            Verdict::Pass
        }
    };
    let from = Proxy::with(&source.host(), rule).await;
    let mut random = fastrand::Rng::with_seed(11);
    let (mut old, mut new, mut absent, mut left) = (0, 0, 0, 0);
    let mut desk = None;
    let mut before = None;
    for kill in 0..kills() {
        if kill % ERA == 0 {
            before = None;
            desk = Some(Desk::new(&format!(
                "images:\n- {{name: app, source: '{}/app:v1'}}\ntargets:\n- {{name: copy, repository: 'oci:out'}}",
                from.host()
            )));
        }
        let desk = desk.as_ref().unwrap();
        let out = desk.path().join("out");
        let image = Image::multi(random.u64(..), &PLATFORMS, &[200_000, 2_000, 50_000]);
        source.push("app", "v1", &image).await;
        seen.store(0, Ordering::SeqCst);
        limit.store(random.usize(..REQUESTS), Ordering::SeqCst);
        // A moment later it writes what it was sent.
        let moment = Duration::from_micros(random.u64(..6_000));
        let mut run = desk.start();
        tokio::select! {
            () = async { due.notified().await; tokio::time::sleep(moment).await } => run.kill().await.unwrap(),
            status = run.wait() => assert!(status.unwrap().code().is_some(), "nobody else kills it"),
        }
        match complete(&out).get("v1") {
            None => absent += 1,
            Some(digest) if digest == image.digest() => new += 1,
            there => {
                assert_eq!(there, before.as_ref());
                old += 1;
            }
        }
        left += parts(&out);
        limit.store(usize::MAX, Ordering::SeqCst);
        desk.synced().await;
        assert_eq!(complete(&out).get("v1"), Some(image.digest()));
        assert_eq!(parts(&out), 0, "the next writer removes what a crash left");
        before = Some(image.digest().clone());
    }
    println!("absent {absent}, old {old}, new {new}, files that were not whole {left}");
    // The instants are spread over the runs.
    assert!(absent > 0 && old > 0 && new > 0 && left > 0, "{absent} {old} {new} {left}");
}

/// Runs the program with a file system of two MiB at `out`, first with `sync.yaml` and then with `large.yaml`, and keeps what is
/// in it at the end.
fn run_on_a_small_disk(desk: &Path) -> Option<(i32, String)> {
    let program = env!("CARGO_BIN_EXE_imagesync");
    let script = format!(
        "mkdir out && mount -t tmpfs -o size=2m none out || exit 99\n\
         {program} sync -f sync.yaml || exit 98\n\
         {program} sync -f large.yaml; code=$?\n\
         cp -a out kept; exit $code"
    );
    let mut command = Command::new("unshare");
    // In a user namespace of its own, whoever runs the tests may mount.
    command.args(["-rm", "sh", "-c", &script]).current_dir(desk).env_clear();
    command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("HOME", desk).env("DOCKER_CONFIG", desk).env("XDG_STATE_HOME", desk.join("state"));
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        // A sandbox that has no mounts; the unit tests of errors remain.
        Some(99 | 1) if said.contains("unshare") || said.contains("mount:") => None,
        code => Some((code.unwrap_or(-1), said.into_owned())),
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_half_published() {
    let source = Registry::v3().start().await;
    let (small, large) = (Image::single(1, &[5_000]), Image::single(2, &[100_000, 5_000_000]));
    source.push("app", "small", &small).await;
    source.push("app", "large", &large).await;
    let spec = |tag| {
        format!(
            "images:\n- {{name: app, source: '{}/app:{tag}'}}\ntargets:\n- {{name: copy, repository: 'oci:out/{{path}}'}}",
            source.host()
        )
    };
    let desk = Desk::new(&spec("large"));
    let large_sync = std::fs::read_to_string(desk.path().join("sync.yaml")).unwrap();
    desk.write("large.yaml", &large_sync.replace("name: test", "name: large"));
    desk.manifest(&spec("small"));
    let Some((code, said)) = run_on_a_small_disk(desk.path()) else {
        eprintln!("left out: this sandbox does not permit a mount");
        return;
    };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no room to write") && said.contains("Unavailable"), "{said}");
    let kept = desk.path().join("kept/app");
    let tags = complete(&kept);
    assert_eq!(tags.get("small"), Some(small.digest()), "{said}");
    assert_eq!(tags.get("large"), None);
    assert_eq!(parts(&kept), 0, "what was written of it is given back");
}
