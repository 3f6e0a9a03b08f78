//! Either side is killed in the middle of 64 calls, and started again: what each call ends with is
//! held against what the handlers have written down, in one write for each run, before they
//! answered.
//!
//! `FIFOWIRE_KILLS` is how often somebody is killed. The moment is drawn as a number of answers.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fifowire::{Client, ErrorKind, Fate, Pair, Result};
use nix::time::{ClockId, clock_gettime};

use crate::support::random::Random;
use crate::support::{Line, Peer, Scene, ms, scene_within};

/// Calls at the same time.
const CALLERS: usize = 64;

/// A call that begins after a kill is answered by then, the start of the next process included.
const RECOVERED: Duration = ms(1000);

/// How long a call may take: nobody is away for so long.
const TIMEOUT: Duration = ms(5000);

/// What a call says of being made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Idempotent,
    AtMostOnce,
    /// Idempotent, and made again by the next process of the client.
    Keyed,
}

impl Kind {
    /// What the call of this number is.
    fn of(number: u64) -> Self {
        [Self::Plain, Self::Idempotent, Self::AtMostOnce, Self::Keyed][(number % 4) as usize]
    }

    fn may_run_again(self) -> bool {
        matches!(self, Self::Idempotent | Self::Keyed)
    }
}

#[test]
fn every_call_ends_as_is_so_whoever_is_killed_and_no_request_runs_twice() {
    let kills = env::var("FIFOWIRE_KILLS").map_or(50, |kills| kills.parse().unwrap());
    let limit = ms(30_000) + ms(1000) * kills;
    scene_within(limit, &[("server", serves), ("client", calls)], |scene| {
        let _pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut random = Random::seeded();
        let mut living = Living::start(scene);
        let mut recoveries = Vec::new();
        for kill in 0..kills {
            for _ in 0..random.below(300) {
                hear_answer(&mut living.client);
            }
            let killed = monotonic();
            if kill % 2 == 0 {
                living.restart_server(scene);
            } else {
                living.restart_client(scene);
            }
            while hear_answer(&mut living.client) < killed {}
            let recovered = monotonic() - killed;
            assert!(recovered < RECOVERED, "kill {kill}: answered again after {recovered:?}");
            recoveries.push(recovered);
        }
        living.client.kill();
        living.server.kill();
        recoveries.sort();
        let (median, slowest) = (recoveries[recoveries.len() / 2], recoveries.last());
        eprintln!("{kills} kills; answered again after {median:?}, at most {slowest:?}");
        Found::read(scene.directory(), living.lives).check();
    });
}

/// The processes that live, and how many have.
struct Living {
    server: Peer,
    client: Peer,
    client_life: u64,
    lives: u64,
}

impl Living {
    fn start(scene: &Scene) -> Self {
        let (server, client) = (scene.start("server", &["1"]), scene.start("client", &["2", "0"]));
        Self { server, client, client_life: 2, lives: 2 }
    }

    fn restart_server(&mut self, scene: &Scene) {
        self.lives += 1;
        let life = self.lives.to_string();
        self.server.kill_in_place();
        self.server = scene.start("server", &[&life]);
    }

    fn restart_client(&mut self, scene: &Scene) {
        self.lives += 1;
        let before = std::mem::replace(&mut self.client_life, self.lives);
        self.client.kill_in_place();
        let (life, before) = (self.lives.to_string(), before.to_string());
        self.client = scene.start("client", &[&life, &before]);
    }
}

/// Waits for an answer, and says when its call began.
fn hear_answer(client: &mut Peer) -> Duration {
    let said = client.hear();
    let began = said.parse().unwrap_or_else(|_| panic!("the client says {said:?}"));
    Duration::from_nanos(began)
}

/// One clock for all processes.
fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap().into()
}

/// Handlers that write down that they run, and take a while in which others do.
fn serves(line: &mut Line) {
    let runs = Arc::new(journal(&line.path(&format!("runs.{}", line.number(0)))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pair = Pair::at(line.directory(), "agent").unwrap();
        // What must be known is known until its call's deadline: that is 5 s, and many calls.
        let options = fifowire::tokio::Server::<u64, u64>::options().max_keys(1 << 20);
        let mut server = options.key_retention(Duration::ZERO).open(&pair).await.unwrap();
        let serving = server.serve(|number, _| {
            let runs = Arc::clone(&runs);
            async move {
                write_down(&runs, &format!("{number}"));
                for _ in 0..number % 7 {
                    tokio::task::yield_now().await;
                }
                Ok::<_, String>(reply_to(number))
            }
        });
        serving.await.unwrap();
    });
}

fn reply_to(number: u64) -> u64 {
    3 * number
}

/// Callers that write down what they begin and how it ends, and say of each answer when its call
/// began. They begin with what the process before was killed in the middle of.
fn calls(line: &mut Line) {
    let (life, before) = (line.number(0), line.number(1));
    let mut again = Vec::new();
    if before != 0 {
        let calls = Calls::read(line.directory(), before);
        again.extend(calls.unended().filter(|number| Kind::of(*number) == Kind::Keyed));
    }
    let (again, next) = (Mutex::new(again), AtomicU64::new(life << 32));
    let journal = journal(&line.path(&format!("calls.{life}")));
    let pair = Pair::at(line.directory(), "agent").unwrap();
    let client = Client::<u64, u64>::options().timeout(TIMEOUT).open(&pair).unwrap();
    let (line, client) = (&*line, &client);
    thread::scope(|threads| {
        for _ in 0..CALLERS {
            threads.spawn(|| {
                loop {
                    let left = again.lock().unwrap().pop();
                    let number = left.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
                    write_down(&journal, &format!("begins {number}"));
                    let began = monotonic();
                    let outcome = call(client, number);
                    write_down(&journal, &format!("{} {number}", name_of(number, &outcome)));
                    if outcome.is_ok() {
                        line.say(&began.as_nanos().to_string());
                    }
                }
            });
        }
    });
}

