//! FI5: a cancel is an id, an acknowledgement and a boundary behind which nothing of the call
//! comes, bounded by 5 s. Without an acknowledgement the life of the client ends and the next one
//! connects: that is played in `scenarios/a4_cancel/silent.rs`.

use std::sync::Arc;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fate, Pair};

use crate::support::frame::{CANCEL, CANCELLED, Frame, REPLY};
use crate::support::time::{aside, asleep};
use crate::support::{ByHand, ms, scene};

#[test]
fn fi5_a_cancel_ends_at_its_acknowledgement_and_what_comes_behind_it_is_of_nobody() {
    scene(&[], |scene| {
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = ByHand::at(&pair);
        let options = Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes).timeout(ms(20_000));
        let client = Arc::new(options.open(&pair).unwrap());
        let call = client.request(&b"first".to_vec()).begin().unwrap();
        let asked = server.next();
        assert_eq!(u64::from(call.id()), asked.id);
        // A reply that has begun.
        let part = Frame::part(REPLY, (7, asked.id), 0, 10, b"never");
        server.write(&Frame { to: asked.epoch, ..part }.bytes());

        let (canceller, id) = (Arc::clone(&client), call.id());
        let (told, ended) = std::sync::mpsc::channel();
        let cancelling = asleep(move || {
            let cancelled = canceller.cancel(id);
            told.send(()).unwrap();
            cancelled
        });
        let cancel = server.next();
        assert_eq!((cancel.kind, cancel.id), (CANCEL, asked.id));
        // A pong to nobody, an acknowledgement of another call, and one to another life, are none.
        let other = Frame { id: asked.id + 1000, ..cancel.clone() };
        server.answer(&other, CANCELLED, &[2]);
        let elsewhere = Frame { epoch: cancel.epoch ^ 1, ..cancel.clone() };
        server.answer(&elsewhere, CANCELLED, &[2]);
        assert!(ended.recv_timeout(ms(100)).is_err(), "it ended without an acknowledgement");
        server.answer(&cancel, CANCELLED, &[2]);
        cancelling.join().unwrap();
        let error = call.wait().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Some(Fate::Delivered)));
        assert_eq!(client.in_flight(), 0);

        // A server that says more of it all the same is not believed.
        let late = client.stats().late;
        let caller = Arc::clone(&client);
        let next = aside(move || caller.call(&b"next".to_vec()));
        let next_asked = server.next();
        server.answer(&asked, REPLY, b"too late");
        server.answer(&next_asked, REPLY, b"in time");
        assert_eq!(next.join().unwrap(), b"in time");
        assert_eq!(client.stats().late, late + 1);
    });
}

#[test]
fn fi5_a_cancel_is_bounded_by_five_seconds_unless_told_otherwise() {
    let options = format!("{:?}", Client::<u8, u8>::options());
    assert!(options.contains("cancel_timeout: 5s,"), "{options}");
}
