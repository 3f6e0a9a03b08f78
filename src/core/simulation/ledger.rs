//! What is true of every call, written down as it happens; whatever anybody is told later is held
//! against it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::courses::{self, Course};
use super::messages::{self, Serial};
use crate::core::repeats::Promise;
use crate::core::server::{Asked, Caller};
use crate::core::streams::MAX_PART;
use crate::core::wire::{self, Load, Options};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Fate, Result};

/// All calls of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    calls: Vec<Record>,
    /// By the client's first life and the number of the call there.
    by_key: HashMap<(u64, u64), Serial>,
    /// The first life of the client whose lives these are.
    first: HashMap<u64, u64>,
    /// The last life of a client, by its first.
    last: HashMap<u64, u64>,
    /// The life of the client that is here; zero for none.
    present: u64,
    /// Which lives of the client have heard from which lives of the server, and which call was the
    /// next by then.
    acquainted: HashMap<(u64, u64), Serial>,
    /// Lives of the client that were not answered in time, and speak to whoever reads since.
    doubting: HashSet<u64>,
    /// Which lives of the server have given up which lives of the client.
    evicted: HashSet<(u64, u64)>,
    /// The limit of both sides.
    limit: usize,
    /// Whether no byte is lost.
    lossless: bool,
    /// Whether what is written arrives.
    reliable: bool,
    pub(super) counts: Counts,
}

#[derive(Debug)]
struct Record {
    serial: Serial,
    size: usize,
    /// The life of the client that its server heard.
    caller: u64,
    deadline: Deadline,
    /// Whether it may be put again.
    promise: Option<Promise>,
    /// What it asks for beside one reply; its key is not among that.
    options: Options,
    /// Many replies to it, and what it brings.
    items: Course,
    parts: Course,
    handed_out: bool,
    /// The life of the server that has it, or had it last.
    life: u64,
    told: Option<Told>,
    /// The lives of the server that had it before, and what they told.
    before: Vec<(u64, Option<Told>)>,
    /// Whether the server was told that its answer is written.
    written: bool,
    /// Whether it was, when it was decided at the client how the call ends.
    written_before: Option<bool>,
    /// Whether the server was told that its answer will never arrive.
    withdrawn: bool,
    abandoned: bool,
    /// Whether somebody had it stopped.
    cancelled: bool,
    /// Whether its owner no longer wanted to know.
    dropped: bool,
    end: Option<End>,
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Reply {
        size: usize,
    },
    Failure,
    /// A failure that nobody at the server waits for.
    Refusal,
    /// The end of many replies.
    End,
}

/// How a call ended for its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    Failed(Fate),
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) handed_out: u64,
    pub(super) replies: u64,
    pub(super) not_sent: u64,
    pub(super) maybe_delivered: u64,
    pub(super) delivered: u64,
    pub(super) cancelled: u64,
    pub(super) refused: u64,
    pub(super) evicted: u64,
    pub(super) poisoned: u64,
    pub(super) settled: u64,
    /// Requests that another life of the server was given again.
    pub(super) again: u64,
    /// Answers to a life of the client that has not asked first.
    pub(super) kept: u64,
    /// Notifications that were written.
    pub(super) notified: u64,
    /// Items and parts that were taken, and that were given up.
    pub(super) items: u64,
    pub(super) parts: u64,
    pub(super) unsent: u64,
    /// Streams of replies, and of parts, that came to their end.
    pub(super) ended: u64,
    pub(super) uploaded: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.handed_out += other.handed_out;
        self.replies += other.replies;
        self.not_sent += other.not_sent;
        self.maybe_delivered += other.maybe_delivered;
        self.delivered += other.delivered;
        self.cancelled += other.cancelled;
        self.refused += other.refused;
        self.evicted += other.evicted;
        self.poisoned += other.poisoned;
        self.settled += other.settled;
        self.again += other.again;
        self.kept += other.kept;
        self.notified += other.notified;
        self.items += other.items;
        self.parts += other.parts;
        self.unsent += other.unsent;
        self.ended += other.ended;
        self.uploaded += other.uploaded;
    }

    /// Whether everything happened often.
    pub(super) fn is_rich(&self) -> bool {
        let Self { calls, handed_out, replies, not_sent, maybe_delivered, delivered, .. } = *self;
        let Self { cancelled, refused, evicted, poisoned, settled, again, kept, .. } = *self;
        let ends = [calls, handed_out, replies, not_sent, maybe_delivered, delivered];
        let others = [cancelled, refused, evicted, poisoned, settled];
        let Self { notified, items, parts, unsent, ended, uploaded, .. } = *self;
        let others = others.into_iter().chain([notified, items, parts, unsent, ended, uploaded]);
        let rare = [again, kept];
        ends.iter().all(|count| *count > 500)
            && others.into_iter().all(|count| count > 200)
            && rare.iter().all(|count| *count > 50)
    }
}

