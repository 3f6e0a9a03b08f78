//! The readiness matrix: what one wait costs in the states of a FIFO in which runtimes burn a core.
//!
//! A line for each state, a column for each front end of the library and for tokio's bare pipes. A
//! cell says what processor time its process took while it was looked at, how often a timer of 20
//! ms went off on the same executor meanwhile, and how soon the wait ended once there was what it
//! waited for: a line, or room. (Tokio counts in whole milliseconds and wakes in the one after: in
//! five seconds that comes to some 238 ticks, not 250.) The timer and the look that a fifowire
//! endpoint takes at its path now and then are in the time; a blocking wait has no timer beside it.
//!
//! `cargo bench --bench readiness` looks for five seconds at each; started without `--bench`, as
//! `cargo test --benches` does, it looks for a tenth of one. Words behind `--` choose the states
//! whose name contains one of them. Nothing is judged: the tests do that.

mod bare_calls;
mod blocking;
mod cell;
mod column;
#[path = "../shared/mod.rs"]
mod shared;
mod state;

use std::time::Duration;

use column::Column;
use state::State;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == cell::WORKER) {
        return cell::work(&arguments[1..]);
    }
    let full = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| !argument.starts_with('-'));
    let look = Duration::from_millis(if full { 5_000 } else { 100 });

    let columns = Column::ALL.map(|(_, name)| name).join("\t");
    println!("# state, looked at for {} ms\t{columns}", look.as_millis());
    for (state, name) in State::ALL {
        if arguments.is_empty() || arguments.iter().any(|word| name.contains(word.as_str())) {
            let cells = Column::ALL.map(|(column, _)| cell::look_at(state, column, look));
            println!("{name}\t{}", cells.join("\t"));
        }
    }
}
