//! A test in a process of its own.
//!
//! `cargo test` runs tests as threads of one process, where the descriptors, threads, umask and
//! signals of one are those of all. Here a test starts this binary again for itself alone, so that
//! its ledger is exact and it may do to its process what it likes. Tests run one after the other,
//! because most of them measure time on a machine with two cores.
//!
//! Peers are the same binary once more: a test names the roles its peers may play, and a process
//! that finds its role in the environment plays it instead of the test.

use std::any::type_name;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ledger::Ledger;
use super::peer::{Line, Peer};
use super::watchdog::Watchdog;

/// What a peer of a test can be: a name, and what a process of that name does.
pub(crate) type Role = (&'static str, fn(&mut Line));

/// Where one test plays.
#[derive(Debug)]
pub(crate) struct Scene {
    test: &'static str,
    directory: PathBuf,
}

/// Longer than any test needs by an order of magnitude, so that only a call that hangs meets it.
const LIMIT: Duration = Duration::from_secs(30);

/// Says that this process plays a part: the test's own, or that of one of its peers.
const PART: &str = "FIFOWIRE_IT_PART";
const TEST: &str = "the test itself";
const DIRECTORY: &str = "FIFOWIRE_IT_DIRECTORY";
const ARGUMENTS: &str = "FIFOWIRE_IT_ARGUMENTS";

/// Printed by a test that was played to its end: a name that matches no test would pass otherwise.
const PLAYED: &str = "@played";

/// Tests run one after the other.
static STAGE: Mutex<()> = Mutex::new(());

/// Runs a test, whose peers may play these roles, under the usual time limit.
pub(crate) fn scene<F: FnOnce(&Scene)>(roles: &[Role], test: F) {
    scene_within(LIMIT, roles, test);
}

/// Runs a test under a time limit of its own.
pub(crate) fn scene_within<F: FnOnce(&Scene)>(limit: Duration, roles: &[Role], test: F) {
    play(limit, roles, || {}, test);
}

/// Runs a test after something has been started that stays.
pub(crate) fn scene_after<F: FnOnce(&Scene)>(prepare: fn(), test: F) {
    play(LIMIT, &[], prepare, test);
}

/// Runs a test under a time limit of its own, with these roles for its peers, after something has
/// been started that stays.
pub(crate) fn play<F: FnOnce(&Scene)>(limit: Duration, roles: &[Role], prepare: fn(), test: F) {
    let name = test_name::<F>();
    let Ok(part) = env::var(PART) else { return stage(name) };
    let _watchdog = Watchdog::over(format!("{name}, {part}"), limit);
    let scene = Scene { test: name, directory: env::var_os(DIRECTORY).unwrap().into() };
    if part == TEST {
        prepare();
        let before = Ledger::take(&scene.directory);
        test(&scene);
        before.check(&scene.directory);
        println!("\n{PLAYED}");
    } else {
        let role = roles.iter().find(|(role, _)| *role == part);
        let (_, act) = role.unwrap_or_else(|| panic!("{name} has no role {part:?}"));
        act(&mut Line::new(scene.directory, &env::var(ARGUMENTS).unwrap()));
        exit(0);
    }
}

/// Starts the process that a test plays in, and waits for its end.
fn stage(name: &'static str) {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let played = command(name, TEST, directory.path()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    let complained = String::from_utf8_lossy(&played.stderr);
    assert!(
        played.status.success() && said.contains(PLAYED),
        "{name} failed: {}\n{said}\n{complained}",
        played.status
    );
    // Shown where somebody looks (`--nocapture`): seeds and measured numbers.
    eprint!("{complained}");
}

fn command(test: &str, part: &str, directory: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1", "--quiet"])
        .env(PART, part)
        .env(DIRECTORY, directory);
    command
}

/// The path of the test function that the closure stands in, as the harness knows it.
fn test_name<F>() -> &'static str {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_binary, path)| path)
}

impl Scene {
    /// A directory that nobody else uses, empty at first. What is in it at the end of the test is
    /// what the test has left behind.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts a process that plays a role. It dies with the value, and with the calling thread.
    pub(crate) fn start(&self, role: &str, arguments: &[&str]) -> Peer {
        let mut command = command(self.test, role, &self.directory);
        command.env(ARGUMENTS, arguments.join("\n"));
        Peer::start(role, &mut command)
    }
}
