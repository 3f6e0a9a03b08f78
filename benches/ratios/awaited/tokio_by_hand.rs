//! The peer on tokio: its pipes or its socket, under the codec that everybody takes for lengths,
//! with postcard inside; one `write` a message.

use std::os::unix::net;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nix::libc::ENXIO;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::exchange::Connection;
use super::packet::Packet;

/// What is read and what is written, each under the codec.
pub(crate) struct Framed<R, W> {
    inbound: FramedRead<R, LengthDelimitedCodec>,
    outbound: FramedWrite<W, LengthDelimitedCodec>,
    body: [u8; 4096],
}

impl<R: AsyncRead, W: AsyncWrite> Framed<R, W> {
    fn new(inbound: R, outbound: W) -> Self {
        let codec = LengthDelimitedCodec::new;
        let (inbound, outbound) =
            (FramedRead::new(inbound, codec()), FramedWrite::new(outbound, codec()));
        Self { inbound, outbound, body: [0; 4096] }
    }
}

impl<R, W> Connection for Framed<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    async fn send(&mut self, packet: &Packet) {
        let body = postcard::to_slice(packet, &mut self.body).expect("it fits");
        let body = Bytes::copy_from_slice(body);
        self.outbound.send(body).await.expect("the other side is there");
    }

    async fn recv(&mut self) -> Option<Packet> {
        let body = self.inbound.next().await?.expect("it is readable");
        Some(postcard::from_bytes(&body).expect("a packet"))
    }
}

/// Two FIFOs, each opened as soon as that goes.
pub(crate) async fn pipes(inbound: &Path, outbound: &Path) -> Framed<Receiver, Sender> {
    let inbound = OpenOptions::new().open_receiver(inbound).expect("a reader is never refused");
    Framed::new(inbound, open_sender(outbound).await)
}

/// A stream, in its two halves.
pub(crate) fn socket(stream: net::UnixStream) -> Framed<OwnedReadHalf, OwnedWriteHalf> {
    stream.set_nonblocking(true).expect("a socket can be");
    let stream = UnixStream::from_std(stream).expect("a runtime is there");
    let (inbound, outbound) = stream.into_split();
    Framed::new(inbound, outbound)
}

/// Tries until the reader is there, as tokio's page on pipes says.
async fn open_sender(path: &Path) -> Sender {
    loop {
        match OpenOptions::new().open_sender(path) {
            Ok(sender) => return sender,
            Err(error) if error.raw_os_error() == Some(ENXIO) => {}
            Err(error) => panic!("open {}: {error}", path.display()),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
