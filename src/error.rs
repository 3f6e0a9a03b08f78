//! The one public error: what failed, where, after how long, and what became of the message.
//!
//! An error never carries payload: a FIFO may hold secrets, and errors end up in logs. It is one
//! pointer wide, because a `Result` travels through every hot path and failures are rare.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What any call of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with everything needed to say whose turn it is.
///
/// [`kind`](Error::kind) is what programs match on; `Display` is for people: the operation's
/// phase, the path, the cause, the time spent, the fate of the message and a hint.
pub struct Error(Box<Report>);

struct Report {
    kind: ErrorKind,
    phase: Phase,
    path: Option<PathBuf>,
    elapsed: Option<Duration>,
    deadline: Option<Duration>,
    fate: Option<Fate>,
    progress: Option<Progress>,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How many bytes of a message, framing included, the FIFO had accepted when a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes the kernel accepted.
    pub written: u64,
    /// Bytes the message has in all.
    pub total: u64,
}

/// What became of the message that a failed call was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fate {
    /// No peer will ever see it: nothing of it was accepted, or it was cut so that it is void.
    #[error("not sent")]
    NotSent,
    /// The FIFO accepted it, in whole or in part, and nobody said what happened then.
    #[error("maybe delivered")]
    MaybeDelivered,
    /// The peer has it: it has answered, by this error or by a part of its answer.
    #[error("delivered")]
    Delivered,
}

/// The part of a call that an error happened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Phase {
    /// Making the FIFO in the file system.
    #[error("create")]
    Create,
    /// Opening it, the wait for the peer's end included.
    #[error("open")]
    Open,
    /// Turning a value into bytes.
    #[error("encode")]
    Encode,
    /// Writing to it.
    #[error("write")]
    Write,
    /// Reading from it.
    #[error("read")]
    Read,
    /// Turning bytes into a value.
    #[error("decode")]
    Decode,
    /// Waiting for the reply to a request that was written.
    #[error("reply")]
    Reply,
    /// Waiting for the server to acknowledge a cancel.
    #[error("cancel")]
    Cancel,
    /// Closing a connection on purpose.
    #[error("close")]
    Close,
    /// Reading or writing a byte stream that the caller has brought, which does not say which.
    #[error("stream")]
    Stream,
}

/// The conditions a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nobody has the FIFO open for reading, and nobody came before the deadline.
    #[error("no process reads the FIFO")]
    NoReader,
    /// Nobody has opened the FIFO for writing since we opened it.
    #[error("no process has opened the FIFO for writing yet")]
    NoWriter,
    /// Nothing came before the deadline, although a peer is or was there.
    #[error("nothing came in time")]
    TimedOut,
    /// The reader is there and does not make room.
    #[error("the reader does not make room")]
    WriteStalled,
    /// The peer was there and has left.
    #[error("the peer has closed its end")]
    PeerClosed,
    /// No file stands at the path.
    #[error("there is no file at the path")]
    NotFound,
    /// A file stands at the path already, and creating never replaces.
    #[error("there is a file at the path already")]
    AlreadyExists,
    /// What stands at the path, or what a descriptor is of, is no FIFO. What stands at a path was
    /// not opened.
    #[error("this is not a FIFO")]
    NotAFifo,
    /// A descriptor is not open for this direction, or not for it alone.
    #[error("the descriptor is not this end of a FIFO")]
    WrongEnd,
    /// The path now names another FIFO than the one this end holds.
    #[error("the FIFO was replaced by another")]
    Replaced,
    /// The FIFO's owner, mode or link count is outside the policy.
    #[error("the FIFO's owner, mode or links are not trusted")]
    Untrusted,
    /// The kernel refused by permission.
    #[error("permission denied")]
    Permission,
    /// Another process or endpoint holds an end that must be held alone.
    #[error("another endpoint holds this end")]
    Busy,
    /// A message exceeds the configured limit.
    #[error("the message is larger than the limit")]
    TooLarge,
    /// A message cannot be written in one piece on an end that others write to.
    #[error("the message does not fit into one atomic write")]
    WouldTear,
    /// The stream broke off inside a message, or holds no frame within 64 KiB.
    #[error("the stream is torn")]
    Torn,
    /// A value could not be turned into bytes, or bytes into a value.
    #[error("the codec refused the message")]
    Codec,
    /// A limit on calls in flight is reached.
    #[error("too many calls are in flight")]
    Overloaded,
    /// The call was cancelled.
    #[error("the call was cancelled")]
    Cancelled,
    /// This endpoint was closed, on this side.
    #[error("the endpoint is closed")]
    Closed,
    /// The peer did not acknowledge a cancel, and the connection was given up with all its calls.
    #[error("the connection was given up")]
    Poisoned,
    /// The peer does not know what the request asks for.
    #[error("the peer does not know what the request asks for")]
    Unsupported,
    /// A request with the same key was taken, and its answer is not for this one: it was not kept,
    /// or another has asked for it since.
    #[error("a request with the same key was taken, and its answer is not for this one")]
    Repeated,
    /// The peer's handler answered with an error, or panicked.
    #[error("the peer answered with an error")]
    Remote,
    /// The name cannot be part of a path below its directory.
    #[error("the name is not a plain file name")]
    InvalidName,
    /// Any other answer of the operating system; see [`source`](std::error::Error::source).
    #[error("the system call failed")]
    System,
}

