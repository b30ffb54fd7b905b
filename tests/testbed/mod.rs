//! What the tests and the benchmarks run against: real registries and the wires to them, and images to put there.
//!
//! Every server listens on a loopback port that the kernel chose, keeps what it stores in a temporary folder, and is
//! ended when its value is dropped. Nothing in here uses the crate's own registry code: what that code writes is
//! judged by other eyes.
//!
//! - [`registry`]: distribution v3, Debian's docker-registry 2.8 and olareg, with passwords, tokens, TLS
//! - [`images`]: reproducible images; [`http`]: puts them there and reads back all that a tag points at
//! - [`referrers`]: signatures and the like, and all that belongs to an image
//! - [`proxy`]: a wire that counts requests and bytes and can fail on purpose; [`toxiproxy`]: a slow wire
//! - [`tokens`]: a token server; [`tls`]: a certificate authority
//! - [`cluster`]: a Kubernetes control plane

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the tests and the benchmarks are programs that each see a part of it"
)]

pub mod cluster;
pub mod http;
pub mod images;
pub mod process;
pub mod proxy;
pub mod referrers;
pub mod registry;
pub mod serve;
pub mod tls;
pub mod tokens;
pub mod toxiproxy;

use std::{
    collections::BTreeSet,
    env,
    net::TcpListener,
    path::PathBuf,
    sync::{LazyLock, Mutex},
};

use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

/// The folder outside the clone that keeps what takes long to make.
pub fn cache() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::home_dir().map(|home| home.join(".cache")));
    cache.expect("either XDG_CACHE_HOME or HOME says where the cache is").join("imagesync-testbed")
}

/// A program that `tests/testbed/install.sh` built.
pub fn program(name: &str) -> PathBuf {
    let path = cache().join("bin").join(name);
    assert!(path.exists(), "{} is not there: run `make tools` first", path.display());
    path
}

/// A temporary folder for what a server stores: in memory where there is room, since registries wait for the disk
/// after every manifest.
pub fn folder() -> TempDir {
    const ROOM: u64 = 2 << 30;
    let memory = "/dev/shm";
    let free = statvfs(memory).map_or(0, |stat| stat.blocks_available() * stat.fragment_size());
    let folder = if free > ROOM { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("there is room for a temporary folder")
}

/// A loopback port that nothing listens on, never the same one twice in this process.
fn free_port() -> u16 {
    static GIVEN: LazyLock<Mutex<BTreeSet<u16>>> = LazyLock::new(Mutex::default);
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        if GIVEN.lock().expect("nothing panics while it holds this").insert(port) {
            return port;
        }
    }
}
