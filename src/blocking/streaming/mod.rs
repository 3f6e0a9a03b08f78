//! Calls that carry more than one message each way: many replies, and payloads beyond memory.

mod download;
mod replies;
mod upload;

use std::io::Read;
use std::time::Instant;

use super::client::{Call, Client, Machine};
use super::turn::Turn;
use crate::codec::Codec;
use crate::core::calls::CallId as Id;
use crate::core::errand::{Beginning, NextReply};
use crate::core::wire::Options;
use crate::error::{Phase, Result};
use crate::front::{CallId, Term};
use crate::trace::Span;
pub use download::Download;
pub use replies::Replies;
pub use upload::Upload;

impl<'c, Req, Rep, C: Codec<Req> + Codec<Rep>> Call<'c, '_, Req, Rep, C> {
    /// How many bytes of items may come before the first of them is taken. Default: 32 KiB, which,
    /// with one item of a payload beyond, fits into a pipe of the usual size: a stream that nobody
    /// takes items of for a while keeps no other reply from coming. Each item counts for 64 bytes
    /// more than it has. One that is longer than the window comes all the same, alone.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = bytes.max(1);
        self
    }

    /// Makes a call that is answered by many replies, each when it is ready and no faster than they
    /// are taken. The [timeout](Self::timeout) is for the whole stream, 30 s unless told otherwise;
    /// `deadline(Deadline::NEVER)` for one without end.
    ///
    /// Nobody looks after the stream while nobody waits on this client, for this call or another;
    /// what the server sends then waits in the pipe, and a server that finds no room for [as long
    /// as that](crate::ServerOptions::stall_timeout) gives its client up. Where a reply takes long
    /// to digest, have another thread [attend](Client::attend) to the client.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, EndOfWriters, Pair, Server};
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let options = Server::<u32, u32>::options().end_of_writers(EndOfWriters::End);
    /// let mut server = options.open(&pair)?;
    /// let service = std::thread::spawn(move || {
    ///     server.serve_streams(|upto, replies, _| {
    ///         for number in 1..=upto {
    ///             replies.send(&number)?;
    ///         }
    ///         Ok::<_, fifowire::Error>(())
    ///     })
    /// });
    ///
    /// let client = Client::<u32, u32>::open(&pair)?;
    /// let mut sum = 0;
    /// for number in client.request(&100).stream()? {
    ///     sum += number?;
    /// }
    /// assert_eq!(sum, 5050);
    /// # drop(client);
    /// # service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn stream(self) -> Result<Replies<'c, Req, Rep, C>> {
        let (client, stream) = self.begin_stream(true, false)?;
        Ok(Replies::new(client, stream))
    }

    /// Makes a call that is answered by bytes, however many, to be [read](Read) as they come. As
    /// [`stream`](Self::stream) otherwise.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, EndOfWriters, Pair, Server};
    /// use std::io::{self, Write};
    ///
    /// let pair = Pair::create(directory.path(), "files")?;
    /// let options = Server::<String, ()>::options().end_of_writers(EndOfWriters::End);
    /// let mut server = options.open(&pair)?;
    /// let service = std::thread::spawn(move || {
    ///     server.serve_streams(|name, replies, _| {
    ///         // As good as any file.
    ///         io::copy(&mut name.repeat(100_000).as_bytes(), &mut replies.writer()).map(drop)
    ///     })
    /// });
    ///
    /// let client = Client::<String, ()>::open(&pair)?;
    /// let mut file = client.request(&"abc".to_owned()).download()?;
    /// assert_eq!(io::copy(&mut file, &mut io::sink())?, 300_000);
    /// # drop(file);
    /// # drop(client);
    /// # service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn download(self) -> Result<Download<'c>> {
        self.begin_stream(true, false).map(|(_, stream)| Download::new(stream))
    }

    /// Makes a call that brings bytes, however many, to be [written](std::io::Write) as they are
    /// there; [`Upload::finish`] waits for the reply.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn upload(self) -> Result<Upload<'c, Req, Rep, C>> {
        let (client, stream) = self.begin_stream(false, true)?;
        Ok(Upload::new(client, stream))
    }

    /// Makes a call that brings everything that `bytes` reads, and waits for the reply. A server
    /// may answer before it has all: then the rest is not read.
    ///
    /// The deadline is not for reads of `bytes`, which may take as long as they like.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, EndOfWriters, Pair, Server};
    /// use std::io;
    ///
    /// let pair = Pair::create(directory.path(), "files")?;
    /// let options = Server::<String, u64>::options().end_of_writers(EndOfWriters::End);
    /// let mut server = options.open(&pair)?;
    /// let service = std::thread::spawn(move || {
    ///     server.serve(|_name, context| io::copy(&mut context.payload(), &mut io::sink()))
    /// });
    ///
    /// let client = Client::<String, u64>::open(&pair)?;
    /// let bytes = [7; 300_000];
    /// assert_eq!(client.request(&"sevens".to_owned()).upload_from(&bytes[..])?, 300_000);
    /// # drop(client);
    /// # service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::call`]; [`ErrorKind::System`](crate::ErrorKind::System) in [`Phase::Stream`]
    /// where a read of `bytes` fails, and the call is given up.
    pub fn upload_from(self, bytes: impl Read) -> Result<Rep> {
        self.upload()?.fill(bytes)
    }

    fn begin_stream(
        self,
        replies: bool,
        upload: bool,
    ) -> Result<(&'c Client<Req, Rep, C>, Stream<'c>)> {
        let term = self.limit.begin(Instant::now());
        let window = replies.then_some(self.window);
        let options = Options { window, upload, ..Options::default() };
        let (client, span) = (self.client, self.client.span());
        let id = span.enter(|| {
            let (calling, now) = client.calling(self.request, options, term)?;
            client.turn.run_in(&span, Beginning::new(calling), now, term, Phase::Reply)
        })?;
        Ok((client, Stream { turn: &client.turn, id, span, term, over: false }))
    }
}

/// A call that is under way, whatever it carries. Dropped before its end, it is given up, and its
/// server told.
struct Stream<'c> {
    turn: &'c Turn<Machine>,
    id: Id,
    span: Span,
    term: Term,
    over: bool,
}

impl Stream<'_> {
    fn id(&self) -> CallId {
        CallId(self.id)
    }

    /// The next item; `None` once there are no more, for any reason.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.over {
            return Ok(None);
        }
        let next = NextReply::new(self.id, self.term.deadline);
        let run = || self.turn.run(next, Instant::now(), self.term, Phase::Reply);
        let item = self.span.enter(run);
        self.over = !matches!(item, Ok(Some(_)));
        item
    }

    /// Takes back the memory of an item.
    fn recycle(&self, item: Vec<u8>) {
        self.turn.with(|caller| caller.link_mut().recycle(item));
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.turn.nudge(|caller| {
                caller.give_up(self.id);
            });
        }
    }
}
