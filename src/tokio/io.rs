//! What carries bytes as tokio's readers and writers.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Call, Download, FifoReader, FifoWriter, ReplyWriter, Upload};
use crate::awaited::Payload;
use crate::codec::Codec;
use crate::error::Result;

impl AsyncRead for FifoReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_into(buffer, |unfilled| self.poll_read_into(cx, unfilled).map_err(Into::into))
    }
}

impl AsyncRead for Download {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_into(buffer, |unfilled| self.poll_read_into(cx, unfilled))
    }
}

impl AsyncRead for Payload {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_into(buffer, |unfilled| self.poll_read_into(cx, unfilled))
    }
}

/// Reads into what of a buffer is unfilled.
fn read_into(
    buffer: &mut ReadBuf<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let count = ready!(read(buffer.initialize_unfilled()))?;
    buffer.advance(count);
    Poll::Ready(Ok(()))
}

impl AsyncWrite for FifoWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, bytes).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep>> AsyncWrite for Upload<Req, Rep, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }
}

impl<Rep, C: Codec<Rep>> AsyncWrite for ReplyWriter<'_, Rep, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }
}

impl<Req, Rep, C: Codec<Req> + Codec<Rep> + Clone> Call<'_, '_, Req, Rep, C> {
    /// Makes a call that brings everything that `bytes` reads, and waits for the reply; see
    /// [`Call::upload_from`](crate::Call::upload_from).
    ///
    /// # Errors
    /// As [`Call::upload_from`](crate::Call::upload_from).
    ///
    /// # Cancel safety
    /// The call is given up.
    pub async fn upload_from(self, bytes: impl AsyncRead) -> Result<Rep> {
        let mut bytes = pin!(bytes);
        let read = |cx: &mut Context<'_>, part: &mut [u8]| {
            let mut part = ReadBuf::new(part);
            ready!(bytes.as_mut().poll_read(cx, &mut part))?;
            Poll::Ready(Ok(part.filled().len()))
        };
        self.upload().await?.fill(read).await
    }
}
