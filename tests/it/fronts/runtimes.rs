//! How the futures of the scenarios are run, and what a runtime has for bytes.

use super::*;

/// How futures are run.
pub(crate) trait BlockOn: 'static {
    fn prepare() {}

    fn block_on<T>(future: impl Future<Output = T>) -> T;

    /// Plays so many parties: tasks of one thread, unless told otherwise.
    fn together<P: Future<Output = ()>>(
        parties: usize,
        party: impl Fn(usize) -> P + Sync,
    ) -> impl Future<Output = ()> {
        async move { drop(join_all((0..parties).map(party)).await) }
    }
}

pub(crate) enum CurrentThread {}
pub(crate) enum MultiThread {}
pub(crate) enum Smol {}

impl BlockOn for CurrentThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }
}

impl BlockOn for MultiThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap().block_on(future)
    }

    async fn together<P: Future<Output = ()>>(parties: usize, party: impl Fn(usize) -> P + Sync) {
        let runtime = tokio::runtime::Handle::current();
        on_threads(parties, |at| runtime.block_on(party(at)));
    }
}

impl BlockOn for Smol {
    fn prepare() {
        // Its reactor is a thread of its own, from the first wait to the end of the process. A
        // timer that has fired before it is first looked at waits for nothing.
        Self::block_on(async {
            let mut far = pin!(async_io::Timer::after(Duration::from_secs(3600)));
            assert!(futures_util::poll!(far.as_mut()).is_pending());
            async_io::Timer::after(Duration::from_millis(1)).await;
        });
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_io::block_on(future)
    }
}

/// A runtime with its own traits for bytes.
pub(crate) trait Bytewise: fifowire::awaited::Runtime {
    fn read(
        reader: &mut FifoReader<Self>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn write(
        writer: &mut FifoWriter<Self>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn write_all(
        writer: &mut FifoWriter<Self>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>>;

    fn read_all(download: Download<Self>) -> impl Future<Output = io::Result<Vec<u8>>>;

    fn read_payload(payload: Payload) -> impl Future<Output = io::Result<Vec<u8>>>;

    fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>>;

    fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>>>;
}

impl Bytewise for fifowire::tokio::Tokio {
    async fn read(reader: &mut FifoReader<Self>, buffer: &mut [u8]) -> io::Result<usize> {
        tokio::io::AsyncReadExt::read(reader, buffer).await
    }

    async fn write(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<usize> {
        tokio::io::AsyncWriteExt::write(writer, bytes).await
    }

    async fn write_all(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<()> {
        tokio::io::AsyncWriteExt::write_all(writer, bytes).await
    }

    async fn read_all(mut download: Download<Self>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut download, &mut bytes).await?;
        Ok(bytes)
    }

    async fn read_payload(mut payload: Payload) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut payload, &mut bytes).await?;
        Ok(bytes)
    }

    async fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut writer = replies.writer();
        tokio::io::AsyncWriteExt::write_all(&mut writer, bytes).await?;
        tokio::io::AsyncWriteExt::flush(&mut writer).await
    }

    async fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        call.upload_from(bytes).await
    }
}

impl Bytewise for fifowire::async_io::AsyncIo {
    async fn read(reader: &mut FifoReader<Self>, buffer: &mut [u8]) -> io::Result<usize> {
        futures_util::AsyncReadExt::read(reader, buffer).await
    }

    async fn write(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<usize> {
        futures_util::AsyncWriteExt::write(writer, bytes).await
    }

    async fn write_all(writer: &mut FifoWriter<Self>, bytes: &[u8]) -> io::Result<()> {
        futures_util::AsyncWriteExt::write_all(writer, bytes).await
    }

    async fn read_all(mut download: Download<Self>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        futures_util::AsyncReadExt::read_to_end(&mut download, &mut bytes).await?;
        Ok(bytes)
    }

    async fn read_payload(mut payload: Payload) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        futures_util::AsyncReadExt::read_to_end(&mut payload, &mut bytes).await?;
        Ok(bytes)
    }

    async fn reply_bytes(
        replies: &mut ReplySink<Self, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut writer = replies.writer();
        futures_util::AsyncWriteExt::write_all(&mut writer, bytes).await?;
        futures_util::AsyncWriteExt::flush(&mut writer).await
    }

    async fn upload(
        call: Call<'_, '_, Self, Vec<u8>, Vec<u8>, Bytes>,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        call.upload_from(bytes).await
    }
}
