//! Runs programs of this package under `strace`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::trace::Trace;

/// The calls that are looked at; `execve` and `exit` to know which process made them.
const CALLS: &str = "trace=open,openat,openat2,umask,chdir,fchdir,rt_sigaction,fcntl,pipe2,\
                     inotify_init1,signalfd4,eventfd2,epoll_create1,execve";

/// Runs a program, whatever it answers, and reads what it asked the kernel for.
pub(super) fn traced(directory: &Path, program: &Path, arguments: &[&OsStr]) -> Trace {
    let log = directory.join("strace.log");
    let ran = Command::new(strace())
        .args(["-f", "-qq", "-s", "4096", "-e", CALLS, "-e", "signal=none", "-o"])
        .arg(&log)
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(ran.code().is_some(), "strace or {} was killed: {ran}", program.display());
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    assert!(text.contains("execve("), "strace could not trace {}", program.display());
    Trace::parse(&text)
}

/// Runs one test of this binary, which must pass.
pub(super) fn traced_test(directory: &Path, test: &str) -> Trace {
    let arguments = ["--exact", test].map(OsStr::new);
    let binary = env::current_exe().unwrap();
    let passes = Command::new(&binary).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&passes.stdout);
    assert!(said.contains("1 passed"), "{test} must pass before it is traced: {said}");
    traced(directory, &binary, &arguments)
}

/// An example of this package, built if it is not yet.
pub(super) fn example(name: &str) -> PathBuf {
    strace();
    static BUILT: OnceLock<String> = OnceLock::new();
    let messages = BUILT.get_or_init(build);
    // Cargo says in JSON, a line per target, where it put what it built.
    let file = format!("/examples/{name}\"");
    let line = messages.lines().find(|line| line.contains(&file)).unwrap();
    let path = line.split('"').find(|text| text.ends_with(&format!("/examples/{name}")));
    PathBuf::from(path.unwrap())
}

fn build() -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    // `CARGO_TARGET_TMPDIR` stands below the target directory, wherever that was said to be.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(cargo);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--offline", "--message-format=json", "--target-dir"])
        .arg(target)
        .args(["--example", "bridge", "--example", "one_way"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let built = command.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(built.stdout).unwrap()
}

fn strace() -> &'static str {
    let answers = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    assert!(
        answers.is_ok_and(|status| status.success()),
        "this test needs strace: apt-get install strace"
    );
    "strace"
}
