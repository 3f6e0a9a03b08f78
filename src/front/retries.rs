//! What a call is told of being put again.

use crate::core::client::Caller;
use crate::core::repeats::Promise;
use crate::core::wire::{Options, RequestKey};
use crate::pipe::{Opener, Sink, Source};

/// Names a request for as long as anybody may make it again: requests with the same key are one.
///
/// ```
/// use fifowire::IdempotencyKey;
///
/// let key = IdempotencyKey::from(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF_u128);
/// assert_eq!(<[u8; 16]>::from(key)[..2], [0x01, 0x23]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(RequestKey);

impl From<[u8; 16]> for IdempotencyKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The most significant byte first, as a UUID is written.
impl From<u128> for IdempotencyKey {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<IdempotencyKey> for [u8; 16] {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

/// Whether a call is put again, and under which key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retries {
    pub(crate) promise: Option<Promise>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// What a call asks of its server, and of its client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asking {
    pub(crate) options: Options,
    pub(crate) promise: Option<Promise>,
}

impl From<Options> for Asking {
    fn from(options: Options) -> Self {
        Self { options, promise: None }
    }
}

impl Asking {
    /// A notification, which is not made again.
    pub(crate) fn quiet() -> Self {
        let options = Options { quiet: true, ..Options::default() };
        Self { options, promise: None }
    }
}

impl Retries {
    /// Whether there is more to ask for than one plain reply.
    pub(crate) fn is_plain(&self) -> bool {
        self.promise.is_none() && self.key.is_none()
    }

    /// What the request asks for: with a key of its own, or one that the client draws for it.
    pub(crate) fn asking<R, W>(self, caller: &mut Caller<R, W>) -> Asking
    where
        R: Opener<End: Source>,
        W: Opener<End: Sink>,
    {
        let given = self.key.map(|key| key.0);
        let key = given.or_else(|| self.promise.map(|_| caller.draw_key()));
        Asking { options: Options { key, ..Options::default() }, promise: self.promise }
    }
}