/// The remaining time travels in microseconds.
const ROUNDING: Duration = Duration::from_micros(2);

impl Ledger {
    pub(super) fn new(limit: usize, lossless: bool, stable: bool) -> Self {
        Self { limit, lossless, reliable: lossless && stable, ..Self::default() }
    }

    /// A call is about to begin.
    pub(super) fn begun(
        &mut self,
        size: usize,
        deadline: Deadline,
        promise: Option<Promise>,
        options: Options,
    ) -> Serial {
        self.counts.calls += 1;
        let serial = self.calls.len() as Serial;
        self.calls.push(Record {
            serial,
            size,
            caller: 0,
            deadline,
            promise,
            options,
            items: Course::default(),
            parts: Course::default(),
            handed_out: false,
            life: 0,
            told: None,
            before: Vec::new(),
            written: false,
            written_before: None,
            withdrawn: false,
            abandoned: false,
            cancelled: false,
            dropped: false,
            end: None,
        });
        serial
    }

    /// It has a number now.
    pub(super) fn queued(&mut self, serial: Serial, first: u64, id: u64) {
        let before = self.by_key.insert((first, id), serial);
        assert_eq!(before, None, "a number is used for two calls");
    }

    /// A client has come as far as to this life.
    pub(super) fn lives_on(&mut self, first: u64, now: u64) {
        self.present = now;
        let last = self.last.entry(first).or_insert(first);
        self.first.insert(*last, first);
        while *last != now {
            *last = wire::next_epoch(*last);
            self.first.insert(*last, first);
        }
    }

    /// The client has died.
    pub(super) fn client_died(&mut self) {
        self.present = 0;
    }

    /// A request is what was asked, in time, for the first time, or for the first time in this life
    /// of the server where it may be put again, and its caller was not told that it never would be.
    pub(super) fn handed_out(&mut self, asked: &Asked, life: u64, now: Instant) -> Serial {
        self.counts.handed_out += 1;
        let first = *self.first.get(&asked.caller.life()).expect("a client that nobody is");
        let key = (first, asked.caller.id());
        let serial = *self.by_key.get(&key).expect("a request that nobody made");
        let lives = (life, asked.caller.life());
        assert!(!self.evicted.contains(&lives), "{serial} is of a life that was given up");
        let record = &mut self.calls[serial as usize];
        assert!(
            asked.message() == messages::request(serial, record.size),
            "request {serial} is altered"
        );
        if record.handed_out {
            self.counts.again += 1;
            record.run_again(serial, life);
        }
        assert_ne!(
            record.end,
            Some(End::Failed(Fate::NotSent)),
            "request {serial} was not sent, and is handed out"
        );
        let options = Options { key: None, ..asked.asker().options };
        assert_eq!(options, record.options, "request {serial} asks for something else");
        assert!(record.size <= self.limit, "request {serial} exceeds the limit");
        assert!(!record.deadline.passed(now), "request {serial} is handed out too late");
        let early = asked.deadline.instant().map(|at| at + ROUNDING);
        let late = record.deadline.instant();
        assert!(asked.deadline.earlier(record.deadline) == asked.deadline, "more time than asked");
        assert!(early >= late, "less time than asked");
        (record.handed_out, record.life) = (true, life);
        record.caller = asked.caller.life();
        serial
    }

