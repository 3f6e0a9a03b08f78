//! The library's waits without a runtime.

use std::path::Path;
use std::time::Duration;

use fifowire::codec::Text;
use fifowire::framing::Lines;
use fifowire::{Receiver, Sender};

use super::shared::waits::{LINE_LEN, News, Telling, Word};

/// Receives lines.
pub(crate) fn receive(path: &Path, telling: &Telling) {
    let options = Receiver::<String>::options().codec(Text).framing(Lines::default());
    let mut receiver = options.open(path).expect("the FIFO is there");
    telling.tell(News::Open);
    loop {
        receiver.recv().expect("a line");
        telling.tell(News::Moved);
    }
}

/// Sends one line when told to.
pub(crate) fn send(path: &Path, word: Word, telling: &Telling) {
    let options = Sender::<String>::options().codec(Text).framing(Lines::default());
    let options = options.timeout(PATIENCE).stall_timeout(PATIENCE);
    let mut sender = options.open(path).expect("a reader is there");
    telling.tell(News::Open);
    word.blocking_recv().expect("the observer says when");
    sender.send(&"x".repeat(LINE_LEN)).expect("there is room in the end");
    telling.tell(News::Moved);
}

/// Longer than anybody looks.
const PATIENCE: Duration = Duration::from_secs(600);
