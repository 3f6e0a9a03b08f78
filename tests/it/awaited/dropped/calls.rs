//! Calling and serving, dropped.

use fifowire::awaited::{Client, Server};
use fifowire::codec::Bytes;
use fifowire::{EndOfWriters, ErrorKind, Pair};
use futures_util::future::join;

use super::{POLLS, cut_after, cuts, message, ms};
use crate::fronts::{Awaited, BlockOn, Bytewise, Front};
use crate::support::Scene;
use crate::support::time::aside;

pub(super) fn a_call_leaves_nothing_and_harms_no_other<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "call").unwrap();
    let theirs = Pair::at(scene.directory(), "call").unwrap();
    let serving = aside(move || {
        B::block_on(async {
            let mut server = Awaited::<R, B>::server(&theirs, 65_536).await.unwrap();
            Awaited::<R, B>::obey(&mut server).await.unwrap();
        });
    });
    B::block_on(async {
        let options = Client::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes);
        let client = options.timeout(ms(9000)).open(&pair).await.unwrap();
        let mut number = 0;
        for (polls, pace) in cuts() {
            for _ in 0..3 {
                let (whole, cut) = (message(number), message(number + 1));
                let cutting = cut_after(polls, pace, client.call(&cut));
                let (whole_reply, cut_reply) = join(client.call(&whole), cutting).await;
                assert_eq!(whole_reply.unwrap(), whole);
                if let Some(reply) = cut_reply {
                    assert_eq!(reply.unwrap(), cut);
                }
                assert_eq!(client.in_flight(), 0);
                number += 1;
            }
        }
        client.call(&b"stop".to_vec()).await.unwrap();
    });
    serving.join();
}

pub(super) fn a_server_loses_no_request<R: Bytewise, B: BlockOn>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "serve").unwrap();
    let theirs = Pair::at(scene.directory(), "serve").unwrap();
    let serving = aside(move || {
        B::block_on(async {
            let options = Server::<R, Vec<u8>, Vec<u8>>::options().codec(Bytes);
            let mut server = options.end_of_writers(EndOfWriters::End).open(&theirs).await.unwrap();
            // From one poll on: one that is never polled serves nobody.
            for (polls, pace) in cuts().cycle().filter(|(polls, _)| *polls > 0) {
                let serve = server.serve(|message, _| async move { Ok::<_, String>(message) });
                if let Some(ended) = cut_after(polls, pace, serve).await {
                    return ended.unwrap();
                }
            }
        });
    });
    let client = fifowire::Client::<Vec<u8>, Vec<u8>>::options().codec(Bytes);
    let client = client.timeout(ms(9000)).open(&pair).unwrap();
    let mut replies = 0;
    for number in 0..3 * POLLS as u32 {
        match client.call(&message(number)) {
            Ok(reply) => {
                assert_eq!(reply, message(number));
                replies += 1;
            }
            // Its handler, or its reply, was dropped with the server's future: it was told so.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Remote, "{error}"),
        }
    }
    assert!(replies > POLLS, "most are answered: {replies}");
    drop(client);
    serving.join();
}
