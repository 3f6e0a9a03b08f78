//! What tests ask of a link.

use super::Link;
use crate::core::inbox::Inbox;
use crate::core::model::{ClientLife, ServerLife};
use crate::pipe::{Opener, Sink, Source};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    pub(crate) fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    /// What a client knows of its server, and which life that is.
    pub(crate) fn server_life(&self) -> (ServerLife, u64) {
        let (inbox, peer) = (&self.inbox, self.inbox.peer());
        let state = match () {
            () if self.closed => ServerLife::Gone,
            () if self.leaving => ServerLife::Leaving,
            () if peer == 0 && inbox.has_met() => ServerLife::Met,
            () if peer == 0 => ServerLife::Unknown,
            () if inbox.farewell() == peer => ServerLife::Parting,
            () if inbox.is_doubted() => ServerLife::Doubted,
            () => ServerLife::Known,
        };
        // While one leaves, the next may be heard already.
        (state, if state == ServerLife::Leaving { 0 } else { peer })
    }

    /// What a server knows of its client, and which life that is.
    pub(crate) fn client_life(&self) -> (ClientLife, u64) {
        let (inbox, speaker) = (&self.inbox, self.inbox.speaker());
        let state = match () {
            () if self.closed => ClientLife::Gone,
            () if self.leaving => ClientLife::Leaving,
            () if speaker == 0 && inbox.shunned() != 0 => ClientLife::Shunned,
            () if speaker == 0 => ClientLife::Unknown,
            () if inbox.farewell() == speaker => ClientLife::Parting,
            () if inbox.peer() == speaker => ClientLife::Known,
            () => ClientLife::Speaking,
        };
        (state, if state == ClientLife::Leaving { 0 } else { speaker })
    }
}
