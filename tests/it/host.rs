//! The host's process is the host's: no signal, no thread, no descriptor that a child inherits, no
//! blocking mode.

use std::fs;

use fifowire::codec::Bytes;
use fifowire::{Client, ErrorKind, Fifo, Pair, Receiver, Sender, Server};
use nix::libc::{O_CLOEXEC, O_NONBLOCK, O_PATH};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};

use crate::support::ledger::{descriptors, threads};
use crate::support::time::asleep;
use crate::support::{Line, ms, raw, scene};

/// As in a host written in C or Python: a write to a dead peer would kill the process.
#[allow(unsafe_code)]
fn let_sigpipe_kill() {
    // SAFETY: the default action is no handler; there is no code of ours for it to run.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
}

#[test]
fn a_write_to_a_dead_reader_is_an_error_and_no_signal() {
    scene(&[], |scene| {
        let_sigpipe_kill();
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        for exclusive in [false, true] {
            let reader = raw::reader(fifo.path());
            let options = Sender::<Vec<u8>>::options().codec(Bytes).exclusive(exclusive);
            let mut sender = options.open(fifo.path()).unwrap();
            drop(reader);
            // Between messages: it waits for the next reader, who does not come.
            let error = sender.send_timeout(&vec![1; 100], ms(20)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoReader);
            // Within a message.
            let reader = raw::reader(fifo.path());
            let sending = asleep(move || sender.send_timeout(&vec![1; 200_000], ms(5000)));
            drop(reader);
            assert_eq!(sending.join().unwrap_err().kind(), ErrorKind::PeerClosed);
        }
        // Had the signal come, nobody would be here to say so.
    });
}

#[test]
fn a_call_to_a_dead_server_and_a_reply_to_a_dead_client_raise_no_signal() {
    scene(&[], |scene| {
        let_sigpipe_kill();
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Client::<u32, u32>::open(&pair).unwrap();
        let call = asleep(move || (client.request(&1).timeout(ms(5000)).call(), client));
        let first = server.recv_timeout(ms(5000)).unwrap();
        first.responder.send(&1).unwrap();
        let (reply, client) = call.join();
        assert_eq!(reply.unwrap(), 1);

        let call = asleep(move || client.request(&2).timeout(ms(30)).call().map(|_| client));
        let second = server.recv_timeout(ms(5000)).unwrap();
        call.join().unwrap_err();
        second.responder.send(&2).unwrap_err();

        let client = Client::<u32, u32>::open(&pair).unwrap();
        let call = asleep(move || (client.request(&3).timeout(ms(5000)).call(), client));
        server.recv_timeout(ms(5000)).unwrap().responder.send(&3).unwrap();
        let (_, client) = call.join();
        drop(server);
        client.request(&4).timeout(ms(30)).call().unwrap_err();
    });
}

#[test]
fn a_signal_that_the_host_blocks_is_not_left_pending() {
    scene(&[], |scene| {
        let mut pipe = SigSet::empty();
        pipe.add(Signal::SIGPIPE);
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&pipe), None).unwrap();
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let reader = raw::reader(fifo.path());
        let mut sender = Sender::<String>::open(fifo.path()).unwrap();
        drop(reader);
        sender.send_timeout(&"x".into(), ms(10)).unwrap_err();
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        for field in ["SigPnd:", "ShdPnd:"] {
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            let pending = u64::from_str_radix(line[field.len()..].trim(), 16).unwrap();
            assert_eq!(pending & (1 << (Signal::SIGPIPE as u64 - 1)), 0, "{line}");
        }
    });
}

#[test]
fn every_descriptor_is_non_blocking_and_closed_on_exec_and_no_thread_is_started() {
    scene(&[("child", lists_its_fifos)], |scene| {
        let (open_before, threads_before) = (descriptors(), threads());
        let pair = Pair::create(scene.directory(), "agent").unwrap();
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let mut receiver = Receiver::<u32>::open(fifo.path()).unwrap();
        let mut sender = Sender::<u32>::open(fifo.path()).unwrap();
        // So that the receiver holds a renewed descriptor, and the server one of its own making.
        sender.send(&1).unwrap();
        drop(sender);
        receiver.recv_timeout(ms(5000)).unwrap();
        receiver.try_recv().unwrap();
        let sender = Sender::<u32>::open(fifo.path()).unwrap();
        let mut server = Server::<u32, u32>::open(&pair).unwrap();
        let client = Client::<u32, u32>::open(&pair).unwrap();
        let call = asleep(move || (client.request(&1).timeout(ms(5000)).call(), client));
        server.recv_timeout(ms(5000)).unwrap().responder.send(&1).unwrap();
        let (reply, client) = call.join();
        reply.unwrap();
        // And one that is waiting to open, with its watch.
        let nowhere = scene.path("nowhere.fifo");
        let waiting =
            asleep(move || Receiver::<u32>::options().open_timeout(ms(300)).open(nowhere).err());

        let ours: Vec<String> =
            descriptors().into_iter().filter(|open| !open_before.contains(open)).collect();
        assert!(ours.len() >= 9, "{ours:?}");
        for open in &ours {
            let fd = open.split(' ').next().unwrap();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & O_CLOEXEC, 0, "a child would inherit {open}");
            assert_ne!(flags & (O_NONBLOCK | O_PATH), 0, "it could block on {open}");
        }
        assert_eq!(threads(), threads_before + 1, "the one that this test has started");
        let mut child = scene.start("child", &[]);
        child.expect("0 FIFOs");
        child.finish();
        assert!(waiting.join().is_some());
        drop((sender, client));
    });
}

/// Says what it was born with.
fn lists_its_fifos(line: &mut Line) {
    let fifos = descriptors().into_iter().filter(|open| open.ends_with(".fifo"));
    line.say(&format!("{} FIFOs", fifos.count()));
}
