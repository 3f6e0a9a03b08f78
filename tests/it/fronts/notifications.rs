//! Requests that want no reply, on every front end.

use std::time::Instant;

use fifowire::{ErrorKind, Fate, Pair};

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::{Scene, ms, scene_after};

fn a_notification_is_handed_out_and_its_answer_is_dropped<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "news").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let client = F::client(&pair, 65_536).await.unwrap();
        for round in 0..20_u8 {
            F::notify(&client, &[round], ms(9000)).await.unwrap();
            assert_eq!(F::in_flight(&client), 0);
            let (news, responder) = F::next(&mut server, ms(9000)).await.unwrap();
            assert_eq!(news, [round]);
            if round % 2 == 0 {
                F::answer(responder, b"as you say").await.unwrap();
            }
        }
        // The pong is behind whatever would have been said.
        let (pong, ()) = F::both(
            async || F::ping(&client, ms(9000)).await,
            async || drop(F::next(&mut server, ms(300)).await.map(drop).unwrap_err()),
        )
        .await;
        assert_eq!(pong.unwrap().server.map(|load| load.taken), Some(20));
        assert_eq!(F::client_stats(&client).events, 1, "the pong, and nothing else");
    });
}

fn a_notification_that_nobody_reads_fails_by_its_deadline<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "unread").unwrap();
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        let began = Instant::now();
        let error = F::notify(&client, b"anybody?", ms(50)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::NoReader, Some(Fate::NotSent)));
        assert!(began.elapsed() < ms(100), "{:?}", began.elapsed());
        let mut server = F::server(&pair, 65_536).await.unwrap();
        let error = F::notify(&client, &vec![7; 1 << 20], ms(50)).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
        let error = F::next(&mut server, ms(50)).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "what timed out is not delivered later");
    });
}

fn all<F: Front>(scene: &Scene) {
    a_notification_is_handed_out_and_its_answer_is_dropped::<F>(scene);
    a_notification_that_nobody_reads_fails_by_its_deadline::<F>(scene);
}

#[test]
fn blocking_notifications() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_notifications() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_notifications() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_notifications() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
