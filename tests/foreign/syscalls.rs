//! What the kernel is asked for: every system call of the examples and of one busy test, as
//! `strace` sees it.

mod run;
mod trace;

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fifowire::codec::Text;
use fifowire::framing::Lines;
use fifowire::{Client, ErrorKind, Fifo, Pair, Receiver, Sender, Server};

use self::run::{example, traced, traced_test};
use self::trace::{Call, Trace};
use crate::support::{act, ms};

#[test]
fn every_fifo_is_opened_non_blocking_and_close_on_exec_and_never_created_by_it() {
    act(|directory| {
        let runs = [
            ("bridge", traced(directory, &example("bridge"), &[]), 6),
            ("one_way", traced(directory, &example("one_way"), &[]), 3),
            ("a sample", traced_test(directory, SAMPLE), 100),
        ];
        for (name, trace, least) in runs {
            let opens: Vec<_> = trace.calls().filter(|call| opens_a_fifo(call)).collect();
            assert!(opens.len() >= least, "{name}: {} opens of FIFOs", opens.len());
            for call in opens {
                for flag in ["O_NONBLOCK", "O_CLOEXEC"] {
                    assert!(call.has_flag(flag), "{name}: {flag} is missing in {call:?}");
                }
                assert!(!call.has_flag("O_CREAT"), "{name}: {call:?}");
                assert!(!call.has_flag("O_RDWR"), "{name}: {call:?}");
            }
        }
    });
}

#[test]
fn a_path_that_is_no_fifo_is_never_opened() {
    act(|directory| {
        let path = regular_file(directory);
        let trace = traced(directory, &example("one_way"), &[path.as_os_str()]);
        let touching: Vec<_> = trace.calls().filter(|call| opens_a_fifo(call)).collect();
        assert!(touching.is_empty(), "{touching:?}");
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn the_process_is_left_as_it_is() {
    act(|directory| {
        // The same program without any FIFO: it refuses a regular file. What the runtime of Rust
        // sets at its start (SIGPIPE, the guard pages) is in there, and nothing else may be added.
        let path = regular_file(directory);
        let one_way = example("one_way");
        let allowed = deeds(&traced(directory, &one_way, &[path.as_os_str()]));
        assert!(allowed.iter().any(|deed| deed.contains("SIGPIPE")), "the trace sees: {allowed:?}");
        assert!(!allowed.iter().any(|deed| deed.starts_with("umask")), "{allowed:?}");
        std::fs::remove_file(path).unwrap();
        for (name, trace) in [
            ("one_way", traced(directory, &one_way, &[])),
            ("bridge", traced(directory, &example("bridge"), &[])),
            ("a sample", traced_test(directory, SAMPLE)),
        ] {
            let added: Vec<_> = deeds(&trace).difference(&allowed).cloned().collect();
            assert!(added.is_empty(), "{name} changes its process: {added:?}");
        }
    });
}

#[test]
fn descriptors_of_every_other_kind_are_close_on_exec_as_well() {
    act(|directory| {
        for trace in [traced(directory, &example("bridge"), &[]), traced_test(directory, SAMPLE)] {
            let makers = ["pipe2", "inotify_init1", "signalfd4", "eventfd2", "epoll_create1"];
            let made: Vec<_> =
                trace.calls().filter(|call| makers.contains(&call.name.as_str())).collect();
            assert!(!made.is_empty(), "the trace sees an inotify instance");
            for call in made {
                assert!(call.arguments.contains("_CLOEXEC"), "{call:?}");
            }
        }
    });
}

/// Where [`sample`] stands in this binary.
const SAMPLE: &str = "syscalls::sample";

/// Traced by the tests above, by its name: every way in which an end is opened, in one process.
#[test]
fn sample() {
    act(|directory| {
        let fifo = Fifo::create(directory.join("lines.fifo")).unwrap();
        let writer = || Sender::<String>::options().codec(Text).framing(Lines::default());
        let error = writer().open_timeout(ms(400)).open(fifo.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
        let mut receiver = Receiver::<String>::options()
            .codec(Text)
            .framing(Lines::default())
            .open(fifo.path())
            .unwrap();
        for _ in 0..20 {
            // Each writer leaves, so that the reader renews its descriptor.
            writer().open(fifo.path()).unwrap().send(&"hello".to_owned()).unwrap();
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), "hello");
            assert!(receiver.recv_timeout(Duration::ZERO).is_err());
        }
        assert_eq!(receiver.stats().renewals, 20);

        let pair = Pair::create(directory, "agent").unwrap();
        std::thread::scope(|scope| {
            let mut server = Server::<String, String>::open(&pair).unwrap();
            scope.spawn(move || {
                server.serve(|text, context| {
                    context.stop();
                    Ok::<_, std::fmt::Error>(text.to_uppercase())
                })
            });
            let client = Client::<String, String>::open(&pair).unwrap();
            assert_eq!(client.call(&"hello".to_owned()).unwrap(), "HELLO");
        });
    });
}

/// A file in which nothing is wrong but that it is no FIFO.
fn regular_file(directory: &Path) -> PathBuf {
    let path = directory.join("regular.fifo");
    std::fs::write(&path, "precious").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Whether the path that a call opens is a FIFO's: by its name, under its temporary name, or a
/// descriptor of one that is opened anew.
fn opens_a_fifo(call: &Call) -> bool {
    call.name.starts_with("open")
        && call.path().is_some_and(|path| {
            path.ends_with(".fifo")
                || path.contains("/.fifowire-")
                || path.starts_with("/proc/self/fd/")
        })
}

/// What a program does to its own process that a library must leave alone.
fn deeds(trace: &Trace) -> BTreeSet<String> {
    let changes = |call: &&Call| match call.name.as_str() {
        "umask" | "chdir" | "fchdir" => true,
        // The second argument is null where the action is only asked for.
        "rt_sigaction" => !call.arguments.contains(", NULL, "),
        // Setting close-on-exec, as listing a directory does, is nobody's loss; the rest is.
        "fcntl" => {
            call.arguments.contains("F_SETFL")
                || (call.arguments.contains("F_SETFD") && !call.arguments.contains("FD_CLOEXEC"))
        }
        _ => false,
    };
    let deed = |call: &Call| {
        let what = match call.name.as_str() {
            // The handler's address differs between programs; whose signal it is does not.
            "rt_sigaction" => call.arguments.split(',').next().unwrap_or_default(),
            _ => call.arguments.as_str(),
        };
        format!("{}({what})", call.name)
    };
    trace.calls().filter(changes).map(deed).collect()
}
