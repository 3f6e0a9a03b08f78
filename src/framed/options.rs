//! How a native codec is made.

use std::marker::PhantomData;

use super::NativeCodec;
use crate::codec::{Codec, Json};
use crate::core::messages::Messages;
use crate::core::units::Units;
use crate::framing::{Native, Room};
use crate::front::{MAX_MESSAGE, message_limit};

/// How a [`NativeCodec`] is made.
#[derive(Clone, Debug)]
pub struct NativeCodecOptions<T, C = Json> {
    max_message: usize,
    exclusive: bool,
    codec: C,
    values: PhantomData<fn(T) -> T>,
}

impl<T> NativeCodecOptions<T> {
    pub(super) fn new() -> Self {
        Self { max_message: MAX_MESSAGE, exclusive: false, codec: Json, values: PhantomData }
    }
}

impl<T, C> NativeCodecOptions<T, C> {
    /// How values become bytes, and bytes values. Default: [`Json`].
    pub fn codec<Other>(self, codec: Other) -> NativeCodecOptions<T, Other> {
        let Self { max_message, exclusive, .. } = self;
        NativeCodecOptions { max_message, exclusive, codec, values: PhantomData }
    }

    /// The largest message, in bytes of the encoded value, in both directions; larger ones that
    /// come are refused before memory is taken for them. Default: 16 MiB; at most 4 GiB less 1 KiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = message_limit(bytes);
        self
    }

    /// Says that nobody else writes to the stream: messages travel in larger frames, of at most
    /// 8 KiB. Default: others may, and frames have at most `PIPE_BUF` bytes.
    ///
    /// It takes no lock, because a codec has no FIFO that it could lock. Set it for a stream that
    /// has one writer by its nature.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Makes the codec, under an epoch of its own.
    pub fn build(self) -> NativeCodec<T, C>
    where
        C: Codec<T>,
    {
        let room = Room::of_end(self.exclusive);
        NativeCodec {
            codec: self.codec,
            max_message: self.max_message,
            message: Vec::new(),
            units: Units::new(Native::default(), room, crate::new_epoch()),
            messages: Messages::new(Native::default(), self.max_message),
            refused: None,
            values: PhantomData,
        }
    }
}
