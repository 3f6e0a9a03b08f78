//! Calls that are put again, and keys by which they are one, on every front end.

use fifowire::{ErrorKind, Fate, Pair};

use super::{AsyncIo, Blocking, Front, Repeat, TokioCurrent, TokioMulti};
use crate::support::{Scene, ms, scene_after};

/// Both sides know each other; a client that knew another server learns of its end by this.
async fn meet<F: Front>(client: &F::Client, server: &mut F::Server) {
    let (replied, ()) = F::both(
        async || F::repeat(client, b"hello", Repeat::Idempotent, ms(9000)).await,
        async || {
            let (hello, responder) = F::next(server, ms(9000)).await.unwrap();
            F::answer(responder, &hello).await.unwrap();
        },
    )
    .await;
    assert_eq!(replied.unwrap(), b"hello");
}

fn an_idempotent_call_is_put_to_the_next_server_and_at_most_once_is_not<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "again").unwrap();
    F::block_on(async {
        let client = F::client(&pair, 65_536).await.unwrap();
        for (how, again) in [(Repeat::Idempotent, true), (Repeat::AtMostOnce, false)] {
            let mut first = F::server(&pair, 65_536).await.unwrap();
            meet::<F>(&client, &mut first).await;
            let (outcome, ()) = F::both(
                async || F::repeat(&client, b"pay", how, ms(9000)).await,
                async || {
                    let (_, in_hand) = F::next(&mut first, ms(9000)).await.unwrap();
                    let key = F::key(&in_hand).expect("the client has drawn one");
                    F::abort_server(first);
                    drop(in_hand);
                    let mut second = F::server(&pair, 65_536).await.unwrap();
                    if again {
                        let (pay, responder) = F::next(&mut second, ms(9000)).await.unwrap();
                        assert_eq!((pay, F::key(&responder)), (b"pay".to_vec(), Some(key)));
                        F::answer(responder, b"paid").await.unwrap();
                    } else {
                        // The client may know before, and then has nobody to write to.
                        let nothing = F::next(&mut second, ms(300)).await.map(drop);
                        let kind = nothing.unwrap_err().kind();
                        assert!([ErrorKind::TimedOut, ErrorKind::NoWriter].contains(&kind));
                    }
                    F::abort_server(second);
                },
            )
            .await;
            match outcome {
                Ok(reply) => assert_eq!((again, reply), (true, b"paid".to_vec())),
                Err(error) => {
                    let ended = (again, error.kind(), error.fate());
                    let lost = (false, ErrorKind::PeerClosed, Some(Fate::MaybeDelivered));
                    assert_eq!(ended, lost, "{error}");
                }
            }
        }
        assert!(F::client_stats(&client).retried >= 1);
    });
}

fn the_next_client_has_the_answer_to_what_the_one_before_has_asked<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "key").unwrap();
    F::block_on(async {
        let mut server = F::server(&pair, 65_536).await.unwrap();
        for answered_before in [true, false] {
            let key = 7 + u128::from(answered_before);
            let client = F::client(&pair, 65_536).await.unwrap();
            let taken = async || F::next(&mut server, ms(9000)).await.unwrap().1;
            let mut in_hand = Some(F::begin_and_die(client, b"pay", key, taken).await);
            if answered_before {
                // It is kept, whether the server knows by now that nobody is there to read it or
                // not.
                drop(F::answer(in_hand.take().unwrap(), b"paid").await);
            }
            let client = F::client(&pair, 65_536).await.unwrap();
            let (paid, ()) = F::both(
                async || F::repeat(&client, b"pay", Repeat::Key(key), ms(9000)).await,
                async || {
                    // It is heard, and not handed out again.
                    let nothing = F::next(&mut server, ms(300)).await.map(drop);
                    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::TimedOut);
                    if let Some(responder) = in_hand {
                        F::answer(responder, b"paid").await.unwrap();
                    }
                },
            )
            .await;
            assert_eq!(paid.unwrap(), b"paid");
        }
    });
}

fn a_server_that_knows_too_many_keys_refuses_a_new_one<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "full").unwrap();
    F::block_on(async {
        let mut server = F::forgetful_server(&pair, 1).await.unwrap();
        let client = F::client(&pair, 65_536).await.unwrap();
        for (key, known) in [(1, true), (2, false), (1, true)] {
            let (outcome, ()) = F::both(
                async || F::repeat(&client, b"pay", Repeat::Key(key), ms(9000)).await,
                async || {
                    if let Ok((_, responder)) = F::next(&mut server, ms(300)).await {
                        assert_eq!(F::key(&responder), Some(key.into()));
                        F::answer(responder, b"paid").await.unwrap();
                    }
                },
            )
            .await;
            match outcome {
                Ok(reply) => assert_eq!((known, reply), (true, b"paid".to_vec())),
                Err(error) => {
                    let ended = (known, error.kind(), error.fate());
                    assert_eq!(ended, (false, ErrorKind::Overloaded, Some(Fate::NotSent)));
                }
            }
        }
    });
}

fn all<F: Front>(scene: &Scene) {
    an_idempotent_call_is_put_to_the_next_server_and_at_most_once_is_not::<F>(scene);
    the_next_client_has_the_answer_to_what_the_one_before_has_asked::<F>(scene);
    a_server_that_knows_too_many_keys_refuses_a_new_one::<F>(scene);
}

#[test]
fn blocking_retries() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_retries() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
    });
}

#[test]
fn tokio_multi_thread_retries() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_retries() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}
