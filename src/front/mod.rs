//! What all front ends share: options, the term of a call, the moment before a wait, the notices
//! of a long one. Nothing here waits.

mod call_id;
mod chunk;
mod client_options;
mod common;
mod fifo_reader_options;
mod fifo_writer_options;
mod link_news;
mod notices;
mod pause;
mod pong;
mod receiver_options;
mod retries;
mod sender_options;
mod server_options;
mod term;

pub use call_id::CallId;
pub(crate) use chunk::{Chunk, failed_before};
pub use client_options::ClientOptions;
pub(crate) use common::Common;
pub use common::Waiting;
#[cfg(feature = "codec")]
pub(crate) use common::{MAX_MESSAGE, message_limit};
pub use fifo_reader_options::FifoReaderOptions;
pub use fifo_writer_options::FifoWriterOptions;
pub(crate) use link_news::{LinkNews, LinkReport};
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub(crate) use notices::Notice;
pub(crate) use notices::Notices;
pub(crate) use pause::{Pause, Spell};
pub use pong::{Pong, ServerLoad};
pub use receiver_options::ReceiverOptions;
pub use retries::IdempotencyKey;
pub(crate) use retries::{Asking, Retries};
pub use sender_options::SenderOptions;
pub use server_options::ServerOptions;
pub(crate) use term::{Limit, Term};