impl ErrorKind {
    /// One sentence on what the user can do about it, wherever it happened; [`Error::hint`] may
    /// know more.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoReader => "start the process that reads this FIFO, or give it longer",
            Self::NoWriter => "start the process that writes to this FIFO, or give it longer",
            Self::TimedOut => "look at the peer, or give it longer",
            Self::WriteStalled => "the reader is stuck or slow: look at it, or give it longer",
            Self::PeerClosed => "start the other side again, unless it was to end",
            Self::NotFound => "create what is missing on the path, or correct it",
            Self::AlreadyExists => {
                "adopt it with create_or_open, or remove the file that stands there"
            }
            Self::NotAFifo => {
                "correct the path, or the descriptor; what is there was left untouched"
            }
            Self::WrongEnd => "pass a descriptor that is open for this direction alone",
            Self::Replaced => {
                "call again, which opens the new FIFO; an end of plain bytes is to be opened anew"
            }
            Self::Untrusted => "chmod or chown the FIFO, or widen the trust option",
            Self::Permission => "run as the FIFO's owner, or change its mode",
            Self::Busy => "end the other process that holds it, or use a FIFO of your own",
            Self::TooLarge => "raise the message limit on both sides, or send less",
            Self::WouldTear => "open this end as exclusive, or send a shorter message",
            Self::Torn => "a writer died or does not speak this protocol; the next frame is read",
            Self::Codec => "both sides must use the same type, codec and framing",
            Self::Overloaded => "wait for replies, let calls wait for room, or raise the limit",
            Self::Cancelled => "call again if the answer is still wanted",
            Self::Closed => "open it again where it is still needed",
            Self::Poisoned => "look at the peer: it does not answer; a later call connects anew",
            Self::Unsupported => "ask as this peer answers: it may be older, or another program",
            Self::Repeated => {
                "it is carried out once: look at what it has done, or raise max_key_bytes"
            }
            Self::Remote => "the handler failed or panicked: read what it said",
            Self::InvalidName => "use letters, digits, dots, dashes; no slash, no leading dot",
            Self::System => "see the source error",
        }
    }
}

impl Error {
    /// What happened, for programs to match on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the call it happened.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// The FIFO, where one was involved.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// How long the call had run, where it runs against a deadline.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// The deadline that applied, as the time the call had from its start.
    pub fn deadline(&self) -> Option<Duration> {
        self.0.deadline
    }

    /// What became of the message, where the call was about one.
    pub fn fate(&self) -> Option<Fate> {
        self.0.fate
    }

    /// How much of the message was written, where a write failed.
    pub fn progress(&self) -> Option<Progress> {
        self.0.progress
    }

    /// What the peer said, or which rule was broken; never payload.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// One sentence on what the user can do about it: that of its [`kind`](Self::kind), unless the
    /// phase tells more.
    pub fn hint(&self) -> &'static str {
        match (self.kind(), self.phase()) {
            (ErrorKind::PeerClosed, Phase::Read) => {
                "the writers have left, which is the end; with EndOfWriters::Wait the next are awaited"
            }
            (ErrorKind::PeerClosed, Phase::Write) => {
                "the reader has left: start it again, and a later call writes to it"
            }
            (ErrorKind::PeerClosed, Phase::Reply) => {
                "start the server again; the client reconnects with a later call"
            }
            (ErrorKind::PeerClosed, Phase::Stream) => {
                "the other side has closed the stream: open another"
            }
            (kind, _) => kind.hint(),
        }
    }

    /// An error a handler answers with: the caller gets it as [`ErrorKind::Remote`].
    pub fn remote(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Remote, Phase::Reply).detailed(message.to_string())
    }

    pub(crate) fn new(kind: ErrorKind, phase: Phase) -> Self {
        Self(Box::new(Report {
            kind,
            phase,
            path: None,
            elapsed: None,
            deadline: None,
            fate: None,
            progress: None,
            detail: None,
            source: None,
        }))
    }

    /// An answer of the operating system, as the kind it stands for.
    pub(crate) fn system(error: io::Error, phase: Phase) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            io::ErrorKind::BrokenPipe => ErrorKind::PeerClosed,
            _ => ErrorKind::System,
        };
        Self::new(kind, phase).caused_by(error)
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.0.path.get_or_insert_with(|| path.to_path_buf());
        self
    }

    pub(crate) fn timed(mut self, elapsed: Duration, deadline: Option<Duration>) -> Self {
        self.0.elapsed.get_or_insert(elapsed);
        if self.0.deadline.is_none() {
            self.0.deadline = deadline;
        }
        self
    }

    pub(crate) fn with_fate(mut self, fate: Fate) -> Self {
        self.0.fate.get_or_insert(fate);
        self
    }

    pub(crate) fn with_progress(mut self, written: u64, total: u64) -> Self {
        self.0.progress.get_or_insert(Progress { written, total });
        self
    }

    pub(crate) fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

