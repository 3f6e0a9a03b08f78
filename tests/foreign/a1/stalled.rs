//! A reader that is there and does not read: the write ends at its deadline and tells the truth.

use fifowire::{ErrorKind, Fate, Phase};

use super::{Instance, PEERS};
use crate::support::{Case, Peer, act, ms};

/// What the cc-bridge wrote when it reported 65,536 bytes of it as success: newline included.
const LONG: usize = 200_001;

fn long_command() -> String {
    "x".repeat(LONG - 1)
}

#[test]
fn two_hundred_thousand_bytes_to_a_stalled_reader_fail_with_what_the_kernel_took() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let path = instance.pair.input();
        let mut reader = Peer::start("stalled.py", [path]);
        reader.expect("ready");
        let mut sender = Instance::commands().open(path).unwrap();
        let case = Case::begin("200,001 bytes to a stalled reader, py");
        let error = sender.send_timeout(&long_command(), ms(500)).unwrap_err();
        case.ends_at(ms(500));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::WriteStalled, Phase::Write));
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        assert_eq!(error.path(), Some(path));
        let progress = error.progress().unwrap();
        reader.tell("holds");
        assert_eq!(progress.written, reader.expect_number("holds"), "what the kernel took");
        assert_eq!(sender.stats().poisoned, 1);
        // It leaves without reading; nothing of the command reaches whoever comes next.
        reader.tell("leave");
        reader.finish();
        let path = path.to_str().unwrap();
        let mut next = Peer::start("afterwards.py", [path, "0.3"]);
        assert_eq!(next.expect_number("read"), 0);
        assert_eq!(progress.total, LONG as u64, "what the message has in all, newline included");
    });
}

#[test]
fn two_hundred_thousand_bytes_to_a_stalled_shell_fail_and_it_never_gets_the_rest() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let mut reader = Peer::start("stalled.sh", [instance.pair.input()]);
        let mut sender = Instance::commands().open(instance.pair.input()).unwrap();
        reader.expect("ready");
        let case = Case::begin("200,001 bytes to a stalled reader, sh");
        let error = sender.send_timeout(&long_command(), ms(500)).unwrap_err();
        case.ends_at(ms(500));
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
        // The sender is still alive when the reader wakes up, and finds the end of the stream.
        reader.tell("0");
        reader.expect("asleep");
        assert_eq!(reader.expect_number("read"), error.progress().unwrap().written);
        reader.finish();
    });
}

#[test]
fn the_stall_ends_a_write_before_its_deadline() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let mut reader = Peer::start("stalled.py", [instance.pair.input()]);
        reader.expect("ready");
        let mut sender =
            Instance::commands().stall_timeout(ms(300)).open(instance.pair.input()).unwrap();
        let case = Case::begin("200,001 bytes, stall 0.3 s, D = 30 s");
        let error = sender.send(&long_command()).unwrap_err();
        case.ends_at(ms(300));
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
    });
}

#[test]
fn a_command_behind_a_full_fifo_is_sent_once_it_is_drained() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let mut reader = Peer::start(&format!("stalled.{peer}"), [instance.pair.input()]);
            let mut sender = Instance::commands().open(instance.pair.input()).unwrap();
            reader.expect("ready");
            let full = sender.capacity().unwrap();
            sender.send_timeout(&"x".repeat(full - 1), ms(1000)).unwrap();
            reader.tell(if peer == "py" { "drain 0.5" } else { "0.5" });
            reader.expect("asleep");
            let case = Case::begin(format!("a full FIFO drained after 0.5 s, {peer}"));
            sender.send_timeout(&"status".to_owned(), ms(5000)).unwrap();
            case.ends(ms(450), ms(550));
            drop(sender);
            assert_eq!(reader.expect_number("read"), (full + "status\n".len()) as u64);
        }
    });
}

#[test]
fn a_command_behind_a_full_fifo_that_stays_full_was_not_sent() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let mut reader = Peer::start("stalled.py", [instance.pair.input()]);
        reader.expect("ready");
        let mut sender = Instance::commands().open(instance.pair.input()).unwrap();
        let full = sender.capacity().unwrap();
        sender.send_timeout(&"x".repeat(full - 1), ms(1000)).unwrap();
        let case = Case::begin("a full FIFO that stays full, py");
        let error = sender.send_timeout(&"status".to_owned(), ms(300)).unwrap_err();
        case.ends_at(ms(300));
        assert_eq!((error.kind(), error.fate()), (ErrorKind::WriteStalled, Some(Fate::NotSent)));
        let progress = error.progress().unwrap();
        assert_eq!((progress.written, progress.total), (0, "status\n".len() as u64));
        // Not one byte of it was accepted, so the sender goes on, and only the next is delivered.
        reader.tell("drain 0");
        reader.expect("asleep");
        sender.send_timeout(&"next".to_owned(), ms(5000)).unwrap();
        drop(sender);
        assert_eq!(reader.expect_number("read"), (full + "next\n".len()) as u64);
    });
}
