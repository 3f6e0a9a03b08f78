//! The blocking front end: waits, and nothing else.
//!
//! Every rule lives in the core; what stands here steps it and sleeps in between ([`drive`]), or
//! does so for several threads that share one connection ([`turn`]).

mod client;
mod drive;
mod options;
mod pause;
mod receiver;
mod sender;
mod server;
mod turn;

pub use client::{Call, Client, ClientOptions};
pub use options::Waiting;
pub use receiver::{Messages, Receiver, ReceiverOptions};
pub use sender::{Sender, SenderOptions};
pub use server::{Context, Request, Requests, Responder, Server, ServerOptions};
