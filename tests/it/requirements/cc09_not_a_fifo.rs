//! CC9: a path that is no FIFO is refused at once and left untouched.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fifowire::{Client, ErrorKind, Fifo, Pair, Receiver, Sender, Server};
use nix::unistd::Uid;

use crate::support::{OVERSHOOT, raw, scene};

#[test]
fn cc9_what_is_no_fifo_is_refused_at_once_by_every_way_of_opening() {
    scene(&[], |scene| {
        let (socket, directory) = (scene.path("socket"), scene.path("directory"));
        let (file, fifo) = (scene.path("file"), scene.path("real.fifo"));
        let (link, dangling) = (scene.path("link"), scene.path("dangling"));
        fs::write(&file, "content\n").unwrap();
        fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        raw::make_fifo(&fifo);
        symlink(&fifo, &link).unwrap();
        symlink(scene.path("nowhere"), &dangling).unwrap();
        let device = PathBuf::from("/dev/null");

        for path in [&file, &directory, &socket, &link, &dangling, &device] {
            let before = state(path);
            refused(Sender::<String>::open(path));
            refused(Sender::<String>::options().exclusive(true).open(path));
            refused(Receiver::<String>::open(path));
            refused(Fifo::open(path));
            // Only root may make anything beside the device, and so come as far as to see it.
            if path != &device || Uid::effective().is_root() {
                let error = Fifo::create(path).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
                refused(Fifo::options().create_or_open(path));
            }
            assert_eq!(state(path), before, "{} was touched", path.display());
        }
        assert_eq!(fs::read(&file).unwrap(), b"content\n");
        assert!(!scene.path("nowhere").exists(), "nothing was made through the link");

        drop(listener);
        for path in [&file, &socket, &link, &dangling, &fifo] {
            fs::remove_file(path).unwrap();
        }
        fs::remove_dir(&directory).unwrap();
    });
}

#[test]
fn cc9_a_pair_of_what_is_no_fifo_is_refused_and_left_untouched() {
    scene(&[], |scene| {
        let pair = Pair::at(scene.directory(), "agent").unwrap();
        fs::write(pair.input(), "content\n").unwrap();
        fs::write(pair.output(), "content\n").unwrap();
        let before = [state(pair.input()), state(pair.output())];
        refused(Client::<String, String>::open(&pair));
        refused(Server::<String, String>::open(&pair));
        let error = Pair::create(scene.directory(), "agent").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        refused(Pair::create_or_open(scene.directory(), "agent", Fifo::options()));
        assert_eq!([state(pair.input()), state(pair.output())], before);

        // The side that is opened later is refused by the first call, also at once.
        fs::remove_file(pair.output()).unwrap();
        raw::make_fifo(pair.output());
        let client = Client::<String, String>::open(&pair).unwrap();
        refused(client.call(&"x".into()));
        assert_eq!(state(pair.input()), before[0]);
        drop(client);
        fs::remove_file(pair.input()).unwrap();
        fs::remove_file(pair.output()).unwrap();
    });
}

fn refused<T: std::fmt::Debug>(opened: fifowire::Result<T>) {
    let began = Instant::now();
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAFifo, "{error}");
    assert!(error.elapsed().unwrap_or_default() <= OVERSHOOT && began.elapsed() <= OVERSHOOT);
}

/// Everything the file system says of what stands at a path, the times included.
fn state(path: &Path) -> [i64; 12] {
    let found = fs::symlink_metadata(path).unwrap();
    [
        found.dev() as i64,
        found.ino() as i64,
        i64::from(found.mode()),
        found.nlink() as i64,
        i64::from(found.uid()),
        found.size() as i64,
        found.atime(),
        found.atime_nsec(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ]
}

#[test]
fn cc9_a_file_that_took_the_place_of_a_created_fifo_is_not_removed() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        let fifo = Fifo::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody's").unwrap();
        drop(fifo);
        assert_eq!(fs::read(&path).unwrap(), b"somebody's");
        fs::remove_file(&path).unwrap();

        let first = Fifo::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Fifo::create(&path).unwrap();
        drop(first);
        assert!(path.exists(), "the second FIFO is not the first one's to remove");
        drop(second);
        assert!(!path.exists());
    });
}
