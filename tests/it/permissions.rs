//! A plain user: what the kernel and the trust policy refuse, each by its own name.
//!
//! Where the tests run as root, they make the FIFOs and a process that has given its privileges up
//! for good opens them. Another user has none to give up and no second user to own a FIFO: what
//! needs one is left out, and the rest is checked all the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use fifowire::Trust;
use fifowire::{Client, Error, ErrorKind, Fifo, Owner, Pair, Phase, Receiver, Sender, Server};
use nix::sys::prctl::set_dumpable;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::support::time::aside;
use crate::support::{Line, Scene, ms, raw, scene};

const NOBODY: u32 = 65_534;
const SOMEBODY: u32 = 1234;

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// A FIFO with this mode, of this owner where the test may say so.
fn fifo_of(scene: &Scene, name: &str, owner: u32, mode: u32) -> PathBuf {
    let path = scene.path(name);
    raw::make_fifo(&path);
    give(&path, owner, mode);
    path
}

fn give(path: &Path, owner: u32, mode: u32) {
    if is_root() {
        chown(path, Some(owner), Some(owner)).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Becomes a user without privileges, if this is root.
fn become_nobody() {
    if is_root() {
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(NOBODY)).unwrap();
        setuid(Uid::from_raw(NOBODY)).unwrap();
    }
}

/// The errors of opening both ends.
fn refusals(path: &Path, trust: Trust) -> [Error; 2] {
    let sender = Sender::<String>::options().open_timeout(ms(5000)).trust(trust).open(path);
    let receiver = Receiver::<String>::options().open_timeout(ms(5000)).trust(trust).open(path);
    let refusals = [sender.unwrap_err(), receiver.unwrap_err()];
    for error in &refusals {
        assert_eq!((error.phase(), error.path()), (Phase::Open, Some(path)), "{error}");
        assert!(error.elapsed().unwrap() < ms(1000), "not refused at once: {error}");
    }
    refusals
}

#[test]
fn what_the_kernel_refuses_is_a_permission_error() {
    scene(&[("nobody", opens_what_is_closed)], |scene| {
        give(scene.directory(), 0, 0o755);
        let closed = fifo_of(scene, "closed.fifo", 0, 0o000);
        let inside = scene.path("inside");
        fs::create_dir(&inside).unwrap();
        raw::make_fifo(&inside.join("a.fifo"));
        give(&inside, 0, 0o000);
        scene.start("nobody", &[]).finish();
        give(&inside, 0, 0o700);
        fs::remove_dir_all(&inside).unwrap();
        fs::remove_file(closed).unwrap();
    });
}

fn opens_what_is_closed(line: &mut Line) {
    become_nobody();
    for name in ["closed.fifo", "inside/a.fifo"] {
        for error in refusals(&line.path(name), Trust::default()) {
            assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        }
    }
    let inside = line.path("inside");
    let error = Fifo::create(inside.join("b.fifo")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Permission, Phase::Create), "{error}");
    let error = Pair::create(&inside, "agent").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Permission, Phase::Create), "{error}");
    let error = Client::<String, String>::open(&Pair::at(&inside, "agent").unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Permission, Phase::Open), "{error}");
}

#[test]
fn what_the_policy_refuses_is_untrusted_and_a_wider_policy_opens_it() {
    scene(&[("nobody", opens_what_it_does_not_trust)], |scene| {
        give(scene.directory(), 0, 0o755);
        let second_name = scene.path("second.fifo");
        let made = [
            fifo_of(scene, "others.fifo", SOMEBODY, 0o666),
            fifo_of(scene, "roots.fifo", 0, 0o666),
            fifo_of(scene, "open.fifo", NOBODY, 0o666),
            fifo_of(scene, "linked.fifo", NOBODY, 0o600),
        ];
        fs::hard_link(scene.path("linked.fifo"), &second_name).unwrap();
        scene.start("nobody", &[]).finish();
        fs::remove_file(second_name).unwrap();
        made.iter().for_each(|path| fs::remove_file(path).unwrap());
    });
}

fn opens_what_it_does_not_trust(line: &mut Line) {
    become_nobody();
    let me = Uid::effective().as_raw();
    let open = Trust::default().at_most(0o666);
    let mut cases = vec![
        ("open.fifo", Trust::default(), "its mode is 0666, allowed is 0660"),
        ("linked.fifo", open, "it has 2 names"),
        ("open.fifo", open.owner(Owner::Uid(me + 1)), "belongs to user"),
    ];
    if fs::metadata(line.path("others.fifo")).unwrap().uid() == SOMEBODY {
        cases.push(("others.fifo", open, "it belongs to user 1234"));
        cases.push(("roots.fifo", open.owner(Owner::Uid(me)), "it belongs to user 0"));
    }
    for (name, trust, why) in cases {
        for error in refusals(&line.path(name), trust) {
            assert_eq!(error.kind(), ErrorKind::Untrusted, "{name}: {error}");
            assert!(error.detail().unwrap().contains(why), "{name}: {error}");
        }
    }
    let anyone = open.owner(Owner::Anyone);
    for (name, trust) in [("open.fifo", open), ("roots.fifo", open), ("others.fifo", anyone)] {
        let options = Receiver::<String>::options().trust(trust);
        let mut receiver = options.open(line.path(name)).unwrap();
        let mut sender = Sender::<String>::options().trust(trust).open(line.path(name)).unwrap();
        sender.send(&"let in".into()).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), "let in");
    }
}

/// A daemon that has given root up: the kernel then keeps most of `/proc/self` to root, and the
/// library goes through a part of it.
#[test]
fn a_process_that_gave_its_privileges_up_can_do_everything() {
    scene(&[("daemon", does_everything)], |scene| {
        let own = scene.path("own");
        fs::create_dir(&own).unwrap();
        give(scene.directory(), 0, 0o755);
        give(&own, NOBODY, 0o700);
        scene.start("daemon", &[]).finish();
        fs::remove_dir(&own).unwrap();
    });
}

fn does_everything(line: &mut Line) {
    become_nobody();
    assert!(!is_root());
    // The state that a set-user-id change leaves a process in, said again for those who had none.
    set_dumpable(false).unwrap();
    let own = line.path("own");
    for mode in [0o600, 0o660, 0o640] {
        let fifo = Fifo::options().mode(mode).create(own.join("a.fifo")).unwrap();
        assert_eq!(fs::metadata(fifo.path()).unwrap().mode() & 0o7777, mode);
        let mut receiver = Receiver::<u32>::open(fifo.path()).unwrap();
        for number in 0..3 {
            let mut sender = Sender::<u32>::open(fifo.path()).unwrap();
            sender.send(&number).unwrap();
            drop(sender);
            // Each departure of the last writer has the receiver open its end anew.
            assert_eq!(receiver.recv_timeout(ms(5000)).unwrap(), number);
            assert_eq!(receiver.try_recv().unwrap(), None);
        }
        assert_eq!(receiver.stats().renewals, 3);
    }
    let pair = Pair::create(&own, "agent").unwrap();
    let mut server = Server::<u32, u32>::open(&pair).unwrap();
    for life in 0..3 {
        let client = Client::<u32, u32>::open(&pair).unwrap();
        let call = aside(move || client.request(&life).timeout(ms(5000)).call());
        let request = server.recv_timeout(ms(5000)).unwrap();
        request.responder.send(&(request.value + 1)).unwrap();
        assert_eq!(call.join().unwrap(), life + 1);
    }
}
