//! Plain bytes, on every front end.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use fifowire::{EndOfWriters, Error, ErrorKind, Fifo};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::stat::Mode;

use super::{AsyncIo, Blocking, Front, TokioCurrent, TokioMulti};
use crate::support::time::aside;
use crate::support::{Scene, ledger, ms, raw, scene_after};

/// Bytes of which no two neighbourhoods look alike, longer than any pipe.
fn noise() -> Vec<u8> {
    (0..1_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The error of this crate inside of one of the standard library's.
fn inner(error: &io::Error) -> ErrorKind {
    error.get_ref().unwrap().downcast_ref::<Error>().unwrap().kind()
}

async fn read_to_end<F: Front>(reader: &mut F::Reader) -> Vec<u8> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 10_000]);
    loop {
        match F::read(reader, &mut chunk).await.unwrap() {
            0 => return bytes,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn bytes_pass_as_they_are_and_end_with_their_writer<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("bytes.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let reading = aside(move || {
        F::block_on(async {
            let mut reader = F::reader(&path, EndOfWriters::End, ms(9000)).await.unwrap();
            read_to_end::<F>(&mut reader).await
        })
    });
    F::block_on(async {
        let mut writer = F::writer(fifo.path(), ms(9000)).await.unwrap();
        F::write_all(&mut writer, &noise()).await.unwrap();
    });
    assert!(reading.join() == noise());
}

fn writers_come_and_go_and_no_byte_is_lost<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("writers.fifo")).unwrap();
    let path = fifo.path().to_owned();
    let reading = aside(move || {
        F::block_on(async {
            let mut reader = F::reader(&path, EndOfWriters::Wait, ms(9000)).await.unwrap();
            let mut bytes = Vec::new();
            while bytes.len() < 300 {
                let mut chunk = [0; 7];
                let count = F::read(&mut reader, &mut chunk).await.unwrap();
                assert_ne!(count, 0, "no end while the next writer may come");
                bytes.extend_from_slice(&chunk[..count]);
            }
            bytes
        })
    });
    for number in 0..100 {
        F::block_on(async {
            let mut writer = F::writer(fifo.path(), ms(9000)).await.unwrap();
            F::write_all(&mut writer, &[number; 3]).await.unwrap();
        });
    }
    let expected: Vec<u8> = (0..100).flat_map(|number| [number; 3]).collect();
    assert_eq!(reading.join(), expected);
}

fn every_wait_ends_on_time_and_says_why<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("waits.fifo")).unwrap();
    F::block_on(async {
        let error = F::writer(fifo.path(), ms(30)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoReader);
        assert_eq!(error.path(), Some(fifo.path()));
        let mut reader = F::reader(fifo.path(), EndOfWriters::End, ms(30)).await.unwrap();
        let error = F::read(&mut reader, &mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(inner(&error), ErrorKind::NoWriter);

        // Nothing that is asked for is waited for, whatever was waited for before.
        assert_eq!(F::read(&mut reader, &mut []).await.unwrap(), 0);

        let mut writer = F::writer(fifo.path(), ms(200)).await.unwrap();
        let error = F::read(&mut reader, &mut [0; 8]).await.unwrap_err();
        assert_eq!(inner(&error), ErrorKind::TimedOut);
        let error = F::write_all(&mut writer, &noise()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(inner(&error), ErrorKind::WriteStalled);

        drop(reader);
        let error = F::write_all(&mut writer, b"to nobody").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("a later call writes"), "{error}");
        // The next reader is heard of, whatever the runtime remembers of the last.
        let mut returned = raw::reader(fifo.path());
        raw::drain(&mut returned);
        F::write_all(&mut writer, b"to somebody").await.unwrap();
        assert_eq!(raw::take(&mut returned, 11), b"to somebody");
    });
}

