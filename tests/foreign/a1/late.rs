//! A reader that comes late: the sender finds it at once, however it opens.

use std::path::Path;
use std::time::Duration;

use super::{Instance, READERS};
use crate::support::{Case, Peer, act, judge, monotonic_ns, ms};

/// From a word on a pipe to this process and from a clock to the peer: what half a second may be
/// off by, in either direction.
const EARLY: Duration = ms(450);
const LATE: Duration = ms(550);

/// How late a late reader may be noticed, at the 95th percentile.
const NOTICED: Duration = ms(10);

#[test]
fn a_reader_half_a_second_late_gets_the_command() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for (peer, way) in READERS {
            let path = instance.pair.input().to_str().unwrap();
            let mut reader = Peer::start(&format!("reader.{peer}"), [path, "0.5", way]);
            reader.expect("ready");
            let case = Case::begin(format!("reader 0.5 s late, {peer}, {way}"));
            let mut sender =
                Instance::commands().open_timeout(ms(5000)).open(instance.pair.input()).unwrap();
            sender.send(&"wake up".to_owned()).unwrap();
            case.ends(EARLY, LATE);
            drop(sender);
            reader.expect_number("opening");
            assert_eq!(reader.expect_number("read"), "wake up\n".len() as u64);
            if peer == "py" {
                let crc = u64::from(crc32fast::hash(b"wake up\n"));
                assert_eq!(reader.expect_number("crc"), crc);
            }
            reader.finish();
        }
    });
}

#[test]
fn a_sender_whose_reader_was_killed_finds_the_next_one_half_a_second_later() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for (peer, way) in READERS {
            let path = instance.pair.input().to_str().unwrap();
            let mut first = Peer::start(&format!("stalled.{peer}"), [path]);
            let mut sender = Instance::commands().open(instance.pair.input()).unwrap();
            first.expect("ready");
            first.kill();
            let mut second = Peer::start(&format!("reader.{peer}"), [path, "0.5", way]);
            second.expect("ready");
            let case = Case::begin(format!("next reader 0.5 s late, {peer}, {way}"));
            sender.send(&"wake up".to_owned()).unwrap();
            case.ends(EARLY, LATE);
            drop(sender);
            second.expect_number("opening");
            assert_eq!(second.expect_number("read"), "wake up\n".len() as u64);
        }
    });
}

#[test]
fn a_reader_blocked_in_open_is_noticed_within_ten_milliseconds_at_the_95th_percentile() {
    act(|directory| notice_forty_readers(directory, "blocking"));
}

#[test]
fn a_non_blocking_reader_is_noticed_within_ten_milliseconds_at_the_95th_percentile() {
    act(|directory| notice_forty_readers(directory, "nonblocking"));
}

/// From the peer's clock before its `open` to ours behind our own.
fn notice_forty_readers(directory: &Path, way: &str) {
    let instance = Instance::create(directory, "bot");
    let mut reader = Peer::start("rounds.py", [instance.pair.input().to_str().unwrap(), way]);
    let mut waits: Vec<u64> = (0..40)
        .map(|_| {
            reader.tell("come");
            let sender = Instance::commands().open(instance.pair.input()).unwrap();
            let opened = monotonic_ns();
            drop(sender);
            opened.saturating_sub(reader.expect_number("opening"))
        })
        .collect();
    waits.sort_unstable();
    let p95 = Duration::from_nanos(waits[waits.len() * 95 / 100]);
    judge(&format!("late reader noticed, p95 of 40, {way}"), p95, ms(0), NOTICED);
    reader.finish();
}
