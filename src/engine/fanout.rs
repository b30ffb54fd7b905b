//! One reading of a blob, written to several repositories at the same time.

use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::join_all,
    stream::{self, FuturesUnordered, Stream},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    error::Error,
    pace::Pace,
    upload::{Tried, try_once},
};
use crate::{
    registry::Blob,
    store::{Store, Upload},
};

/// Chunks that wait for a target that is slower than the others.
const DEPTH: usize = 4;

type Chunk = Result<Bytes, Error>;

/// The reader's end of one target.
struct Mouth {
    chunks: mpsc::Sender<Chunk>,
    /// Answered when the target begins to take, and when it never will.
    begins: oneshot::Receiver<()>,
}

/// Reads `source` once and sends it to every target; `tell` hears of each, by its number, as soon as it ended.
///
/// # Guarantees
///
/// Memory is bounded by a few chunks, whatever the blob's size. A target that fails, or takes nothing for a while, does
/// not fail the others. If the source fails then no target has the blob: its last bytes are withheld until they are
/// known to be right.
pub(crate) async fn fan_out<S>(
    source: S,
    blob: &Blob,
    targets: Vec<(&Store, Option<Upload>)>,
    mut tell: impl FnMut(usize, Tried),
) where
    S: Stream<Item = Chunk> + Send,
{
    let (mouths, bodies): (Vec<_>, Vec<_>) = targets.iter().map(|_| mouth()).unzip();
    let feeds = targets.into_iter().zip(bodies).enumerate().map(|(index, ((target, session), chunks))| {
        let pace = Pace::fed_with_others(blob.size);
        let body = pace.watch(chunks, |_| {});
        async move { (index, try_once(target, blob, session, body, &pace).await) }
    });
    let mut feeds: FuturesUnordered<_> = feeds.collect();
    let fed = async {
        while let Some((index, tried)) = feeds.next().await {
            tell(index, tried);
        }
    };
    tokio::join!(distribute(source, mouths), fed);
}

/// A channel, the second end of which is the body of an upload.
fn mouth() -> (Mouth, stream::BoxStream<'static, Chunk>) {
    let (chunks, taken) = mpsc::channel(DEPTH);
    let (begun, begins) = oneshot::channel::<()>();
    let body = stream::unfold((taken, Some(begun)), |(mut taken, begun)| async move {
        // Its end is the answer.
        drop(begun);
        taken.recv().await.map(|chunk| (chunk, (taken, None)))
    });
    (Mouth { chunks, begins }, body.boxed())
}

/// Hands every chunk to every target that still takes it; ends when the source does, or no target is left. An error
/// goes to the targets too: a mere end could be taken for the end of the blob.
async fn distribute<S>(source: S, mouths: Vec<Mouth>)
where
    S: Stream<Item = Chunk>,
{
    // The source is not opened while a target waits for its turn: it would be held up, and the others with it.
    let mut left = Vec::with_capacity(mouths.len());
    join_all(mouths.into_iter().map(|Mouth { chunks, begins }| {
        left.push(chunks);
        begins
    }))
    .await;
    let mut source = std::pin::pin!(source);
    while let Some(chunk) = source.next().await {
        let is_end = chunk.is_err();
        let sends = left.iter().map(|target| target.send(chunk.clone()));
        let taken = join_all(sends).await;
        let mut taken = taken.iter().map(Result::is_ok);
        left.retain(|_| taken.next().unwrap_or(false));
        if is_end || left.is_empty() {
            break;
        }
    }
}
