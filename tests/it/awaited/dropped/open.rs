//! Opening, dropped: while nobody reads, while there is nothing, while another holds the end.

use fifowire::awaited::{Client, FifoReader, FifoWriter, Receiver, Sender, Server};
use fifowire::{Fifo, Pair};

use super::{Pace, cut_after, cuts};
use crate::fronts::{BlockOn, Bytewise};
use crate::support::{Scene, ledger, raw};

pub(super) fn opens_that_wait_leave_no_descriptor<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("open.fifo")).unwrap();
    let unread = Fifo::create(scene.path("unread.fifo")).unwrap();
    let nowhere = scene.path("nowhere.fifo");
    let no_pair = Pair::at(scene.directory(), "nowhere").unwrap();
    let pair = Pair::create(scene.directory(), "open").unwrap();
    B::block_on(async {
        let _reader = Receiver::<R, String>::open(fifo.path()).await.unwrap();
        let _alone = Sender::<R, String>::options().exclusive(true).open(fifo.path()).await;
        let _server = Server::<R, String, String>::open(&pair).await.unwrap();
        let _client = Client::<R, String, String>::open(&pair).await.unwrap();
        let before = ledger::descriptors();
        // Woken, it tries again every few milliseconds: that pace is kept up for a few polls only.
        for (polls, pace) in cuts().filter(|(polls, pace)| *pace == Pace::Eager || *polls < 8) {
            let waits = [
                cut_after(polls, pace, Sender::<R, String>::open(unread.path())).await.is_none(),
                cut_after(polls, pace, Sender::<R, String>::open(&nowhere)).await.is_none(),
                cut_after(polls, pace, Sender::<R, String>::open(fifo.path())).await.is_none(),
                cut_after(polls, pace, Receiver::<R, String>::open(&nowhere)).await.is_none(),
                cut_after(polls, pace, Receiver::<R, String>::open(fifo.path())).await.is_none(),
                cut_after(polls, pace, FifoReader::<R>::open(fifo.path())).await.is_none(),
                cut_after(polls, pace, FifoWriter::<R>::open(unread.path())).await.is_none(),
                cut_after(polls, pace, Client::<R, String, String>::open(&pair)).await.is_none(),
                cut_after(polls, pace, Client::<R, String, String>::open(&no_pair)).await.is_none(),
                cut_after(polls, pace, Server::<R, String, String>::open(&pair)).await.is_none(),
                cut_after(polls, pace, Server::<R, String, String>::open(&no_pair)).await.is_none(),
            ];
            assert_eq!(waits, [true; 11], "nothing of it can be opened");
            assert_eq!(ledger::descriptors(), before);
        }
    });
    // Nor is there anybody left in the FIFO itself: a writer of its own finds no reader.
    drop(raw::reader(unread.path()));
}
