//! Tokio's pipes, used as their documentation shows: wait until it is ready, try, and where that
//! would block go on.

use std::io::ErrorKind::WouldBlock;
use std::path::PathBuf;

use tokio::net::unix::pipe::OpenOptions;

use super::{LINE_LEN, News, Telling, Word};

/// Reads what comes. That the last writer has left is no end for a reader that waits for the next.
pub(crate) async fn receive(path: PathBuf, telling: Telling) {
    let receiver = OpenOptions::new().open_receiver(path).expect("the FIFO is there");
    telling.tell(News::Open);
    let mut buffer = [0; 4096];
    loop {
        receiver.readable().await.expect("a runtime is there");
        match receiver.try_read(&mut buffer) {
            Ok(0) => {}
            Ok(_) => telling.tell(News::Moved),
            Err(error) if error.kind() == WouldBlock => {}
            Err(error) => panic!("read: {error}"),
        }
    }
}

/// Writes once when told to.
pub(crate) async fn send(path: PathBuf, word: Word, telling: Telling) {
    let sender = OpenOptions::new().open_sender(path).expect("a reader is there");
    telling.tell(News::Open);
    word.await.expect("the observer says when");
    loop {
        sender.writable().await.expect("a runtime is there");
        match sender.try_write(&[b'x'; LINE_LEN]) {
            Ok(_) => break,
            Err(error) if error.kind() == WouldBlock => {}
            Err(error) => panic!("write: {error}"),
        }
    }
    telling.tell(News::Moved);
}