    /// The server answers.
    pub(super) fn told(&mut self, serial: Serial, told: Told) {
        let before = self.calls[serial as usize].told.replace(told);
        assert_eq!(before, None, "the harness answers {serial} twice");
    }

    /// The server's answer was written, or never will be.
    pub(super) fn reply_ended(&mut self, serial: Serial, outcome: Result<()>) {
        let (limit, record) = (self.limit, &mut self.calls[serial as usize]);
        let Err(error) = outcome else { return record.written = true };
        assert_eq!(error.fate(), Some(Fate::NotSent), "{error}");
        // A client that misses an item has the others stopped.
        let stopped = record.is_unwanted(limit) || !self.reliable;
        let unwanted = error.kind() != ErrorKind::Cancelled || stopped;
        assert!(unwanted, "nobody had {serial} stopped: {error}");
        let here = error.kind() == ErrorKind::PeerClosed && record.caller == self.present;
        assert!(!here || !self.reliable, "the client of {serial} is here: {error}");
        // What is kept may arrive all the same.
        let kept = record.promise.is_some();
        let arrived = !kept && record.end == Some(End::Answered);
        assert!(!arrived, "reply {serial} was not sent, and arrived");
        record.withdrawn = true;
    }

    /// The server's answer was dropped; the caller may be told so instead.
    pub(super) fn reply_abandoned(&mut self, serial: Serial) {
        self.calls[serial as usize].abandoned = true;
    }

    /// A call has ended at the client; its owner does not know yet.
    pub(super) fn decided(&mut self, serial: Serial) {
        let record = &mut self.calls[serial as usize];
        record.written_before.get_or_insert(record.written);
    }