fn call(client: &Client<u64, u64>, number: u64) -> Result<u64> {
    let request = client.request(&number);
    match Kind::of(number) {
        Kind::Plain => request.call(),
        Kind::Idempotent => request.idempotent().call(),
        Kind::AtMostOnce => request.at_most_once().call(),
        Kind::Keyed => request.idempotent().key(u128::from(number)).call(),
    }
}

/// How an outcome is written down; one that cannot be so is a word that is not understood.
fn name_of(number: u64, outcome: &Result<u64>) -> String {
    match outcome {
        Ok(reply) if *reply == reply_to(number) => "answered".to_owned(),
        Err(error) if error.kind() == ErrorKind::PeerClosed => match error.fate() {
            Some(Fate::NotSent) => "unsent".to_owned(),
            Some(Fate::MaybeDelivered) => "lost".to_owned(),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}").replace(' ', "_"),
    }
}

fn journal(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Writes a line in one piece: it is there, whoever is killed then.
fn write_down(mut journal: &File, words: &str) {
    let line = format!("{words}\n");
    assert_eq!(journal.write(line.as_bytes()).unwrap(), line.len());
}

/// What one process of the client has written down.
#[derive(Default)]
struct Calls {
    begun: BTreeSet<u64>,
    ended: BTreeMap<u64, String>,
}

impl Calls {
    fn read(directory: &Path, life: u64) -> Self {
        let mut calls = Self::default();
        let said = fs::read_to_string(directory.join(format!("calls.{life}")));
        for line in said.unwrap_or_default().lines() {
            let (word, number) = line.split_once(' ').unwrap();
            let number = number.parse().unwrap();
            let first = match word {
                "begins" => calls.begun.insert(number),
                word => calls.ended.insert(number, word.to_owned()).is_none(),
            };
            assert!(first, "twice: {line}");
        }
        calls
    }

    /// What was begun, and has no end.
    fn unended(&self) -> impl Iterator<Item = u64> {
        self.begun.iter().copied().filter(|number| !self.ended.contains_key(number))
    }
}

/// What all processes have written down.
struct Found {
    /// By life of the client.
    calls: BTreeMap<u64, Calls>,
    /// The lives of the server that ran a request, by its number.
    runs: BTreeMap<u64, Vec<u64>>,
}

impl Found {
    /// Reads what is in the directory, and removes it.
    fn read(directory: &Path, lives: u64) -> Self {
        let mut found = Self { calls: BTreeMap::new(), runs: BTreeMap::new() };
        for life in 1..=lives {
            let runs = directory.join(format!("runs.{life}"));
            for number in fs::read_to_string(&runs).unwrap_or_default().lines() {
                found.runs.entry(number.parse().unwrap()).or_default().push(life);
            }
            found.calls.insert(life, Calls::read(directory, life));
            for file in [runs, directory.join(format!("calls.{life}"))] {
                drop(fs::remove_file(file));
            }
        }
        found
    }

    fn check(&self) {
        for (number, lives) in &self.runs {
            let distinct: BTreeSet<_> = lives.iter().collect();
            assert_eq!(distinct.len(), lives.len(), "{number} ran twice in a life: {lives:?}");
            let once = Kind::of(*number).may_run_again() || lives.len() == 1;
            assert!(once, "{number}, {:?}, ran in {lives:?}", Kind::of(*number));
        }
        let (mut answered, mut unsent, mut lost, mut unended) = (0, 0, 0, 0);
        for (life, calls) in &self.calls {
            for (number, end) in &calls.ended {
                let (kind, ran) = (Kind::of(*number), self.runs.contains_key(number));
                let origin = number >> 32 == *life;
                match &**end {
                    "answered" => {
                        answered += 1;
                        assert!(ran, "{number} was answered, and never ran");
                    }
                    "unsent" => {
                        unsent += 1;
                        assert!(!ran || !origin, "{number} was not sent, and ran");
                    }
                    "lost" => lost += 1,
                    other => panic!("{number}, {kind:?}: {other}"),
                }
                let ends_well = !kind.may_run_again() || end == "answered";
                assert!(ends_well, "{number}, {kind:?}, is {end}, and there was a server");
            }
            let missing = calls.unended().count();
            assert!(missing <= CALLERS, "{missing} calls of {life} have no end");
            unended += missing;
        }
        let again = self.runs.values().filter(|lives| lives.len() > 1).count();
        let made_again = self.calls.iter().map(|(life, calls)| {
            calls.ended.keys().filter(|number| *number >> 32 != *life).count()
        });
        let made_again: usize = made_again.sum();
        eprintln!(
            "{answered} answered, {lost} lost, {unsent} not sent, {unended} died with their \
             callers; {again} ran in more lives than one, {made_again} were made again"
        );
        // A test in which nothing is lost says nothing.
        assert!(lost > 0 && again > 0 && made_again > 0 && unended > 0);
    }
}