/// For calls that answer as the standard library's do; the error itself is the source.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut | ErrorKind::NoWriter | ErrorKind::WriteStalled => {
                io::ErrorKind::TimedOut
            }
            ErrorKind::PeerClosed | ErrorKind::NoReader => io::ErrorKind::BrokenPipe,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::Permission | ErrorKind::Untrusted => io::ErrorKind::PermissionDenied,
            ErrorKind::NotAFifo | ErrorKind::WrongEnd | ErrorKind::InvalidName => {
                io::ErrorKind::InvalidInput
            }
            ErrorKind::Torn | ErrorKind::Codec | ErrorKind::TooLarge => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &*self.0;
        write!(f, "{}", report.phase)?;
        if let Some(path) = &report.path {
            write!(f, " {}", path.display())?;
        }
        write!(f, ": {}", report.kind)?;
        if let Some(detail) = &report.detail {
            f.write_str(": ")?;
            write_plain(f, detail)?;
        }
        if let Some(source) = &report.source {
            write!(f, ": {source}")?;
        }
        if let Some(Progress { written, total }) = report.progress {
            write!(f, "; {written} of {total} bytes written")?;
        }
        if let Some(elapsed) = report.elapsed {
            write!(f, "; after {elapsed:.3?}")?;
            if let Some(deadline) = report.deadline {
                write!(f, " of {deadline:?}")?;
            }
        }
        if let Some(fate) = report.fate {
            write!(f, "; {fate}")?;
        }
        write!(f, " ({})", self.hint())
    }
}

/// A peer's words may end up in a terminal: what would steer it is escaped.
fn write_plain(f: &mut fmt::Formatter<'_>, words: &str) -> fmt::Result {
    words.chars().try_for_each(|char| match char.is_control() {
        true => write!(f, "{}", char.escape_default()),
        false => write!(f, "{char}"),
    })
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide_and_crosses_threads() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_peers_words_cannot_steer_a_terminal() {
        let error = Error::remote("no\u{1b}[31m\nok");
        assert_eq!(error.detail(), Some("no\u{1b}[31m\nok"));
        assert!(error.to_string().contains("no\\u{1b}[31m\\nok"), "{error}");
    }

    /// Whose end has closed is known by the phase alone: each names what is true of all that meet
    /// it.
    #[test]
    fn what_to_do_about_a_peer_that_left_depends_on_who_meets_that() {
        let hint = |phase| Error::new(ErrorKind::PeerClosed, phase).hint();
        // A receiver, or a server, that was told to end with its writers.
        assert!(hint(Phase::Read).contains("EndOfWriters::Wait"));
        // A sender, a writer of bytes, a client whose request is not written yet.
        assert!(hint(Phase::Write).contains("reader"));
        // A client that waits for its reply.
        assert!(hint(Phase::Reply).contains("server"));
        // Somebody else's stream, which nothing here can open again.
        assert!(hint(Phase::Stream).contains("stream"));
        for phase in [Phase::Read, Phase::Write, Phase::Stream] {
            let error = Error::new(ErrorKind::PeerClosed, phase);
            assert!(!["client", "server"].iter().any(|role| error.hint().contains(role)));
            assert!(error.to_string().ends_with(&format!("({})", error.hint())));
        }
    }

    #[test]
    fn display_says_phase_path_cause_time_fate_and_hint() {
        let error = Error::new(ErrorKind::WriteStalled, Phase::Write)
            .at(Path::new("/run/a.fifo"))
            .timed(Duration::from_millis(2001), Some(Duration::from_secs(2)))
            .with_progress(65_536, 200_001)
            .with_fate(Fate::MaybeDelivered);
        let text = error.to_string();
        for part in [
            "write /run/a.fifo",
            "does not make room",
            "65536 of 200001 bytes",
            "after 2.001s of 2s",
            "maybe delivered",
            ErrorKind::WriteStalled.hint(),
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
    }
}