/// One that has ended takes no time from the next.
fn every_wait_has_a_time_of_its_own<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("times.fifo")).unwrap();
    let time = ms(100);
    // What an error says of its wait, which began and ended in here.
    let checked = |began: Instant, error: io::Error| {
        let took = began.elapsed();
        let elapsed = error.get_ref().unwrap().downcast_ref::<Error>().unwrap().elapsed().unwrap();
        assert!(time <= elapsed && elapsed <= took, "{elapsed:?} in {took:?}");
    };
    F::block_on(async {
        let mut reader = F::reader(fifo.path(), EndOfWriters::End, time).await.unwrap();
        let mut writer = F::writer(fifo.path(), time).await.unwrap();
        for _ in 0..3 {
            let began = Instant::now();
            checked(began, F::read(&mut reader, &mut [0; 8]).await.unwrap_err());
        }
        F::write_all(&mut writer, b"here").await.unwrap();
        assert_eq!(F::read(&mut reader, &mut [0; 8]).await.unwrap(), 4);
        let began = Instant::now();
        checked(began, F::read(&mut reader, &mut [0; 8]).await.unwrap_err());
        let page = [0; 4096];
        // What fills it up is written at once, and the first that is not has to wait.
        let mut began = Instant::now();
        let error = loop {
            match F::write_all(&mut writer, &page).await {
                Ok(()) => began = Instant::now(),
                Err(error) => break error,
            }
        };
        checked(began, error);
        for _ in 0..2 {
            let began = Instant::now();
            checked(began, F::write_all(&mut writer, &page).await.unwrap_err());
        }
    });
}

fn a_path_that_comes_to_name_another_fifo_is_told_of<F: Front>(scene: &Scene) {
    let path = scene.path("replaced.fifo");
    raw::make_fifo(&path);
    F::block_on(async {
        let mut reader = F::reader(&path, EndOfWriters::Wait, ms(9000)).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        raw::make_fifo(&path);
        let error = F::read(&mut reader, &mut [0; 8]).await.unwrap_err();
        assert_eq!(inner(&error), ErrorKind::Replaced);
    });
    std::fs::remove_file(&path).unwrap();
}

/// Flags of a descriptor: whether it blocks, whether a program that is executed inherits it.
fn blocks_and_inherits(fd: impl AsFd) -> (bool, bool) {
    let flags = OFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFL).unwrap());
    let inherits = FdFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFD).unwrap());
    (!flags.contains(OFlag::O_NONBLOCK), !inherits.contains(FdFlag::FD_CLOEXEC))
}

fn descriptors_from_elsewhere_are_verified_and_made_ours<F: Front>(scene: &Scene) {
    let fifo = Fifo::create(scene.path("given.fifo")).unwrap();
    F::block_on(async {
        let reader = OwnedFd::from(raw::reader(fifo.path()));
        fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let mut reader = F::Reader::try_from(reader).unwrap();
        let writer = OwnedFd::from(raw::writer(fifo.path()));
        assert_eq!(blocks_and_inherits(&writer), (true, false));
        let mut writer = F::Writer::try_from(writer).unwrap();
        assert_eq!(blocks_and_inherits(&reader), (false, false));
        assert_eq!(blocks_and_inherits(&writer), (false, false));
        F::write_all(&mut writer, b"given").await.unwrap();
        drop(writer);
        assert_eq!(read_to_end::<F>(&mut reader).await, b"given");

        // An anonymous pipe has no path, and is one all the same.
        let (source, sink) = nix::unistd::pipe().unwrap();
        let (mut reader, mut writer) =
            (F::Reader::try_from(source).unwrap(), F::Writer::try_from(sink).unwrap());
        F::write_all(&mut writer, b"unnamed").await.unwrap();
        drop(writer);
        assert_eq!(read_to_end::<F>(&mut reader).await, b"unnamed");

        let refused = |fd: OwnedFd, kind: ErrorKind| {
            let (reader, writer) = (fd.try_clone().unwrap(), fd);
            for error in
                [F::Reader::try_from(reader).unwrap_err(), F::Writer::try_from(writer).unwrap_err()]
            {
                assert_eq!(error.kind(), kind);
                // It has no path to be looked at, and a name all the same.
                let (text, name) = (error.to_string(), error.path().unwrap().to_owned());
                assert!(text.contains("descriptor") && !text.contains("at the path"), "{text}");
                assert!(name == scene.path("a file") || name == fifo.path(), "{text}");
            }
        };
        let path = scene.path("a file");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"untouched").unwrap();
        refused(file.into(), ErrorKind::NotAFifo);
        assert_eq!(std::fs::read(&path).unwrap(), b"untouched");
        std::fs::remove_file(&path).unwrap();
        let both = std::fs::OpenOptions::new().read(true).write(true).open(fifo.path()).unwrap();
        refused(both.into(), ErrorKind::WrongEnd);
        // A mere name, by which nothing can be read or written.
        let name = open(fifo.path(), OFlag::O_PATH, Mode::empty()).unwrap();
        refused(name, ErrorKind::WrongEnd);
        let (source, sink) = nix::unistd::pipe().unwrap();
        assert_eq!(F::Writer::try_from(source).unwrap_err().kind(), ErrorKind::WrongEnd);
        assert_eq!(F::Reader::try_from(sink).unwrap_err().kind(), ErrorKind::WrongEnd);
    });
}

