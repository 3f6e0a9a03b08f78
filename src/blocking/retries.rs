//! What a call says of being made again.

use super::client::Call;
use crate::core::repeats::Promise;
use crate::front::IdempotencyKey;

impl<Req, Rep, C> Call<'_, '_, Req, Rep, C> {
    /// The call may run again: where its server is lost before it has answered, it is put to the
    /// next, under the same deadline, and at most
    /// [`max_retries`](crate::ClientOptions::max_retries) times. Within one life of a server it
    /// runs once, by a [key](Self::key) that the client draws where none is given; the next life of
    /// the server knows nothing of it, and may run it again.
    ///
    /// A server is lost when it has left, has given this client up, has declined the request
    /// because it leaves, or when this client had to give up the connection
    /// ([`ErrorKind::Poisoned`](crate::ErrorKind::Poisoned)). A late answer is none of these: what
    /// has timed out is not made again.
    ///
    /// A server keeps keys and answers in memory, within limits: see
    /// [`ServerOptions::max_keys`](crate::ServerOptions::max_keys). The request is kept here until
    /// the call ends.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use fifowire::{Client, Pair, Server};
    ///
    /// let pair = Pair::create(directory.path(), "agent")?;
    /// let mut server = Server::<u32, u32>::open(&pair)?;
    /// let service = std::thread::spawn(move || {
    ///     server.serve(|number, context| {
    ///         context.stop();
    ///         // For a server that keeps for itself what it has done.
    ///         let key = context.idempotency_key();
    ///         key.map(|_| number + 1).ok_or("a request without a key")
    ///     })
    /// });
    ///
    /// let client = Client::<u32, u32>::open(&pair)?;
    /// assert_eq!(client.request(&41).idempotent().call()?, 42);
    /// service.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idempotent(mut self) -> Self {
        self.retries.promise = Some(Promise::AnyLife);
        self
    }

    /// As [`idempotent`](Self::idempotent), and never run twice: once a server may have the
    /// request, it is put again to the same life of that server and to no other. Where that life
    /// has ended, or was not known yet, or the call has no deadline, the call ends, and its
    /// [fate](crate::Error::fate) says so.
    pub fn at_most_once(mut self) -> Self {
        self.retries.promise = Some(Promise::SameLife);
        self
    }

    /// Names the request, for those that make it again: requests with the same key are one, whoever
    /// makes them. A server that has begun it gives the answer to whoever asked last, and one that
    /// has answered it gives the same answer again, and runs it once in its life; see
    /// [`ServerOptions::key_retention`](crate::ServerOptions::key_retention) for how long it knows.
    /// By itself a key makes nobody put the call again. The messages are not compared. A
    /// [notification](Self::notify) and a [stream](Self::stream) have no key, and are not made
    /// again.
    pub fn key(mut self, key: impl Into<IdempotencyKey>) -> Self {
        self.retries.key = Some(key.into());
        self
    }
}
