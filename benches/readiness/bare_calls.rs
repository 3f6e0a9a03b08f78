//! Tokio's pipes by their calls of `read` and `write`.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::OpenOptions;

use super::shared::waits::{LINE_LEN, News, Telling, Word};

/// Reads what comes. That the last writer has left is no end for a reader that waits for the next.
pub(crate) async fn receive(path: PathBuf, telling: Telling) {
    let mut receiver = OpenOptions::new().open_receiver(path).expect("the FIFO is there");
    telling.tell(News::Open);
    let mut buffer = [0; 4096];
    loop {
        if receiver.read(&mut buffer).await.expect("it is readable") > 0 {
            telling.tell(News::Moved);
        }
    }
}

/// Writes once when told to.
pub(crate) async fn send(path: PathBuf, word: Word, telling: Telling) {
    let mut sender = OpenOptions::new().open_sender(path).expect("a reader is there");
    telling.tell(News::Open);
    word.await.expect("the observer says when");
    sender.write_all(&[b'x'; LINE_LEN]).await.expect("the reader is there");
    telling.tell(News::Moved);
}
