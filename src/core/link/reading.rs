//! The incoming direction: bytes are read, heard, and what their end means is noticed.

use std::time::Instant;

use super::{Link, READS_A_STEP};
#[cfg(test)]
use crate::core::model::Cause;
use crate::core::step::{Step, Wait};
use crate::deadline::Deadline;
use crate::error::{ErrorKind, Result};
use crate::pipe::{Opener, Read, Sink, Source, Standing};

impl<R: Opener<End: Source>, W: Opener<End: Sink>> Link<R, W> {
    pub(super) fn read(&mut self, now: Instant, wait: &mut Wait) -> Result<()> {
        self.heard_at = Some(now);
        for _ in 0..READS_A_STEP {
            self.hear();
            // Events that nobody has taken yet hold the memory; the peer waits in the pipe.
            if self.is_full() && !self.forgets_answers() {
                #[cfg(test)]
                self.inbox.note_cause(Cause::Full);
                // A client takes each reply at once and hears the next. A server may leave requests
                // untaken for long, and hears them all the same once their client is gone.
                if !self.one_peer || !self.has_events() {
                    self.end_of_last_words();
                }
                // Who takes events steps again; this is for one that dropped what it took.
                wait.until = wait.until.earlier(self.incoming.wait().until);
                return Ok(());
            }
            if let Step::Wait(opening) = self.step_open(now, Deadline::NEVER)? {
                self.end_of_last_words();
                wait.until = wait.until.earlier(opening.until);
                return Ok(());
            }
            let inbox = &mut self.inbox;
            // A full window holds something to hear.
            let full = Read::Bytes(0);
            match self.incoming.read(|end| Ok(inbox.fill(end)?.unwrap_or(full)))? {
                Read::Bytes(_) => {
                    self.hear();
                    // Somebody has waited for this; what is left ends the next wait at once.
                    if self.inbox.has_events() {
                        self.wait_readable(wait);
                        return Ok(());
                    }
                }
                Read::Empty => {
                    self.end_of_last_words();
                    self.wait_readable(wait);
                    return Ok(());
                }
                Read::NoWriterYet => {
                    self.notice_departure();
                    self.wait_readable(wait);
                    return Ok(());
                }
                Read::WritersGone => {
                    self.hung_up = true;
                    self.inbox.forgive();
                    self.notice_departure();
                    self.end_peers_life();
                    if self.incoming.renew()? == Standing::Replaced {
                        self.leave_reader();
                        wait.until = Deadline::at(now);
                        return Ok(());
                    }
                    self.wait_readable(wait);
                    return Ok(());
                }
            }
        }
        wait.until = Deadline::at(now);
        Ok(())
    }

    /// Hears what was read. Where the next life of a server speaks, the one before has ended,
    /// whether our pipe was without a writer in between or not. Where the next client does, the
    /// last words of the one that has left are over.
    pub(super) fn hear(&mut self) {
        self.inbox.hear(&mut self.outbox);
        let Some(known) = self.inbox.take_relieved() else { return };
        if self.one_peer {
            self.leaving = true;
            self.relieved_of = known;
        } else if self.leaving {
            self.depart(known);
            self.inbox.hear(&mut self.outbox);
        }
    }

    /// Whoever asked so much that nothing more is heard may have left without reading any of it.
    /// Answers whether that has made room.
    #[cold]
    fn forgets_answers(&mut self) -> bool {
        let left = self.outbox.is_bothered(0) && self.incoming.has_hung_up() && self.is_unread();
        if left {
            self.outbox.forget_answers();
        }
        left && !self.is_full()
    }

    pub(super) fn wait_readable(&self, wait: &mut Wait) {
        let reading = self.incoming.wait();
        wait.readable = reading.readable;
        wait.until = wait.until.earlier(reading.until);
    }

    /// Whether it is known that nobody reads what we write. It is not tried out here: an end that
    /// is opened hides from a client that another server has left.
    pub(super) fn is_unread(&self) -> bool {
        let refused = self.outgoing.refusal().map(|refusal| refusal.kind());
        refused == Some(ErrorKind::NoReader) || self.outgoing.is_deserted()
    }
}
