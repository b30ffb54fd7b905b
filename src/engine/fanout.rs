//! One reading of a blob, written to several repositories at the same time.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::join_all,
    stream::{self, Stream},
};
use tokio::sync::mpsc;

use super::{error::Error, pace::Pace, upload::Start};
use crate::registry::{Blob, Remote, Upload};

/// Chunks that wait for a target that is slower than the others.
const DEPTH: usize = 4;
/// A target that takes nothing for so long is let go, so that it does not hold the others up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a target.
pub(crate) enum Fed {
    /// The registry has the blob.
    Done,
    /// It was let go, or its connection tore: it is to be fed alone, from where its session stands.
    LetGo(Start),
}

/// Reads `source` once and sends it to every target.
///
/// # Guarantees
///
/// Memory is bounded by a few chunks, whatever the blob's size. A target that fails or stalls does not fail the
/// others. The answers are in the targets' order.
///
/// # Errors
///
/// The source's, and then no target has the blob: its last bytes are withheld until they are known to be right.
pub(crate) async fn fan_out<S>(
    source: S,
    blob: &Blob,
    targets: Vec<(Remote, Option<Upload>)>,
) -> Result<Vec<Fed>, Error>
where
    S: Stream<Item = Chunk> + Send,
{
    let (senders, chunks): (Vec<_>, Vec<_>) = targets.iter().map(|_| mpsc::channel(DEPTH)).unzip();
    let feeds = targets.into_iter().zip(chunks).map(|((target, session), chunks)| async move {
        let upload = match session {
            Some(upload) => Ok(upload),
            None => target.start_upload().await,
        };
        match upload {
            Ok(upload) => feed(blob, upload, chunks).await,
            Err(_) => Fed::LetGo(Start::Fresh(None)),
        }
    });
    let (read, fed) = tokio::join!(distribute(source, senders), join_all(feeds));
    if let Err(error) = read {
        for fed in fed {
            if let Fed::LetGo(Start::Torn(upload)) = fed {
                upload.cancel().await;
            }
        }
        return Err(error);
    }
    Ok(fed)
}

type Chunk = Result<Bytes, Error>;

/// Sends what comes out of the channel. Whoever is let go closes the channel, which tells the reader.
async fn feed(blob: &Blob, mut upload: Upload, chunks: mpsc::Receiver<Chunk>) -> Fed {
    let pace = Pace::new(blob.size);
    let chunks =
        stream::unfold(chunks, |mut chunks| async { chunks.recv().await.map(|chunk| (chunk, chunks)) });
    let body = pace.watch(chunks, |_| {});
    tokio::select! {
        sent = upload.put(blob, 0, body) => if sent.is_ok() { return Fed::Done },
        () = pace.stalled(PATIENCE) => {}
    }
    Fed::LetGo(Start::Torn(upload))
}

/// Hands every chunk to every target that still takes it; ends when the source does, or no target is left.
async fn distribute<S>(source: S, mut senders: Vec<mpsc::Sender<Chunk>>) -> Result<(), Error>
where
    S: Stream<Item = Chunk>,
{
    let mut source = std::pin::pin!(source);
    while let Some(chunk) = source.next().await {
        let mut left = Vec::with_capacity(senders.len());
        for sender in senders {
            // An error goes to the targets too: a mere end could be taken for the end of the blob.
            if sender.send(chunk.clone()).await.is_ok() {
                left.push(sender);
            }
        }
        chunk?;
        if left.is_empty() {
            break;
        }
        senders = left;
    }
    Ok(())
}