    /// A call has ended for its owner.
    pub(super) fn call_ended(&mut self, serial: Serial, outcome: Result<Vec<u8>>, now: Instant) {
        let (limit, reliable, next) = (self.limit, self.reliable, self.calls.len() as Serial);
        let lossless = self.lossless;
        let present = self.present;
        let record = &mut self.calls[serial as usize];
        assert_eq!(record.end, None, "the harness ends {serial} twice");
        match outcome {
            Ok(_) if record.options.quiet => {
                self.counts.notified += 1;
                record.end = Some(End::Answered);
            }
            Ok(reply) => {
                self.counts.replies += 1;
                record.believe(serial, &reply);
                if record.options.window.is_some() {
                    self.counts.ended += 1;
                    if lossless {
                        record.items.check_whole();
                    }
                }
                let lives = (record.caller, record.life);
                if record.promise.is_none() {
                    self.acquainted.entry(lives).or_insert(next);
                } else if record.caller != present {
                    self.counts.kept += 1;
                }
                record.end = Some(End::Answered);
            }
            Err(error) => {
                let fate = error.fate().expect("a call that fails has a fate");
                match fate {
                    Fate::NotSent => self.counts.not_sent += 1,
                    Fate::MaybeDelivered => self.counts.maybe_delivered += 1,
                    Fate::Delivered => self.counts.delivered += 1,
                }
                // A goodbye says that all was answered; an answer that was lost is none.
                let misled = !lossless && error.kind() == ErrorKind::PeerClosed;
                if !misled || record.told.is_none() {
                    record.blame(serial, &error, fate, (limit, lossless), now);
                }
                if lossless && record.is_failure_of_handler(&error) {
                    record.items.check_whole();
                }
                match error.kind() {
                    ErrorKind::Cancelled => self.counts.cancelled += 1,
                    ErrorKind::Overloaded => self.counts.refused += 1,
                    _ => {}
                }
                // Who speaks to whoever reads may take the next server for the end of this one.
                let unheard = record.written_before == Some(true)
                    && record.promise.is_none()
                    && error.kind() == ErrorKind::PeerClosed
                    && !self.doubting.contains(&record.caller);
                assert!(!unheard || !reliable, "the last words of a server, to {serial}, are lost");
                record.end = Some(End::Failed(fate));
                let caller = if record.promise.is_some() { present } else { record.caller };
                if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::NoWriter) {
                    self.doubted(caller);
                }
            }
        }
    }

    /// Somebody has this call stopped.
    pub(super) fn cancelled(&mut self, serial: Serial) {
        self.calls[serial as usize].cancelled = true;
    }

    /// The owner of this call no longer wants to know.
    pub(super) fn dropped(&mut self, serial: Serial) {
        self.calls[serial as usize].dropped = true;
    }

    /// A cancel was not acknowledged: this life of the client begins.
    pub(super) fn poisoned(&mut self, first: u64, life: u64) {
        self.counts.poisoned += 1;
        self.lives_on(first, life);
        self.doubted(life);
    }

    /// This life of the server has given up that life of the client.
    pub(super) fn evicted(&mut self, life: u64, client: u64) {
        self.counts.evicted += 1;
        self.evicted.insert((life, client));
    }

    /// Whoever has a request was told that there is nothing to wait for.
    pub(super) fn settled(&mut self, serial: Serial, caller: Caller) {
        self.counts.settled += 1;
        let record = &self.calls[serial as usize];
        // What has a key, or wants no answer, is worked on whoever has left.
        let keyed = record.promise.is_some() || record.options.quiet;
        let gone = self.present != caller.life() && !keyed;
        let evicted = self.evicted.contains(&(record.life, caller.life())) && !keyed;
        let true_ = record.told.is_some() || record.is_unwanted(self.limit) || gone || evicted;
        assert!(true_ || !self.reliable, "the answer to {serial} is wanted");
    }

    /// The server sends one of many replies; answers its number.
    pub(super) fn item_begun(&mut self, serial: Serial, size: usize) -> usize {
        self.calls[serial as usize].items.begin(Some(size))
    }

    /// The number of the next.
    pub(super) fn next_item(&self, serial: Serial) -> usize {
        self.calls[serial as usize].items.len()
    }

    /// It is written, or never will be.
    pub(super) fn item_ended(&mut self, serial: Serial, number: usize, outcome: Result<()>) {
        let (limit, record) = (self.limit, &mut self.calls[serial as usize]);
        let Err(error) = outcome else {
            return record.items.end(number, courses::Fate::Written);
        };
        assert_eq!(error.fate(), Some(Fate::NotSent), "{error}");
        // A client that misses an item has the others stopped.
        let stopped = record.is_unwanted(limit) || !self.reliable;
        let unwanted = error.kind() != ErrorKind::Cancelled || stopped;
        assert!(unwanted, "nobody had {serial} stopped: {error}");
        let here = error.kind() == ErrorKind::PeerClosed && record.caller == self.present;
        assert!(!here || !self.reliable, "the client of {serial} is here: {error}");
        self.item_given_up(serial, number);
    }

    /// It was given up before it was written.
    pub(super) fn item_given_up(&mut self, serial: Serial, number: usize) {
        self.counts.unsent += 1;
        self.calls[serial as usize].items.end(number, courses::Fate::NotSent);
    }

    /// The client takes the next of many replies, and not the last.
    pub(super) fn item_taken(&mut self, serial: Serial, item: &[u8]) {
        let record = &mut self.calls[serial as usize];
        assert!(record.handed_out, "an item of {serial}, which nobody has seen");
        self.counts.items += 1;
        let content = |number, size| messages::item(serial, number, size);
        record.items.take(Some(item), content);
    }

    /// The client sends a part of what its call brings, or says that no more follow; answers its
    /// number.
    pub(super) fn part_begun(&mut self, serial: Serial, size: Option<usize>) -> usize {
        self.calls[serial as usize].parts.begin(size)
    }

    /// The number of the next.
    pub(super) fn next_part(&self, serial: Serial) -> usize {
        self.calls[serial as usize].parts.len()
    }

    /// It is written, never will be, or nobody wants it.
    pub(super) fn part_ended(&mut self, serial: Serial, number: usize, fate: courses::Fate) {
        self.counts.unsent += u64::from(fate == courses::Fate::NotSent);
        self.calls[serial as usize].parts.end(number, fate);
    }

    /// The server takes the next part of a request, or hears that there are no more.
    pub(super) fn part_taken(&mut self, serial: Serial, part: Option<&[u8]>) {
        let record = &mut self.calls[serial as usize];
        let count = if part.is_some() { &mut self.counts.parts } else { &mut self.counts.uploaded };
        *count += 1;
        let content = |number, size| messages::part(serial, number, size);
        record.parts.take(part, content);
        if part.is_none() {
            record.parts.check_whole();
        }
    }

    /// The parts of a request end without their end.
    pub(super) fn parts_failed(&mut self, serial: Serial, error: &Error) {
        let record = &self.calls[serial as usize];
        match error.kind() {
            ErrorKind::Torn if !self.lossless => {}
            ErrorKind::Torn => {
                let largest = record.parts.largest();
                assert!(largest > MAX_PART, "there was room for parts of {serial}: {error}");
            }
            ErrorKind::Cancelled => {
                assert!(record.is_unwanted(self.limit), "nobody had {serial} stopped: {error}");
            }
            ErrorKind::PeerClosed => {
                let here = record.caller == self.present;
                assert!(!here || !self.reliable, "the client of {serial} is here: {error}");
            }
            _ => {}
        }
    }

    /// This life of the client was not answered in time.
    pub(super) fn doubted(&mut self, caller: u64) {
        self.doubting.insert(caller);
    }

    pub(super) fn request_size(&self, serial: Serial) -> usize {
        self.calls[serial as usize].size
    }

    pub(super) fn reply_size(&self, serial: Serial) -> usize {
        self.calls[serial as usize].reply_size()
    }

    /// Whether a server has this request that is not this one, and that the client knew when it
    /// called: what is addressed to whoever reads may be any server's.
    pub(super) fn is_orphan(&self, serial: Serial, life: u64) -> bool {
        let record = &self.calls[serial as usize];
        let known = self.acquainted.get(&(record.caller, record.life));
        let addressed =
            known.is_some_and(|next| *next <= serial) && !self.doubting.contains(&record.caller);
        let ends = record.promise.is_none();
        record.handed_out && record.life != life && addressed && ends
    }

    /// Whether a request leaves the tables of the server before whoever answers it has looked.
    pub(super) fn leaves_early(&self, serial: Serial) -> bool {
        self.is_kept(serial) || self.options(serial).quiet
    }

    /// What a call asks for beside one reply.
    pub(super) fn options(&self, serial: Serial) -> Options {
        self.calls[serial as usize].options
    }

    /// Whether this call has a key.
    pub(super) fn is_kept(&self, serial: Serial) -> bool {
        self.calls[serial as usize].promise.is_some()
    }

    /// Whether the server that has this request has given its client up.
    pub(super) fn is_evicted(&self, serial: Serial) -> bool {
        let record = &self.calls[serial as usize];
        record.promise.is_none() && self.evicted.contains(&(record.life, record.caller))
    }

    /// Whether a server has let this call down: nothing may come of it before its deadline.
    /// Refusals among them, of which a server gives up those that would pile up.
    pub(super) fn is_forsaken(&self, serial: Serial) -> bool {
        let record = &self.calls[serial as usize];
        let refused = record.told == Some(Told::Refusal) || record.size > self.limit;
        record.withdrawn || record.abandoned || refused
    }

    /// All that is known of a call.
    pub(super) fn of(&self, serial: Serial) -> String {
        format!("{:?}", self.calls[serial as usize])
    }

    /// A server says how much it has to do.
    pub(super) fn pong(&mut self, body: &[u8]) {
        let load = Load::from_bytes(body).filter(|_| body.len() == Load::LEN);
        let load = load.expect("a pong says how much there is to do");
        assert!(load.taken <= self.counts.handed_out, "{load:?}: nobody was given that many");
        assert!(load.in_hand <= load.taken, "{load:?}: more than were ever handed out");
        assert!(load.waiting <= self.calls.len() as u64, "{load:?}: nobody made that many");
    }

    /// Whether this call was answered.
    pub(super) fn is_answered(&self, serial: Serial) -> bool {
        self.calls[serial as usize].end == Some(End::Answered)
    }
}

