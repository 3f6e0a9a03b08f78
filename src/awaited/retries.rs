//! What a call says of being made again.

use super::client::Call;
use super::runtime::Runtime;
use crate::core::repeats::Promise;
use crate::front::IdempotencyKey;

impl<R: Runtime, Req, Rep, C> Call<'_, '_, R, Req, Rep, C> {
    /// The call may run again; see [`Call::idempotent`](crate::Call::idempotent).
    pub fn idempotent(mut self) -> Self {
        self.retries.promise = Some(Promise::AnyLife);
        self
    }

    /// The call never runs twice; see [`Call::at_most_once`](crate::Call::at_most_once).
    pub fn at_most_once(mut self) -> Self {
        self.retries.promise = Some(Promise::SameLife);
        self
    }

    /// Names the request, for those that make it again; see [`Call::key`](crate::Call::key).
    pub fn key(mut self, key: impl Into<IdempotencyKey>) -> Self {
        self.retries.key = Some(key.into());
        self
    }
}
