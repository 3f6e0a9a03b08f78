//! Native frames over a byte stream of one's own: [`NativeCodec`] for tokio-util's `FramedRead`,
//! `FramedWrite` and `Framed`.
//!
//! This module needs the feature `codec`, and no runtime.
//!
//! It is for one side that has a stream already (a pipe end of tokio's, a child's output, a socket,
//! or a `FifoReader` of `fifowire::tokio`, which opens by a deadline, verified and locked)
//! and another side that is a [`Sender`](crate::Sender), a [`Receiver`](crate::Receiver) or such a
//! codec too. It carries one-way messages; calls and replies need a [`Client`](crate::Client) and a
//! [`Server`](crate::Server). The value codecs ([`codec`]) are the same everywhere.
//!
//! ```
//! use fifowire::Fifo;
//! use fifowire::framed::NativeCodec;
//! use futures_util::StreamExt;
//! use tokio::net::unix::pipe;
//! use tokio_util::codec::FramedRead;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("events.fifo");
//! let fifo = Fifo::create(&path)?;
//! let end = pipe::OpenOptions::new().open_receiver(fifo.path())?;
//! let mut events = FramedRead::new(end, NativeCodec::<(String, u32)>::new());
//!
//! let mut sender = fifowire::tokio::Sender::<(String, u32)>::open(fifo.path()).await?;
//! sender.send(&("door".to_owned(), 1)).await?;
//! drop(sender);
//!
//! assert_eq!(events.next().await.transpose()?, Some(("door".to_owned(), 1)));
//! // The last writer has left, and that is the end of this stream.
//! assert!(events.next().await.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # What only the endpoints do
//!
//! A codec sees bytes and neither a FIFO nor a clock. There are no deadlines, no lock, no look at
//! the path, and no return of a reader or writer that has left: the end of the stream is the end.
//! And what stands in the buffer of a `FramedWrite` when a `send` is dropped or has failed goes out
//! with the next: only the endpoints promise that what was given up is not delivered later.
//!
//! # Several writers to one FIFO
//!
//! Frames have at most `PIPE_BUF` bytes (4096 on Linux), but it is `FramedWrite` that writes, and
//! it gives the kernel all it has in one write. A value that is sent by itself, from an empty
//! buffer, and fits into one frame (4048 bytes encoded, on Linux) is one atomic write. Longer
//! values, and several that were fed before a flush, are longer writes, and the bytes of other
//! writers may come to stand inside them. The reader skips and counts what was torn so, and never
//! takes it for a message; but it is lost, where only senders of this crate would have lost
//! nothing.
//!
//! # Errors and the stream
//!
//! After an error for one message (too large, unreadable, torn) the codec goes on behind it. A
//! `FramedRead` yields the error, then `None` once, and may then be polled on: the `None` right
//! behind an error is not the end, any other is. It reads before it asks the codec again, so values
//! that came together with the refused one wait until more bytes come or the stream ends. At the
//! end of the stream it asks no more after an error, so there the codec gives out the values first,
//! and then the first error; errors behind that one are not reported.
//!
//! Bytes that are of no frame are skipped silently and [counted](NativeCodec::stats), as long as
//! they are fewer than 64 KiB.

mod options;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::marker::PhantomData;

use tokio_util::bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::codec::{self, Codec, Json};
use crate::core::messages::Messages;
use crate::core::units::Units;
use crate::error::{Error, Phase, Result};
use crate::framing::Native;
use crate::stats::ReceiverStats;

pub use options::NativeCodecOptions;