impl Record {
    /// Whether a cancel may have been sent: also where an item, or the last reply of many, was too
    /// large for the client.
    fn is_unwanted(&self, limit: usize) -> bool {
        let last = if self.options.has_streams() { self.reply_size() } else { 0 };
        let fails = self.items.largest().max(last) > limit;
        fails || self.cancelled || self.dropped || self.end.is_some()
    }

    /// Another life of the server has it, where that may be.
    fn run_again(&mut self, serial: Serial, life: u64) {
        let again = self.promise == Some(Promise::AnyLife);
        assert!(again, "request {serial} is handed out twice");
        self.before.push((self.life, self.told.take()));
        let had = self.before.iter().any(|(before, _)| *before == life);
        assert!(!had, "request {serial} is handed out twice in one life of the server");
        (self.written, self.withdrawn, self.abandoned) = (false, false, false);
    }

    /// What was ever told.
    fn tellings(&self) -> impl Iterator<Item = Told> {
        let before = self.before.iter().filter_map(|(_, told)| *told);
        self.told.into_iter().chain(before)
    }

    /// A reply is the server's, to this request.
    fn believe(&self, serial: Serial, reply: &[u8]) {
        assert!(self.handed_out, "a reply to {serial}, which nobody has seen");
        let is_it = |told| match told {
            Told::Reply { size } => reply == messages::reply(serial, size),
            Told::End => self.options.window.is_some() && reply.is_empty(),
            Told::Failure | Told::Refusal => false,
        };
        assert!(self.tellings().any(is_it), "{:?} was told, and not this", self.told);
        let withdrawn = self.withdrawn && self.promise.is_none();
        assert!(!withdrawn, "reply {serial} was not sent, and arrives");
    }

