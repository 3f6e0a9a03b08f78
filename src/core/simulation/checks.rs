//! What holds after every action, and what holds when everything has ended. To add something that
//! must hold, write it here.

use super::client::Client;
use super::server::Server;
use super::terms::Terms;
use super::world::World;
use crate::core::buffer::Buffer;
use crate::core::calls::MAX_PINGS;
use crate::core::errand::Key;
use crate::core::session::Session;
use crate::stats::{LinkStats, RoundTrips};

/// What an outbox may hold beside the messages in it: what is being written, bodies that are kept,
/// answers that nobody waits for, and places.
const BESIDE: usize = 160 << 10;

impl World {
    /// After every action.
    pub(super) fn check(&self) {
        if let Some(client) = &self.client {
            self.check_client(client);
        }
        if let Some(server) = &self.server {
            self.check_server(server);
        }
    }

    fn check_client(&self, client: &Client) {
        let session = &client.life.session;
        assert_eq!(session.in_flight(), client.calls.len(), "calls in flight that nobody owns");
        session.check();
        let waits = |id: Key| client.cancels.iter().filter(|cancel| cancel.id == id).count();
        for cancel in client.cancels.iter().filter(|cancel| session.is_cancelling(cancel.id)) {
            assert_eq!(
                session.cancellers(cancel.id),
                waits(cancel.id),
                "cancels that nobody asked"
            );
        }
        let reserved = client.queue.len() + client.places.len();
        // Whoever waits for a place at a client that closes has none, and is about to hear that.
        let asked = session.reserved() == reserved || client.is_closing();
        assert!(asked, "places that nobody asked for");
        let requests = client.calls.iter().filter(|call| call.serial.is_some()).count();
        assert!(requests <= self.terms.max_in_flight, "more calls than allowed");
        assert!(session.in_flight() - requests <= MAX_PINGS, "more pings than allowed");
        let (inbox, outbox) = session.link().held();
        let serials = client.calls.iter().filter_map(|call| call.serial);
        let asked: usize = serials.map(|serial| self.ledger.request_size(serial)).sum();
        // One request may be under way whose call has ended: it was refused at its first part.
        let streams = client.calls.iter().filter_map(|call| call.stream.as_ref());
        let parts: usize = streams.filter_map(|stream| stream.sending()).sum();
        self.check_memory(inbox, outbox, asked + parts + self.terms.largest);
    }

    fn check_server(&self, server: &Server) {
        let session = &server.life.session;
        session.check();
        // The answer to one that has a key, and whose client has left, is kept and over; and so is
        // what nobody is told of a notification.
        let in_hand = server.in_hand.len() + server.replies.len();
        let replies =
            server.replies.iter().filter(|(.., serial)| self.ledger.leaves_early(*serial));
        let (most, least) = (in_hand, in_hand - replies.count());
        let counted = session.in_flight();
        assert!((least..=most).contains(&counted), "{counted} requests in hand, and not {in_hand}");
        let waiting = session.link().waiting();
        let parks = self.terms.parks;
        assert!(waiting <= self.terms.max_waiting || parks, "more requests wait than may");
        let (inbox, outbox) = server.life.session.link().held();
        let serials = server.replies.iter().map(|(.., serial)| *serial);
        let told: usize = serials.map(|serial| self.ledger.reply_size(serial)).sum();
        // And what is said once more to those that ask again: little, or one answer.
        let told = told + server.items.iter().map(|item| item.size).sum::<usize>();
        self.check_memory(inbox, outbox, told + self.terms.largest + Buffer::CAPACITY);
    }

    fn check_memory(&self, inbox: usize, outbox: usize, messages: usize) {
        let most = 2 * (self.terms.limit + Buffer::CAPACITY);
        assert!(inbox <= most, "{inbox} bytes for what has come, and {most} are allowed");
        let most = 2 * messages + BESIDE;
        assert!(outbox <= most, "{outbox} bytes for what is to go, and {most} are allowed");
    }

    /// When both sides have had the time to notice everything: a call that has not ended has a
    /// reason for that.
    pub(super) fn check_waiting(&self) {
        let Terms { lossless, immortal, stable, .. } = self.terms;
        let client = self.client.as_ref().expect("the client lives in peace");
        let server = self.server.as_ref().expect("the server lives in peace");
        let life = server.life.session.link().lives().ours;
        // A cancel, its acknowledgement, or an end that would tell of a departure may be lost; and
        // a server that dies before it was heard at all takes the acknowledgement with it. Then the
        // bound of the cancel ends the wait.
        let certain = lossless && stable && immortal;
        assert!(client.cancels.is_empty() || !certain, "nobody acknowledges a cancel");
        for serial in client.calls.iter().filter_map(|call| call.serial) {
            if lossless && stable {
                assert!(!self.ledger.is_orphan(serial, life), "{serial} outlives its server");
            }
            if lossless && stable {
                assert!(!self.ledger.is_evicted(serial), "{serial} waits on after an eviction");
            }
            if lossless && stable && immortal {
                assert!(
                    self.ledger.is_forsaken(serial),
                    "{serial} waits for what never comes: {}",
                    self.ledger.of(serial)
                );
            }
        }
    }

    /// When nobody wants anything any more and both sides have come to rest.
    pub(super) fn check_rest(&mut self) {
        let Terms { lossless, immortal, stable, .. } = self.terms;
        let client = self.client.as_mut().expect("the client lives in peace");
        assert!(client.life.session.is_idle(), "something is left of a call at the client");
        let server = self.server.as_mut().expect("the server lives in peace");
        assert!(server.life.session.is_idle(), "something is left of a call at the server");
        // What lost its rest, or its sender, stays until something else needs the place.
        let assembles = server.life.session.link().is_assembling();
        let cut = !lossless || !immortal || !stable || self.ledger.counts.poisoned > 0;
        assert!(!assembles || cut, "a part of a request is left");
    }
}

/// Of what a side has counted, what tells one course of things from another: not how often it was
/// refused an end while it waited, and not how long anything took.
pub(super) fn told(stats: LinkStats) -> LinkStats {
    LinkStats { open_refusals: 0, times: RoundTrips::default(), ..stats }
}
