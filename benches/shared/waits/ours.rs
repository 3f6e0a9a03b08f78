//! Ours, on whatever runtime.

use std::path::PathBuf;
use std::time::Duration;

use fifowire::awaited::{Receiver, Runtime, Sender};
use fifowire::codec::Text;
use fifowire::framing::Lines;

use super::{LINE_LEN, News, Telling, Word};

/// Receives lines.
pub(crate) async fn receive<R: Runtime>(path: PathBuf, telling: Telling) {
    let options = Receiver::<R, String>::options().codec(Text).framing(Lines::default());
    let mut receiver = options.open(&path).await.expect("the FIFO is there");
    telling.tell(News::Open);
    loop {
        receiver.recv().await.expect("a line");
        telling.tell(News::Moved);
    }
}

/// Sends one line when told to.
pub(crate) async fn send<R: Runtime>(path: PathBuf, word: Word, telling: Telling) {
    let options = Sender::<R, String>::options().codec(Text).framing(Lines::default());
    let options = options.timeout(PATIENCE).stall_timeout(PATIENCE);
    let mut sender = options.open(&path).await.expect("a reader is there");
    telling.tell(News::Open);
    word.await.expect("the observer says when");
    sender.send(&"x".repeat(LINE_LEN)).await.expect("there is room in the end");
    telling.tell(News::Moved);
}

/// Longer than anybody looks.
const PATIENCE: Duration = Duration::from_secs(600);
