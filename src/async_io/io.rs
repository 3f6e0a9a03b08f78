//! What carries bytes as readers and writers, by the traits of futures-io.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Call, Download, FifoReader, FifoWriter, ReplyWriter, Upload};
use crate::awaited::Payload;
use crate::codec::Codec;
use crate::error::Result;

impl AsyncRead for FifoReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, buffer).map_err(Into::into)
    }
}

impl AsyncRead for Download {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, buffer)
    }
}

impl AsyncRead for Payload {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, buffer)
    }
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

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
        let read = |cx: &mut Context<'_>, part: &mut [u8]| bytes.as_mut().poll_read(cx, part);
        self.upload().await?.fill(read).await
    }
}
