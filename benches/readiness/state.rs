//! The states of a FIFO, how it comes to be in one, and what ends the wait in it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::cell::Ear;
use super::shared::ends::{fill, reader, writer};
use super::shared::waits::{LINE, News};

/// Where a FIFO stands; but for the full one, it is a receiver that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The last writer left, and another came and is idle.
    AnotherWriter,
    /// The last writer left, and nobody came.
    WritersGone,
    /// A writer is there and idle.
    IdleWriter,
    /// The pipe is full, and its reader left and returned. A sender waits.
    ReaderReturned,
    /// There was no writer ever.
    NeverWriter,
}

/// So long a runtime has to hear of a change before the next: what it remembers of the first is
/// what is looked at.
const HEARING: Duration = Duration::from_millis(50);

impl State {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::AnotherWriter, "another writer after the last"),
        (Self::WritersGone, "writers gone"),
        (Self::IdleWriter, "idle writer"),
        (Self::ReaderReturned, "full, reader returned"),
        (Self::NeverWriter, "never a writer"),
    ];

    pub(crate) fn to_argument(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn from_argument(argument: &str) -> Self {
        Self::ALL.iter().find(|(_, name)| *name == argument).expect("one of the five").0
    }
}

/// The other side of the FIFO.
pub(crate) struct Opposite {
    state: State,
    path: PathBuf,
    end: Option<File>,
    /// Has the sender begin.
    word: oneshot::Sender<()>,
}

impl Opposite {
    /// Before the endpoint opens: a sender is refused where nobody reads.
    pub(crate) fn new(state: State, path: &Path, word: oneshot::Sender<()>) -> Self {
        let end = (state == State::ReaderReturned).then(|| reader(path));
        Self { state, path: path.to_path_buf(), end, word }
    }

    /// Once the endpoint is open: brings the FIFO to its state, and answers what ends the wait.
    pub(crate) fn bring(mut self, ear: &Ear) -> Ending {
        match self.state {
            State::NeverWriter => {}
            State::IdleWriter => self.write_a_line(ear),
            State::WritersGone => {
                self.write_a_line(ear);
                self.leave();
            }
            State::AnotherWriter => {
                self.write_a_line(ear);
                self.leave();
                self.end = Some(writer(&self.path));
            }
            State::ReaderReturned => {
                // What is in the pipe stays there: the sender holds it open.
                fill(&self.path);
                self.leave();
                self.end = Some(reader(&self.path));
                thread::sleep(HEARING);
                self.word.send(()).expect("the sender listens");
                return Ending::Room(self.end.expect("it was just opened"));
            }
        }
        thread::sleep(HEARING);
        Ending::Line(self.path, self.end)
    }

    fn write_a_line(&mut self, ear: &Ear) {
        let mut writer = writer(&self.path);
        writer.write_all(LINE).expect("there is room");
        ear.expect(News::Moved);
        // The reader sleeps again before anything else happens: one that meets the end on its way
        // back from the line has never let its runtime hear of it.
        thread::sleep(HEARING);
        self.end = Some(writer);
    }

    fn leave(&mut self) {
        self.end = None;
        thread::sleep(HEARING);
    }
}

/// What ends the wait.
pub(crate) enum Ending {
    /// A line, from the writer that is there or from one that comes.
    Line(PathBuf, Option<File>),
    /// Room, once the reader takes what is there.
    Room(File),
}

impl Ending {
    /// Brings it about; the end stays open until the answer is dropped.
    pub(crate) fn come(self) -> File {
        match self {
            Self::Line(path, end) => {
                let mut writer = end.unwrap_or_else(|| writer(&path));
                writer.write_all(LINE).expect("there is room");
                writer
            }
            Self::Room(mut reader) => {
                drain(&mut reader);
                reader
            }
        }
    }
}

/// Reads what is there and no more.
fn drain(reader: &mut File) {
    let mut buffer = [0; 65_536];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("read: {error}"),
        }
    }
}
