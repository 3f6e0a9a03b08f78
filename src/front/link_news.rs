//! What is told of a connection that several share: the news of its two FIFOs.

use std::time::Instant;

use crate::core::session::Session;
use crate::error::Result;
use crate::pipe::Opener;
use crate::trace::{News, Report};

/// What of a connection was told.
#[derive(Debug, Default)]
pub(crate) struct LinkNews {
    incoming: News,
    outgoing: News,
}

/// News that is to be told outside of the lock: a subscriber is the host's, and may do anything.
#[derive(Debug)]
pub(crate) struct LinkReport(Option<Report>, Option<Report>);

impl LinkNews {
    /// An errand has ended. It is the reader of what goes out that may make no room.
    pub(crate) fn ended<T>(&mut self, answer: &Result<T>) {
        self.outgoing.ended(answer);
    }

    /// What is to be told, if anything.
    pub(crate) fn due<S: Session>(
        &mut self,
        session: &S,
        now: fn() -> Instant,
    ) -> Option<LinkReport> {
        let link = session.link();
        let (from, to) = (link.incoming().path(), link.outgoing().path());
        let incoming = self.incoming.due(from, || link.incoming_tally(), now);
        let outgoing = self.outgoing.due(to, || link.outgoing_tally(), now);
        let any = incoming.is_some() || outgoing.is_some();
        any.then_some(LinkReport(incoming, outgoing))
    }
}

impl LinkReport {
    pub(crate) fn tell(self) {
        let Self(incoming, outgoing) = self;
        [incoming, outgoing].into_iter().flatten().for_each(Report::tell);
    }
}
