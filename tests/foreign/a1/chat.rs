//! The bridge as it runs: several instances, many commands, one deadline per exchange.

use fifowire::{ErrorKind, Fate};

use super::{Instance, PEERS, READERS};
use crate::support::{Case, Peer, act, ms};

#[test]
fn each_instance_answers_its_own_commands() {
    act(|directory| {
        let instances = PEERS.map(|peer| (Instance::create(directory, peer), peer));
        let bots = instances.each_ref().map(|(instance, peer)| instance.bot(peer));
        let case = Case::begin("100 exchanges, two bots");
        for number in 0..50 {
            for (instance, peer) in &instances {
                let reply = instance.ask(&format!("echo {peer} {number}"), ms(5000)).unwrap();
                assert_eq!(reply, format!("{peer} {number}"));
            }
        }
        case.ends(ms(0), ms(5000));
        for (instance, _) in &instances {
            let mut commands = Instance::commands().open(instance.pair.input()).unwrap();
            commands.send(&"quit".to_owned()).unwrap();
        }
        for bot in bots {
            bot.finish();
        }
    });
}

#[test]
fn a_command_and_a_reply_of_two_hundred_thousand_bytes_pass() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let _bot = instance.bot("py");
        let text = "x".repeat(200_000);
        let case = Case::begin("200,000 bytes there and back, py");
        let reply = instance.ask(&format!("echo {text}"), ms(5000)).unwrap();
        case.ends(ms(0), ms(500));
        assert!(reply == text, "{} bytes", reply.len());
    });
}

#[test]
fn a_late_reader_and_a_silent_bot_share_one_deadline() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        for (peer, way) in READERS {
            // It comes after 0.3 s and never answers: not 0.5 s for the open and 0.5 s more.
            let path = instance.pair.input().to_str().unwrap();
            let mut reader = Peer::start(&format!("reader.{peer}"), [path, "0.3", way]);
            reader.expect("ready");
            let case = Case::begin(format!("one deadline over open and reply, {peer}, {way}"));
            let error = instance.ask("silent", ms(500)).unwrap_err();
            case.ends_at(ms(500));
            assert_eq!(error.kind(), ErrorKind::NoWriter);
        }
    });
}

#[test]
fn a_late_reader_that_stalls_gets_no_second_timeout() {
    act(|directory| {
        let instance = Instance::create(directory, "bot");
        let mut reader = Peer::start("stalled.py", [instance.pair.input()]);
        reader.expect("ready");
        let case = Case::begin("one deadline over write and reply, py");
        let error = instance.ask(&"x".repeat(200_000), ms(500)).unwrap_err();
        case.ends_at(ms(500));
        assert_eq!(error.kind(), ErrorKind::WriteStalled);
        assert_eq!(error.fate(), Some(Fate::MaybeDelivered));
    });
}