    fn reply_size(&self) -> usize {
        match self.told {
            Some(Told::Reply { size }) => size,
            _ => 0,
        }
    }

    /// Whether this is what the server has told.
    fn is_failure_of_handler(&self, error: &Error) -> bool {
        let fails = |told| told == Told::Failure || told == Told::Refusal;
        self.tellings().any(fails) && error.detail() == Some(&messages::words(self.serial))
    }

    /// An error is true.
    fn blame(
        &self,
        serial: Serial,
        error: &Error,
        fate: Fate,
        (limit, lossless): (usize, bool),
        now: Instant,
    ) {
        match fate {
            Fate::NotSent => assert!(!self.handed_out, "{serial} was handed out: {error}"),
            Fate::Delivered => assert!(self.handed_out, "{serial} was not handed out: {error}"),
            Fate::MaybeDelivered => {}
        }
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::NoWriter => {
                assert!(self.deadline.passed(now), "{serial} ends too early: {error}");
            }
            ErrorKind::Cancelled => assert!(self.cancelled, "nobody has cancelled {serial}"),
            ErrorKind::TooLarge => {
                let largest = self.size.max(self.reply_size()).max(self.items.largest());
                assert!(largest > limit, "{serial} is not too large: {error}");
            }
            ErrorKind::Torn if !lossless => {}
            ErrorKind::Torn => panic!("{serial} was sent more than there was room for: {error}"),
            ErrorKind::Remote | ErrorKind::Codec => {
                let failed = self.is_failure_of_handler(error);
                let given_up = self.abandoned || self.withdrawn;
                assert!(failed || given_up, "the server said no such thing: {error}");
            }
            _ => {}
        }
    }
}
