//! The bot's reply: late, in pieces, never; and the silence before it told apart.

use fifowire::codec::Bytes;
use fifowire::framing::Lines;
use fifowire::{EndOfWriters, ErrorKind, Phase, Receiver};

use super::{Instance, PEERS};
use crate::support::{Case, Peer, act, ms};

#[test]
fn a_reply_fifo_opened_half_a_second_late_is_waited_for() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let _bot = instance.bot(peer);
            let case = Case::begin(format!("reply FIFO opened 0.5 s late, {peer}"));
            assert_eq!(instance.ask("late 0.5 at last", ms(5000)).unwrap(), "at last");
            case.ends(ms(500), ms(570));
        }
    });
}

#[test]
fn a_reply_fifo_that_is_opened_too_late_is_no_writer_and_no_empty_reply() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let _bot = instance.bot(peer);
            let case = Case::begin(format!("reply FIFO never opened, {peer}"));
            let error = instance.ask("silent", ms(300)).unwrap_err();
            case.ends_at(ms(300));
            assert_eq!((error.kind(), error.phase()), (ErrorKind::NoWriter, Phase::Read));
            assert_eq!(error.path(), Some(instance.pair.output()));
            assert_eq!(instance.ask("echo on", ms(2000)).unwrap(), "on", "the bot lives on");
        }
    });
}

#[test]
fn half_a_reply_is_no_reply() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let path = instance.pair.output();
            let mut replies = Instance::replies().open(path).unwrap();
            let mut writer = Peer::start(&format!("half.{peer}"), [path]);
            writer.expect("written");
            let case = Case::begin(format!("half a reply, its writer gone, {peer}"));
            let error = replies.recv_timeout(ms(300)).unwrap_err();
            case.ends_at(ms(300));
            assert_eq!(error.kind(), ErrorKind::TimedOut, "a writer was there");
            writer.finish();
        }
    });
}

#[test]
fn the_end_of_the_writer_is_told_apart_from_silence() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for peer in PEERS {
            let path = instance.pair.output();
            let options = Instance::replies().end_of_writers(EndOfWriters::End);
            let mut replies = options.open(path).unwrap();
            assert_eq!(replies.recv_timeout(ms(50)).unwrap_err().kind(), ErrorKind::NoWriter);
            let mut writer = Peer::start(&format!("half.{peer}"), [path]);
            writer.expect("written");
            let case = Case::begin(format!("writer gone inside a line, {peer}"));
            assert_eq!(replies.recv_timeout(ms(5000)).unwrap_err().kind(), ErrorKind::Torn);
            assert_eq!(replies.recv_timeout(ms(5000)).unwrap_err().kind(), ErrorKind::PeerClosed);
            case.ends(ms(0), ms(100));
            writer.finish();
        }
    });
}

#[test]
fn a_reply_in_pieces_is_one_reply() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let mut expected: String = "abcd".chars().map(|c| c.to_string().repeat(4096)).collect();
        expected.push_str(&"e".repeat(4095));
        for peer in PEERS {
            let _bot = instance.bot(peer);
            let case = Case::begin(format!("20 KB in 4 KiB open-write-close pieces, {peer}"));
            let reply = instance.ask("pieces", ms(5000)).unwrap();
            case.ends(ms(0), ms(500));
            assert!(reply == expected, "{} bytes of {}", reply.len(), expected.len());
        }
    });
}

#[test]
fn a_reply_of_any_bytes_is_exact() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let _bot = instance.bot("py");
        let mut replies = Receiver::<Vec<u8>>::options()
            .codec(Bytes)
            .framing(Lines::default())
            .open(instance.pair.output())
            .unwrap();
        let mut commands = Instance::commands().open(instance.pair.input()).unwrap();
        commands.send(&"bytes".to_owned()).unwrap();
        let expected: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
        assert_eq!(replies.recv_timeout(ms(5000)).unwrap(), expected);
    });
}
