//! The log of `strace -f`, read: one call after the other, each whole.

use std::collections::HashMap;

/// The calls of a program and its children, in the order in which they began.
#[derive(Debug)]
pub(super) struct Trace {
    calls: Vec<Call>,
}

/// One system call.
#[derive(Debug)]
pub(super) struct Call {
    process: u32,
    pub(super) name: String,
    /// What stands between the parentheses.
    pub(super) arguments: String,
}

const UNFINISHED: &str = " <unfinished ...>";
const RESUMED: &str = " resumed>";

impl Trace {
    pub(super) fn parse(log: &str) -> Self {
        let mut calls: Vec<Call> = Vec::new();
        let mut unfinished: HashMap<u32, usize> = HashMap::new();
        for line in log.lines() {
            let (process, rest) = line.trim_start().split_once(' ').unwrap();
            let (process, rest) = (process.parse().unwrap(), rest.trim_start());
            if let Some((_, rest)) = rest.split_once(RESUMED).filter(|_| rest.starts_with("<...")) {
                if let Some(at) = unfinished.remove(&process) {
                    calls[at].arguments.push_str(arguments(rest));
                    forget_before_exec(&mut calls, at, rest);
                }
                continue;
            }
            // Signals and exits are no calls.
            let Some((name, rest)) = rest.split_once('(').filter(|_| !rest.starts_with(['-', '+']))
            else {
                continue;
            };
            let name = name.to_owned();
            let at = calls.len();
            match rest.strip_suffix(UNFINISHED) {
                Some(begun) => {
                    unfinished.insert(process, at);
                    calls.push(Call { process, name, arguments: begun.to_owned() });
                }
                None => {
                    calls.push(Call { process, name, arguments: arguments(rest).to_owned() });
                    forget_before_exec(&mut calls, at, rest);
                }
            }
        }
        Self { calls }
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| !call.name.is_empty())
    }
}

impl Call {
    /// The first string among the arguments.
    pub(super) fn path(&self) -> Option<&str> {
        self.arguments.split('"').nth(1)
    }

    pub(super) fn has_flag(&self, flag: &str) -> bool {
        let behind_path = self.arguments.rsplit('"').next().unwrap_or_default();
        behind_path.split([',', '|', ' ']).any(|word| word == flag)
    }
}

/// What a process did before it became another program is the doing of whoever started it, such as
/// the signal handlers that a `spawn` resets: blanked, so that positions stay.
fn forget_before_exec(calls: &mut [Call], at: usize, rest: &str) {
    if calls[at].name != "execve" || !rest.ends_with("= 0") {
        return;
    }
    let process = calls[at].process;
    for call in calls[..=at].iter_mut().filter(|call| call.process == process) {
        call.name.clear();
    }
}

/// The arguments in front of `) = RESULT`.
fn arguments(rest: &str) -> &str {
    rest.rsplit_once(") ").map_or(rest, |(arguments, _)| arguments)
}

#[test]
fn calls_that_were_cut_are_whole_again() {
    let log = "\
10 execve(\"/bin/x\", [\"x\"], 0x7 /* 3 vars */) = 0
10 openat(AT_FDCWD, \"/a.fifo\", O_RDONLY|O_NONBLOCK|O_CLOEXEC <unfinished ...>
11 rt_sigaction(SIGPIPE, {sa_handler=SIG_DFL}, NULL, 8) = 0
10 <... openat resumed>)               = 3
11 pipe2( <unfinished ...>
11 <... pipe2 resumed>[3, 4], O_CLOEXEC) = 0
10 +++ exited with 0 +++
";
    let trace = Trace::parse(log);
    let calls: Vec<_> = trace.calls().collect();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].path(), Some("/a.fifo"));
    assert!(calls[0].has_flag("O_CLOEXEC") && !calls[0].has_flag("O_RDWR"));
    assert_eq!(calls[2].arguments, "[3, 4], O_CLOEXEC");
}

#[test]
fn what_stood_before_an_exec_is_forgotten() {
    let log = "\
11 rt_sigaction(SIGPIPE, {sa_handler=SIG_DFL}, NULL, 8) = 0
12 umask(077) = 022
11 execve(\"/bin/x\", [\"x\"], 0x7 /* 3 vars */) = 0
11 umask(077) = 022
";
    let trace = Trace::parse(log);
    let processes: Vec<_> = trace.calls().map(|call| call.process).collect();
    assert_eq!(processes, [12, 11]);
}
