//! Values to bytes and back: the first of the two axes a FIFO is configured along.
//!
//! [`Json`] (feature `json`, on by default) and [`Postcard`] (feature `postcard`) carry any type
//! that serde can; [`Text`] carries strings and [`Bytes`] carries bytes, unchanged.
//!
//! # A codec of one's own
//!
//! ```
//! use fifowire::codec::{Codec, CodecError};
//!
//! /// A temperature as two little-endian bytes of tenths of a degree.
//! #[derive(Clone, Debug)]
//! struct Tenths;
//!
//! impl Codec<f32> for Tenths {
//!     fn encode(&self, value: &f32, out: &mut Vec<u8>) -> Result<(), CodecError> {
//!         out.extend_from_slice(&((value * 10.0) as i16).to_le_bytes());
//!         Ok(())
//!     }
//!     fn decode(&self, message: &[u8]) -> Result<f32, CodecError> {
//!         let bytes = message.try_into().map_err(|_| CodecError::new("two bytes expected"))?;
//!         Ok(f32::from(i16::from_le_bytes(bytes)) / 10.0)
//!     }
//! }
//! ```

mod bytes;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "postcard")]
mod postcard;
mod text;

use std::error::Error as StdError;
use std::fmt;

use crate::core::messages::Message;
use crate::error::{Error, ErrorKind, Fate, Phase, Result};

pub use bytes::Bytes;
pub use text::Text;

/// Turns values of `T` into the bytes of one message, and back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no codec for `{T}`",
    note = "`Json` needs fifowire's feature `json`, on by default; `Postcard` its feature `postcard`",
    note = "both carry types that derive `Serialize` and `Deserialize`: \
            `cargo add serde --features derive`"
)]
pub trait Codec<T>: Clone + fmt::Debug {
    /// Appends the value's bytes to `out`, which may hold other messages already.
    ///
    /// # Errors
    /// The value has no form in this codec.
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Reads a value from the bytes of exactly one message.
    ///
    /// # Errors
    /// The bytes are not of a value of `T`, or hold more than one. They come from a peer and may
    /// be anything.
    fn decode(&self, message: &[u8]) -> Result<T, CodecError>;

    /// Reads a value from a message that has a vector to itself, which may be taken.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_owned(&self, message: &mut Vec<u8>) -> Result<T, CodecError> {
        self.decode(message)
    }
}

/// JSON, through serde: the default. With line framing, a newline inside a string is escaped.
///
/// The codec itself is there without the feature `json`; its implementation is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

/// Postcard, through serde: compact, and only for peers with the same types.
///
/// The codec itself is there without the feature `postcard`; its implementation is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Postcard;

/// Why a codec refused. Its text must not carry payload, because it ends up in logs.
pub struct CodecError(Box<dyn StdError + Send + Sync>);

impl CodecError {
    /// An error with a text of its own.
    pub fn new(message: &'static str) -> Self {
        Self(message.into())
    }

    fn into_source(self) -> Box<dyn StdError + Send + Sync> {
        self.0
    }
}

/// Appends the bytes of `value` to `out`, at most `limit` of them.
pub(crate) fn encode<T>(
    codec: &impl Codec<T>,
    value: &T,
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<()> {
    let before = out.len();
    codec.encode(value, out).map_err(|error| {
        let refused = Error::new(ErrorKind::Codec, Phase::Encode);
        refused.with_fate(Fate::NotSent).caused_by(error.into_source())
    })?;
    let len = out.len() - before;
    if len > limit {
        let refused = Error::new(ErrorKind::TooLarge, Phase::Encode).with_fate(Fate::NotSent);
        return Err(refused.detailed(format!("{len} bytes, the limit is {limit}")));
    }
    Ok(())
}

/// Puts the bytes of `value`, at most `limit` of them, in the place of what `message` holds.
pub(crate) fn encode_anew<T>(
    codec: &impl Codec<T>,
    value: &T,
    message: &mut Vec<u8>,
    limit: usize,
) -> Result<()> {
    message.clear();
    let encoded = encode(codec, value, message, limit);
    if encoded.is_err() {
        // A giant is not kept around for the messages to come.
        *message = Vec::new();
    }
    encoded
}

/// The value of a message that was found in a stream.
pub(crate) fn decode<T>(codec: &impl Codec<T>, message: Message<'_>) -> Result<T> {
    let value = match message {
        Message::Borrowed(bytes) => codec.decode(bytes),
        Message::Owned(bytes) => codec.decode_owned(bytes),
    };
    value.map_err(unreadable)
}

/// A message that arrived whole and that the codec cannot read.
pub(crate) fn unreadable(error: CodecError) -> Error {
    Error::new(ErrorKind::Codec, Phase::Decode).caused_by(error.into_source())
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodecError({})", self.0)
    }
}

impl StdError for CodecError {}
