//! Calls that carry more than one message each way: many replies, and payloads beyond memory.

mod download;
mod replies;
mod upload;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use std::future::Future;

use super::Runtime;
use super::client::{Call, Machine};
use super::hub::{Handle, Visit};
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

impl<R, Req, Rep, C> Call<'_, '_, R, Req, Rep, C>
where
    R: Runtime,
    C: Codec<Req> + Codec<Rep> + Clone,
{
    /// How many bytes of items may come before the first of them is taken; see
    /// [`Call::window`](crate::Call::window). Default: 32 KiB.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = bytes.max(1);
        self
    }

    /// Makes a call that is answered by many replies, each when it is ready and no faster than they
    /// are taken. The [timeout](Self::timeout) is for the whole stream.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    ///
    /// # Cancel safety
    /// As [`Client::call`](crate::awaited::Client::call).
    pub async fn stream(self) -> Result<Replies<R, Req, Rep, C>> {
        let client = self.client.clone();
        Ok(Replies::new(client, self.begin_stream(true, false).await?))
    }

    /// Makes a call that is answered by bytes, however many, to be read as they come.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    ///
    /// # Cancel safety
    /// As [`Client::call`](crate::awaited::Client::call).
    pub async fn download(self) -> Result<Download<R>> {
        self.begin_stream(true, false).await.map(Download::new)
    }

    /// Makes a call that brings bytes, however many, to be written as they are there;
    /// [`Upload::finish`] waits for the reply.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    ///
    /// # Cancel safety
    /// As [`Client::call`](crate::awaited::Client::call).
    pub async fn upload(self) -> Result<Upload<R, Req, Rep, C>> {
        let client = self.client.clone();
        Ok(Upload::new(client, self.begin_stream(false, true).await?))
    }

    async fn begin_stream(self, replies: bool, upload: bool) -> Result<Stream<R>> {
        let Self { client, request, limit, window, .. } = self;
        let term = limit.begin(client.hub.now());
        let window = replies.then_some(window);
        let options = Options { window, upload, ..Options::default() };
        let span = client.span();
        let begun = async {
            let calling = client.calling(request, options, term)?;
            let (calling, _place) = client.turn_to_call(calling, term).await?;
            client.hub.run(Beginning::new(calling), term, Phase::Reply).await
        };
        let id = span.clone().around(begun).await?;
        Ok(Stream { hub: client.hub.clone(), id, span, term, next: None, over: false })
    }
}

/// A call that is under way, whatever it carries. Dropped before its end, it is given up, and its
/// server told.
struct Stream<R: Runtime> {
    hub: Handle<R, Machine<R>>,
    id: Id,
    span: Span,
    term: Term,
    /// The wait for the next item.
    next: Option<AtClient<R, NextReply>>,
    over: bool,
}

type AtClient<R, E> = Visit<Handle<R, Machine<R>>, R, Machine<R>, E>;

impl<R: Runtime> Stream<R> {
    fn id(&self) -> CallId {
        CallId(self.id)
    }

    /// The next item; `None` once there are no more, for any reason.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>>> {
        let Self { hub, id, span, term, next, over } = self;
        if *over {
            return Poll::Ready(Ok(None));
        }
        let begin = || {
            let errand = NextReply::new(*id, term.deadline);
            Visit::new(hub.clone(), errand, *term, Phase::Reply)
        };
        let wait = next.get_or_insert_with(begin);
        let item = ready!(span.enter(|| Pin::new(wait).poll(cx)));
        *next = None;
        *over = !matches!(item, Ok(Some(_)));
        Poll::Ready(item)
    }

    /// Takes back the memory of an item.
    fn recycle(&self, item: Vec<u8>) {
        self.hub.with(|caller| caller.link_mut().recycle(item));
    }
}

impl<R: Runtime> Drop for Stream<R> {
    fn drop(&mut self) {
        self.next = None;
        if !self.over {
            self.hub.nudge(|caller| {
                caller.give_up(self.id);
            });
        }
    }
}