/// Without a runtime tokio cannot keep a descriptor. Whoever shares it finds it as it was.
fn tokio_refuses_descriptors_outside_of_a_runtime(scene: &Scene) {
    use fifowire::tokio::{FifoReader, FifoWriter};
    let fifo = Fifo::create(scene.path("outside.fifo")).unwrap();
    let before = ledger::descriptors();
    {
        let reader = OwnedFd::from(raw::reader(fifo.path()));
        let writer = OwnedFd::from(raw::writer(fifo.path()));
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        }
        let refused = || {
            let shared = || (reader.try_clone().unwrap(), writer.try_clone().unwrap());
            let ((reading, writing), given) = (shared(), shared());
            let errors = (
                std::panic::catch_unwind(|| FifoReader::try_from(given.0).map(drop)),
                std::panic::catch_unwind(|| FifoWriter::try_from(given.1).map(drop)),
            );
            assert!(blocks_and_inherits(reading).0 && blocks_and_inherits(writing).0);
            errors
        };
        let (reading, writing) = refused();
        for refused in [reading, writing] {
            let error = refused.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::System, "{error}");
            assert!(error.to_string().contains("no reactor running"), "{error}");
        }
        // One that does no input and output cannot be told from one that does, but by its panic.
        let without = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (reading, writing) = without.block_on(async { refused() });
        assert!(reading.is_err() && writing.is_err());
    }
    assert_eq!(ledger::descriptors(), before);
}

#[test]
fn blocking_raw() {
    scene_after(Blocking::prepare, |scene| {
        all::<Blocking>(scene);
    });
}

#[test]
fn tokio_current_thread_raw() {
    scene_after(TokioCurrent::prepare, |scene| {
        all::<TokioCurrent>(scene);
        tokio_refuses_descriptors_outside_of_a_runtime(scene);
    });
}

#[test]
fn tokio_multi_thread_raw() {
    scene_after(TokioMulti::prepare, |scene| {
        all::<TokioMulti>(scene);
    });
}

#[test]
fn async_io_raw() {
    scene_after(AsyncIo::prepare, |scene| {
        all::<AsyncIo>(scene);
    });
}

fn all<F: Front>(scene: &Scene) {
    bytes_pass_as_they_are_and_end_with_their_writer::<F>(scene);
    writers_come_and_go_and_no_byte_is_lost::<F>(scene);
    every_wait_ends_on_time_and_says_why::<F>(scene);
    every_wait_has_a_time_of_its_own::<F>(scene);
    a_path_that_comes_to_name_another_fifo_is_told_of::<F>(scene);
    descriptors_from_elsewhere_are_verified_and_made_ours::<F>(scene);
}
