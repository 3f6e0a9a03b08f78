//! One cell of the table: a wait in a process of its own, looked at from a thread beside it.
//!
//! The thread that looks belongs to no runtime, because a runtime that a wait has to itself never
//! comes to look at a clock. When it has seen enough it ends the process, whatever burns in there.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::column::{Column, Ticks};
use super::shared::ends::make_fifo;
use super::shared::processor_time;
use super::shared::waits::{News, Telling};
use super::state::{Opposite, State};

/// The first argument of a worker process.
pub(crate) const WORKER: &str = "--worker";

/// Has a fresh process wait, and answers what it saw.
pub(crate) fn look_at(state: State, column: Column, look: Duration) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .arg(WORKER)
        .arg(directory.path())
        .args([state.to_argument(), column.to_argument(), &look.as_millis().to_string()])
        .output()
        .expect("the worker starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{state:?}, {column:?}: {errors}");
    String::from_utf8(output.stdout).expect("the worker writes text")
}

/// In the worker: waits on one thread, looks on this one, and prints the cell.
pub(crate) fn work(arguments: &[String]) {
    let [directory, state, column, look_ms] = arguments else { panic!("four arguments") };
    let (state, column) = (State::from_argument(state), Column::from_argument(column));
    let look = Duration::from_millis(look_ms.parse().expect("a number"));
    let path = Path::new(directory).join("fifo");
    make_fifo(&path);

    let (telling, heard) = mpsc::channel();
    let (sender, word) = oneshot::channel();
    let opposite = Opposite::new(state, &path, sender);
    let (telling, ear, ticks) = (Telling(telling), Ear(heard), Ticks::default());
    let beside = Ticks::clone(&ticks);
    thread::spawn(move || match state {
        State::ReaderReturned => column.send(path, word, telling, beside),
        _ => column.receive(path, telling, beside),
    });
    ear.expect(News::Open);
    let ending = opposite.bring(&ear);

    let (spent, ticked) = (processor_time(), ticks.load(Ordering::Relaxed));
    thread::sleep(look);
    let (spent, ticked) = (processor_time() - spent, ticks.load(Ordering::Relaxed) - ticked);
    ear.expect_silence();

    let asked = Instant::now();
    let _end = ending.come();
    let answered = ear.waits_for(News::Moved).then(|| asked.elapsed());

    let ticked = if column.has_timer() { format!("{ticked} ticks") } else { "no timer".to_owned() };
    let answered = match answered {
        Some(after) => format!("ended in {:.2} ms", after.as_secs_f64() * 1e3),
        None => "never ended".to_owned(),
    };
    print!("{:.1} ms, {ticked}, {answered}", spent.as_secs_f64() * 1e3);
}

/// What the observer hears with.
pub(crate) struct Ear(Receiver<News>);

/// For all that comes at once, on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(2);

impl Ear {
    pub(crate) fn expect(&self, news: News) {
        assert_eq!(self.0.recv_timeout(AT_ONCE), Ok(news), "the endpoint is elsewhere");
    }

    fn waits_for(&self, news: News) -> bool {
        self.0.recv_timeout(AT_ONCE) == Ok(news)
    }

    /// Whoever waits still does.
    fn expect_silence(&self) {
        assert_eq!(self.0.try_recv(), Err(TryRecvError::Empty), "the wait has ended before");
    }
}
