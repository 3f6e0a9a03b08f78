//! A thousand times a call is cancelled wherever it is, and another is made: nothing of the
//! cancelled one is in it. A quarter of them is played on each front end.
//!
//! The requests and replies carry checksums of their own, and each reply says which requests the
//! server has handed out since the last: those that are said not to have been sent were not among
//! them.

use fifowire::codec::Bytes;
use fifowire::{ErrorKind, Fate, Pair, Result, Server};

use super::{LARGE, LIMIT, PATIENCE};
use crate::fronts::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::random::{Random, tag_of};
use crate::support::scene::{Role, play};
use crate::support::{Line, Peer, Scene, until};

/// On each of four front ends.
const CYCLES: u32 = 250;

/// What both FIFOs hold: a long message passes in dozens of pieces.
const CAPACITY: usize = 4096;

/// Where a call is when it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Behind another request; not a byte of it is written.
    Queued,
    /// In the middle of a request of 200 KB.
    MidRequest,
    /// Read by the server, which has another in its handler.
    Waiting,
    InHandler,
    /// In the middle of a reply of 1 MB, of which some pings let 200 KB pass.
    MidReply,
}

const STAGES: [Stage; 5] =
    [Stage::Queued, Stage::MidRequest, Stage::Waiting, Stage::InHandler, Stage::MidReply];

/// What is asked of the server, in the lowest bits of a tag.
const NEXT: u32 = 0;
const LINGER: u32 = 1;
const REPLY_AT_LENGTH: u32 = 2;
/// Lingers too, and does not say so: most often it never comes.
const QUIET: u32 = 3;
const STOP: u32 = 4;
const WHAT: u32 = 7;

const ROLES: [Role; 1] = [("server", tells_what_it_was_asked)];

#[test]
fn a4_nothing_of_what_a_blocking_client_cancels_reaches_the_next() {
    play(LIMIT, &ROLES, Blocking::prepare, |scene| {
        nothing_of_a_cancelled_call_reaches_the_next::<Blocking>(scene);
    });
}

#[test]
fn a4_nothing_of_what_a_client_on_tokio_current_thread_cancels_reaches_the_next() {
    play(LIMIT, &ROLES, TokioCurrent::prepare, |scene| {
        nothing_of_a_cancelled_call_reaches_the_next::<TokioCurrent>(scene);
    });
}

#[test]
fn a4_nothing_of_what_a_client_on_tokio_multi_thread_cancels_reaches_the_next() {
    play(LIMIT, &ROLES, TokioMulti::prepare, |scene| {
        nothing_of_a_cancelled_call_reaches_the_next::<TokioMulti>(scene);
    });
}

#[test]
fn a4_nothing_of_what_a_client_on_async_io_cancels_reaches_the_next() {
    play(LIMIT, &ROLES, AsyncIo::prepare, |scene| {
        nothing_of_a_cancelled_call_reaches_the_next::<AsyncIo>(scene);
    });
}

fn nothing_of_a_cancelled_call_reaches_the_next<F: Front>(scene: &Scene) {
    let pair = Pair::create(scene.directory(), "agent").unwrap();
    let server = scene.start("server", &[]);
    F::block_on(async {
        let client = F::client(&pair, CAPACITY).await.unwrap();
        let mut cycle = Cycle::<F> {
            client: &client,
            server,
            random: Random::seeded(),
            last_tag: 0,
            handed_out: Vec::new(),
        };
        let mut fates = Vec::new();
        for count in 0..CYCLES {
            let stage = STAGES[count as usize % STAGES.len()];
            let fate = cycle.cancel_at(stage).await;
            fates.push((stage, fate));
            cycle.next().await;
        }
        // What a stage is there for: more often than not it was met.
        for stage in STAGES {
            let meant = match stage {
                Stage::Queued | Stage::MidRequest | Stage::Waiting => Fate::NotSent,
                Stage::InHandler | Stage::MidReply => Fate::Delivered,
            };
            let met = fates.iter().filter(|fate| **fate == (stage, Some(meant))).count();
            eprintln!("{stage:?}: {met} times {meant:?}");
            assert!(met * 2 > CYCLES as usize / STAGES.len(), "{stage:?}: {met} times {meant:?}");
        }
        assert_eq!(F::in_flight(&client), 0);
        let stats = F::client_stats(&client);
        assert_eq!((stats.late, stats.poisoned, stats.unknown), (0, 0, 0));
        assert_eq!(stats.peers_lost, 0);
        // Of a reply that is taken back, the frame that was cut is voided, and no other follows.
        assert!(stats.torn <= u64::from(CYCLES) / STAGES.len() as u64, "{stats:?}");
        let stop = cycle.message(STOP, 8);
        F::call(&client, &stop, PATIENCE).await.unwrap();
        cycle.server.finish();
    });
}

struct Cycle<'a, F: Front> {
    client: &'a F::Client,
    server: Peer,
    random: Random,
    last_tag: u32,
    /// The tags of requests that the server had since the last `NEXT`, as far as their callers
    /// were told: with `None`, it may have had it or not.
    handed_out: Vec<(u32, Option<bool>)>,
}