/// Values of `T` to native frames and back, as an [`Encoder`] and a [`Decoder`].
///
/// Values are given as `T` or as `&T`. Where a sink's method takes none, the compiler must be told
/// which: `SinkExt::<&T>::flush(&mut writer)`.
///
/// A decoder holds the message limit and 64 KiB at most, and the bytes that it has been given and
/// that are of no message yet: a stream that is taken apart keeps them as long as it keeps the
/// codec.
///
/// ```
/// use fifowire::codec::Text;
/// use fifowire::framed::NativeCodec;
/// use tokio_util::bytes::BytesMut;
/// use tokio_util::codec::{Decoder, Encoder};
///
/// let mut codec = NativeCodec::<String>::options().codec(Text).max_message(1024).build();
/// let mut bytes = BytesMut::new();
/// codec.encode("open".to_owned(), &mut bytes)?;
/// codec.encode(&"close".to_owned(), &mut bytes)?;
/// assert_eq!(codec.decode(&mut bytes)?.as_deref(), Some("open"));
/// assert_eq!(codec.decode(&mut bytes)?.as_deref(), Some("close"));
/// assert_eq!(codec.decode(&mut bytes)?, None);
/// # Ok::<(), fifowire::Error>(())
/// ```
pub struct NativeCodec<T, C = Json> {
    codec: C,
    max_message: usize,
    /// The value at hand, encoded.
    message: Vec<u8>,
    units: Units<Native>,
    messages: Messages<Native>,
    /// The first error at the end of the stream, until the values behind it are given out.
    refused: Option<Error>,
    values: PhantomData<fn(T) -> T>,
}

impl<T> NativeCodec<T> {
    /// A codec with the default options, for values as JSON.
    pub fn new() -> Self
    where
        Json: Codec<T>,
    {
        Self::options().build()
    }

    /// Options, among them the value codec.
    pub fn options() -> NativeCodecOptions<T> {
        NativeCodecOptions::new()
    }
}

impl<T, C> NativeCodec<T, C> {
    /// What the decoder has seen so far. It has no path and no descriptor, so nothing is renewed or
    /// replaced.
    pub fn stats(&self) -> ReceiverStats {
        self.messages.stats
    }
}

impl<T> Default for NativeCodec<T>
where
    Json: Codec<T>,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<T, C: Codec<T>> Encoder<&T> for NativeCodec<T, C> {
    type Error = Error;

    /// Appends the frames of one value to `dst`.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): refused before the first byte, and
    /// `dst` is as it was.
    fn encode(&mut self, value: &T, dst: &mut BytesMut) -> Result<()> {
        codec::encode_anew(&self.codec, value, &mut self.message, self.max_message)?;
        loop {
            let whole = self.units.offer(&self.message)?;
            dst.extend_from_slice(self.units.finish());
            self.units.clear();
            if whole {
                return Ok(());
            }
        }
    }
}

impl<T, C: Codec<T>> Encoder<T> for NativeCodec<T, C> {
    type Error = Error;

    /// Appends the frames of one value to `dst`.
    ///
    /// # Errors
    /// As for `&T`.
    fn encode(&mut self, value: T, dst: &mut BytesMut) -> Result<()> {
        Encoder::<&T>::encode(self, &value, dst)
    }
}

impl<T, C: Codec<T>> Decoder for NativeCodec<T, C> {
    type Item = T;
    type Error = Error;

    /// The next value. All of `src` is taken before the answer is `None`.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec),
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge),
    /// [`ErrorKind::Torn`](crate::ErrorKind::Torn): one message, or something that is none, was
    /// refused; the next call goes on behind it.
    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<T>> {
        loop {
            if let Some(found) = self.messages.next()? {
                return codec::decode(&self.codec, self.messages.message(found)).map(Some);
            }
            let taken = self.messages.take(src);
            if taken == 0 {
                return Ok(None);
            }
            src.advance(taken);
        }
    }

    /// The next value of a stream that has ended. Whatever comes later is another stream.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), behind the last value.
    /// [`ErrorKind::Torn`](crate::ErrorKind::Torn) also where the stream ended inside a message.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<T>> {
        loop {
            match self.decode(src) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => break,
                Err(error) => {
                    self.refused.get_or_insert(error);
                }
            }
        }
        let ended = self.messages.end();
        match self.refused.take() {
            Some(error) => Err(error),
            None => ended.map(|()| None),
        }
    }
}

impl<T, C> fmt::Debug for NativeCodec<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeCodec").finish_non_exhaustive()
    }
}

/// What the stream under a [`NativeCodec`] answers (feature `codec`): a broken pipe is
/// [`ErrorKind::PeerClosed`](crate::ErrorKind::PeerClosed), and an error of this crate inside of it
/// is that error.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        // A stream of this crate's own says more than the system does.
        error.downcast().unwrap_or_else(|error| Self::system(error, Phase::Stream))
    }
}
