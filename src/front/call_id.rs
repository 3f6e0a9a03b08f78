//! How one call of a client is named.

use crate::core::calls;

/// Names one call of a client, for as long as the client lives: to [cancel](crate::Client::cancel)
/// it from elsewhere, and in what is [traced](crate#tracing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub(crate) calls::CallId);

/// The number that stands in the frames of the call.
impl From<CallId> for u64 {
    fn from(id: CallId) -> Self {
        id.0
    }
}