impl<F: Front> Cycle<'_, F> {
    fn message(&mut self, what: u32, len: usize) -> Vec<u8> {
        self.last_tag += WHAT + 1;
        self.random.checked(self.last_tag | what, len)
    }

    /// Has a call cancelled at this stage; answers what its caller was told of it.
    async fn cancel_at(&mut self, stage: Stage) -> Option<Fate> {
        let client = self.client;
        // Each ping and its pong go through the two FIFOs between what else is on its way there.
        let pings = self.random.below(4);
        let ping = async |count| {
            for _ in 0..count {
                F::ping(client, PATIENCE).await.unwrap();
            }
        };
        match stage {
            Stage::Queued => {
                let (before, len) = (self.message(QUIET, LARGE), self.random.length(8, LARGE));
                let victim = self.message(QUIET, len);
                let mut ended = None;
                let behind = F::begin_and_cancel(client, &before, async || {
                    ended = Some(F::begin_and_cancel(client, &victim, async || {}).await);
                });
                let first = behind.await;
                self.account(&before, first);
                self.account(&victim, ended.unwrap())
            }
            Stage::MidRequest => {
                let victim = self.message(QUIET, LARGE);
                let ended =
                    F::begin_and_cancel(client, &victim, async || ping(pings / 2).await).await;
                self.account(&victim, ended)
            }
            Stage::Waiting => {
                let (before, victim) = (self.message(LINGER, 8), self.message(LINGER, 8));
                let mut ended = None;
                let server = &mut self.server;
                let behind = F::begin_and_cancel(client, &before, async || {
                    server.expect("I linger");
                    let until = async || {
                        F::ping(client, PATIENCE).await.unwrap();
                    };
                    ended = Some(F::begin_and_cancel(client, &victim, until).await);
                });
                let first = behind.await;
                self.account(&before, first);
                self.account(&victim, ended.unwrap())
            }
            Stage::InHandler => {
                let victim = self.message(LINGER, 8);
                let server = &mut self.server;
                let until = async || server.expect("I linger");
                let ended = F::begin_and_cancel(client, &victim, until).await;
                self.account(&victim, ended)
            }
            Stage::MidReply => {
                let victim = self.message(REPLY_AT_LENGTH, 8);
                let server = &mut self.server;
                let until = async || {
                    server.expect("I reply at length");
                    ping(pings).await;
                };
                let ended = F::begin_and_cancel(client, &victim, until).await;
                self.account(&victim, ended)
            }
        }
    }

    /// What became of a request, as its caller was told.
    fn account(&mut self, request: &[u8], ended: Result<Vec<u8>>) -> Option<Fate> {
        let tag = tag_of(request).unwrap();
        let (fate, had) = match ended {
            Ok(reply) => {
                assert_eq!(tag_of(&reply), Some(tag), "the reply of another");
                (None, Some(true))
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
                let had = match error.fate() {
                    Some(Fate::NotSent) => Some(false),
                    Some(Fate::Delivered) => Some(true),
                    _ => None,
                };
                (error.fate(), had)
            }
        };
        self.handed_out.push((tag, had));
        fate
    }

    /// A call with its reply, and nothing else in it.
    async fn next(&mut self) {
        let len = match self.random.below(8) {
            0 => LARGE,
            _ => self.random.length(8, 10_000),
        };
        let request = self.message(NEXT, len);
        let reply = F::call(self.client, &request, PATIENCE).await.unwrap();
        let tags = reply.chunks(4).map(|tag| u32::from_le_bytes(tag.try_into().unwrap()));
        let mut tags: Vec<_> = tags.collect();
        assert_eq!(tags.pop(), tag_of(&request), "the reply of another");
        for (tag, had) in self.handed_out.drain(..) {
            let there = tags.first() == Some(&tag);
            tags.drain(..usize::from(there));
            assert!(had.is_none_or(|had| had == there), "{tag}: {had:?}, and then {there}");
        }
        assert!(tags.is_empty(), "{tags:?} were handed out and nobody knows of them");
    }
}

/// Tells each that says `NEXT` what was handed out before it; none of it torn.
fn tells_what_it_was_asked(line: &mut Line) {
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let options = Server::<Vec<u8>, Vec<u8>>::options().codec(Bytes).capacity(CAPACITY);
    let mut server = options.open(&pair).unwrap();
    let (mut random, mut tags) = (Random::new(1), Vec::new());
    let served = server.serve(|request, context| {
        let tag = tag_of(&request).ok_or("a torn request was handed out")?;
        tags.extend(tag.to_le_bytes());
        Ok::<_, &str>(match tag & WHAT {
            NEXT => std::mem::take(&mut tags),
            what @ (LINGER | QUIET) => {
                if what == LINGER {
                    line.say("I linger");
                }
                until("nobody wants it", || context.is_cancelled());
                random.checked(tag, 8)
            }
            REPLY_AT_LENGTH => {
                line.say("I reply at length");
                random.checked(tag, 5 * LARGE)
            }
            _ => {
                context.stop();
                Vec::new()
            }
        })
    });
    served.unwrap();
    let stats = server.stats();
    assert_eq!((stats.late, stats.unknown), (0, 0));
}
