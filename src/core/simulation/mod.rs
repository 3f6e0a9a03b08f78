//! Two endpoints over a lossy link, played through from seeds.
//!
//! A run is drawn from its seed alone: what the FIFOs hold, how much a transfer moves, who calls,
//! answers, gives up, sleeps, dies at which system call and comes back, which bytes are lost, and
//! how the virtual clock goes. After every action everything that must hold is checked, and in the
//! end nothing goes wrong any more and every call must be answered. It must never depend on
//! anything but the seed, so that a failing run can be had again.
//!
//! | file | what it is the home of |
//! |---|---|
//! | `actions.rs`, `flows.rs`, `faults.rs`, `time.rs` | everything that can happen, in one table |
//! | `ledger.rs` | what is true of every call, and what anybody may be told of it |
//! | `courses.rs` | what is true of every stream within a call |
//! | `observers.rs` | what each side goes through, held against the tables of `core/model` |
//! | `interleavings.rs` | every order of the steps of one call, instead of those that a seed draws |
//! | `checks.rs` | what holds after every action, and in the end |
//! | `peace.rs` | the end: every call is answered, and nobody waits for what never comes |
//! | `terms.rs` | what one seed settles for its run |
//! | `life.rs`, `client/`, `server/` | the two sides, driven as front ends drive them |
//! | `process.rs`, `world.rs` | what the kernel keeps: ends, lives, paths, the clock |
//!
//! `cargo test --lib simulation` runs a thousand seeds of a thousand actions each. A failing run
//! says its seed, its action and the last of what happened; this plays it again, alone:
//!
//! ```sh
//! FIFOWIRE_SEED=17 cargo test --lib simulation
//! ```
//!
//! `FIFOWIRE_SEEDS` and `FIFOWIRE_STEPS` are how many seeds are run, from `FIFOWIRE_SEED` on, and
//! how many actions each has. For an hour of seeds that nobody has seen before, with the actions
//! reached printed every ten seconds:
//!
//! ```sh
//! FIFOWIRE_SEED=$RANDOM$RANDOM FIFOWIRE_SECONDS=3600 \
//!     cargo test --release --lib simulation -- --nocapture
//! ```

mod actions;
mod checks;
mod client;
mod courses;
mod faults;
mod flows;
mod interleavings;
mod journal;
mod ledger;
mod life;
mod messages;
mod observers;
mod peace;
mod process;
mod random;
mod server;
mod terms;
mod time;
mod world;

use std::time::{Duration, Instant};

use actions::ACTIONS;
use journal::Journal;
use ledger::Counts;
use world::World;

/// How often an action is drawn at which there is something to do.
const DRAWS: usize = 50;

#[test]
fn whatever_happens_every_answer_is_true_and_in_peace_every_call_gets_one() {
    let first = variable("FIFOWIRE_SEED");
    let seconds = variable("FIFOWIRE_SECONDS").map(Duration::from_secs);
    let alone = if first.is_some() { 1 } else { 1000 };
    let seeds = variable("FIFOWIRE_SEEDS").unwrap_or(alone);
    let steps = variable("FIFOWIRE_STEPS").unwrap_or(1000);
    let (first, began) = (first.unwrap_or(1), Instant::now());
    let (mut reached, mut counts, mut told) = (0, Counts::default(), began);
    let mut changes = observers::Changes::default();
    for seed in 0.. {
        if seconds.map_or(seed >= seeds, |seconds| began.elapsed() >= seconds) {
            break;
        }
        let world = run(first.wrapping_add(seed), steps);
        reached += world.actions;
        counts.add(world.ledger.counts);
        changes.add(&world.changes.borrow());
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            eprintln!("{} seeds, {reached} actions", seed + 1);
        }
    }
    let rate = reached as f64 / began.elapsed().as_secs_f64();
    eprintln!("{reached} actions, {rate:.0} a second; {counts:?}");
    if first == 1 && seeds >= 1000 && steps >= 1000 {
        let needless = changes.needless();
        assert!(needless.is_empty(), "rows that nothing shows: {needless:#?}");
    }
    // A simulation in which nothing happens holds every promise.
    assert!(first != 1 || reached < 100_000 || counts.is_rich(), "{counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1..20 {
        let [one, two] = [(); 2].map(|()| run(seed, 300));
        let same = one.ledger.counts == two.ledger.counts && one.clock.now == two.clock.now;
        assert!(same, "seed {seed}: {:?}, {:?}", one.ledger.counts, two.ledger.counts);
    }
}

/// One run to its end.
fn run(seed: u64, steps: u64) -> World {
    let mut journal = Journal::new(seed);
    let mut world = World::new(seed);
    while world.actions < steps {
        world.actions += 1;
        for _ in 0..DRAWS {
            let action = &ACTIONS[world.terms.action(&mut world.random)];
            journal.begin(world.actions, action.name);
            if let Some(detail) = (action.act)(&mut world) {
                journal.end(detail);
                break;
            }
        }
        world.reap();
        world.check();
    }
    journal.begin(world.actions, "peace");
    world.end_in_peace();
    world
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}
