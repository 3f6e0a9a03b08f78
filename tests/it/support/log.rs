//! A subscriber of `tracing` that keeps everything it hears from the library.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// What was heard in this process.
#[derive(Default)]
pub(crate) struct Log {
    heard: Mutex<Heard>,
    /// What the host does whenever it hears of anything.
    reaction: Mutex<Option<Reaction>>,
}

type Reaction = Arc<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct Heard {
    /// A span's id is its position, counted from one.
    spans: Vec<Span>,
    events: Vec<Told>,
}

/// An event, or what a span says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// The `id` of the call or request whose span it stands in.
    pub(crate) call: Option<String>,
}

/// A span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) told: Told,
    /// Times it was entered.
    pub(crate) entered: usize,
    /// Handles that are not dropped.
    pub(crate) handles: usize,
}

thread_local! {
    /// The spans that this thread is in.
    static INSIDE: RefCell<Vec<(Id, &'static str)>> = const { RefCell::new(Vec::new()) };
}

/// The innermost span that this thread is in.
pub(crate) fn current_span() -> Option<&'static str> {
    INSIDE.with_borrow(|inside| inside.last().map(|(_, name)| *name))
}

/// Listens from here on, for as long as the process lives.
pub(crate) fn listen() -> &'static Log {
    listen_to(LevelFilter::TRACE)
}

/// Listens to what is of this level at least.
pub(crate) fn listen_to(least: LevelFilter) -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        tracing::subscriber::set_global_default(Ear(least)).unwrap();
        Log::default()
    })
}

impl Log {
    /// From here on the host does this whenever it hears of anything.
    pub(crate) fn react(&self, reaction: impl Fn() + Send + Sync + 'static) {
        *self.reaction.lock().unwrap() = Some(Arc::new(reaction));
    }

    pub(crate) fn react_no_more(&self) {
        *self.reaction.lock().unwrap() = None;
    }

    /// The spans of this name that are about a FIFO.
    pub(crate) fn spans(&self, name: &str, path: &Path) -> Vec<Span> {
        let heard = self.heard();
        heard.spans.iter().filter(|span| span.told.is_about(name, path)).cloned().collect()
    }

    /// The events of this name that are about a FIFO.
    pub(crate) fn events(&self, name: &str, path: &Path) -> Vec<Told> {
        let heard = self.heard();
        heard.events.iter().filter(|told| told.is_about(name, path)).cloned().collect()
    }

    /// What a field of these events comes to in all.
    pub(crate) fn sum(&self, name: &str, path: &Path, field: &str) -> u64 {
        self.events(name, path).iter().map(|told| told.number(field)).sum()
    }

    /// Fails where anything that was heard holds one of these words.
    pub(crate) fn holds_none_of(&self, secrets: &[&str]) {
        let heard = format!("{:?}", self.heard());
        for secret in secrets {
            assert!(!heard.contains(secret), "{secret:?} was told: {heard}");
            let as_bytes = format!("{:?}", secret.as_bytes());
            assert!(!heard.contains(as_bytes.trim_matches(['[', ']'])), "{secret:?}: {heard}");
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    /// Keeps what was heard, and lets the host react to it.
    fn hear<T>(&self, keep: impl FnOnce(&mut Heard) -> T) -> T {
        let kept = keep(&mut self.heard());
        let reaction = self.reaction.lock().unwrap().clone();
        if let Some(reaction) = reaction {
            reaction();
        }
        kept
    }
}

impl Heard {
    fn span(&mut self, id: &Id) -> &mut Span {
        &mut self.spans[id.into_u64() as usize - 1]
    }
}

impl Told {
    fn new(metadata: &'static Metadata<'static>) -> Self {
        let (name, level) = (metadata.name(), *metadata.level());
        Self { name, level, fields: BTreeMap::new(), call: None }
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        self.fields[field].parse().unwrap()
    }

    fn is_about(&self, name: &str, path: &Path) -> bool {
        self.name == name && Some(&*path.to_string_lossy()) == self.fields.get("path").map(|p| &**p)
    }
}

/// Every kind of value comes here.
impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

struct Ear(LevelFilter);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "fifowire" && *metadata.level() <= self.0
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut told = Told::new(attributes.metadata());
        attributes.record(&mut told);
        listen().hear(|heard| {
            heard.spans.push(Span { told, entered: 0, handles: 1 });
            Id::from_u64(heard.spans.len() as u64)
        })
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        listen().hear(|heard| values.record(&mut heard.span(span).told));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = Told::new(event.metadata());
        event.record(&mut told);
        let inside = INSIDE.with_borrow(|inside| inside.last().map(|(id, _)| id.clone()));
        listen().hear(|heard| {
            told.call = inside.and_then(|id| heard.span(&id).told.fields.get("id").cloned());
            heard.events.push(told);
        });
    }

    fn enter(&self, span: &Id) {
        let name = listen().hear(|heard| {
            let span = heard.span(span);
            span.entered += 1;
            span.told.name
        });
        INSIDE.with_borrow_mut(|inside| inside.push((span.clone(), name)));
    }

    fn exit(&self, span: &Id) {
        let left = INSIDE.with_borrow_mut(Vec::pop);
        assert_eq!(left.map(|(id, _)| id).as_ref(), Some(span), "spans are left inside out");
        listen().hear(|_| {});
    }

    fn clone_span(&self, span: &Id) -> Id {
        listen().hear(|heard| heard.span(span).handles += 1);
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        listen().hear(|heard| {
            let span = heard.span(&span);
            span.handles -= 1;
            span.handles == 0
        })
    }
}
