//! A regular file where a FIFO is expected: refused, and left as it was.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fifowire::{Client, ErrorKind, Fifo, Pair};

use super::{Instance, PEERS};
use crate::support::{Case, Peer, act, ms};

/// Size, inode, times: of the file itself.
fn facts(path: &Path) -> (u64, u64, i64, i64, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.size(), found.ino(), found.mtime(), found.ctime(), found.mode())
}

/// A file at `path` that a peer puts there, in place of whatever stands there.
fn put_file(path: &Path, peer: &str, delay: &str) -> Peer {
    let mut writer = Peer::start(&format!("file.{peer}"), [path.to_str().unwrap(), delay]);
    writer.expect("ready");
    writer
}

#[test]
fn a_regular_file_is_refused_at_once_and_left_untouched() {
    act(|directory| {
        for peer in PEERS {
            let pair = Pair::at(directory, "bot").unwrap();
            for path in [pair.input(), pair.output()] {
                put_file(path, peer, "0").finish();
            }
            let before = [facts(pair.input()), facts(pair.output())];
            let case = Case::begin(format!("a regular file at the path, {peer}"));
            let refusals = [
                Instance::commands().open(pair.input()).map(drop).unwrap_err(),
                Instance::replies().open(pair.output()).map(drop).unwrap_err(),
                Fifo::open(pair.input()).map(drop).unwrap_err(),
                Client::<String, String>::open(&pair).map(drop).unwrap_err(),
            ];
            case.ends(ms(0), ms(50));
            for error in refusals {
                assert_eq!(error.kind(), ErrorKind::NotAFifo, "{error}");
            }
            let error = Pair::create(directory, "bot").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert_eq!([facts(pair.input()), facts(pair.output())], before);
            for path in [pair.input(), pair.output()] {
                assert_eq!(fs::read(path).unwrap(), b"precious\n");
                fs::remove_file(path).unwrap();
            }
        }
    });
}

#[test]
fn a_file_that_replaces_the_fifo_during_the_wait_ends_it() {
    act(|directory| {
        for peer in PEERS {
            let path = directory.join("bot.fifo");
            let fifo = Fifo::create(&path).unwrap();
            let mut writer = put_file(&path, peer, "0.3");
            let case = Case::begin(format!("a file replaces the FIFO after 0.3 s, {peer}"));
            let error = Instance::commands().open_timeout(ms(5000)).open(&path).unwrap_err();
            case.ends(ms(250), ms(400));
            assert_eq!(error.kind(), ErrorKind::NotAFifo);
            writer.expect("done");
            writer.finish();
            // Nor does the drop of what stood there before remove what stands there now.
            drop(fifo);
            assert_eq!(fs::read(&path).unwrap(), b"precious\n");
            fs::remove_file(&path).unwrap();
        }
    });
}
