//! What stands in front of a request's message: how long its caller waits, and what it asks for
//! beside a plain reply.

use std::time::Duration;

/// The time a caller will still wait, as it stood when the request was written.
///
/// The remaining time alone would not age while the request lies in the pipe, so the instant at
/// which it was taken travels with it: the kernel's monotonic clock is one and the same for both
/// ends of a FIFO, time namespaces aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remaining {
    /// Microseconds left; `u64::MAX` where the caller waits without end.
    micros: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds when `micros` was taken; zero for unknown.
    taken_at: u64,
}

/// What a request asks for beside one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Nobody waits for an answer, and none is sent.
    pub(crate) quiet: bool,
    /// Requests with the same key are one request.
    pub(crate) key: Option<RequestKey>,
    /// Many replies are welcome; so many bytes of them may come before more are asked for.
    pub(crate) window: Option<u32>,
    /// More than the message is to come: a stream of its bytes.
    pub(crate) upload: bool,
}

/// Names a request across the lives of its client.
pub(crate) type RequestKey = [u8; 16];

/// Everything in front of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) remaining: Remaining,
    pub(crate) options: Options,
}

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Short,
    /// It asks for something that a later version knows.
    Unknown,
}

impl Remaining {
    const LEN: usize = 16;
    const ENDLESS: u64 = u64::MAX;

    pub(crate) fn new(left: Option<Duration>, taken_at: u64) -> Self {
        let micros = left.map_or(Self::ENDLESS, |left| {
            u64::try_from(left.as_micros()).unwrap_or(Self::ENDLESS - 1)
        });
        Self { micros, taken_at }
    }

    /// The remaining time at the start of a request's body.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let (micros, rest) = body.split_first_chunk::<8>()?;
        let taken_at = rest.first_chunk::<8>()?;
        Some(Self { micros: u64::from_le_bytes(*micros), taken_at: u64::from_le_bytes(*taken_at) })
    }

    /// What is left of it when the monotonic clock says `now_ns`; `None` for without end.
    ///
    /// A stamp in the future comes from another time namespace and does not age.
    pub(crate) fn left_at(self, now_ns: u64) -> Option<Duration> {
        if self.micros == Self::ENDLESS {
            return None;
        }
        // Nobody waits for longer than nanoseconds can be counted, which is six centuries.
        let left = self.micros.saturating_mul(1000).saturating_sub(self.age_ns(now_ns));
        Some(Duration::from_nanos(left))
    }

    /// Whether nothing is left of it: what [`left_at`](Self::left_at) says, for less.
    pub(crate) fn is_over_at(self, now_ns: u64) -> bool {
        self.micros != Self::ENDLESS && self.age_ns(now_ns) / 1000 >= self.micros
    }

    fn age_ns(self, now_ns: u64) -> u64 {
        match self.taken_at {
            0 => 0,
            taken_at => now_ns.saturating_sub(taken_at),
        }
    }
}

impl Options {
    const QUIET: u16 = 1;
    const KEY: u16 = 2;
    const WINDOW: u16 = 4;
    const UPLOAD: u16 = 8;
    const KNOWN: u16 = Self::QUIET | Self::KEY | Self::WINDOW | Self::UPLOAD;

    /// Whether more is to come than a request and a reply.
    pub(crate) fn has_streams(&self) -> bool {
        self.window.is_some() || self.upload
    }

    fn bits(&self) -> u16 {
        let bit = |set: bool, bit: u16| if set { bit } else { 0 };
        bit(self.quiet, Self::QUIET)
            | bit(self.key.is_some(), Self::KEY)
            | bit(self.window.is_some(), Self::WINDOW)
            | bit(self.upload, Self::UPLOAD)
    }

    /// The bits at their place in a request's body.
    fn bits_of(body: &[u8]) -> Option<u16> {
        let bits = body.get(Remaining::LEN..)?.first_chunk::<2>()?;
        Some(u16::from_le_bytes(*bits))
    }

    /// Writes what stands behind the bits.
    fn write(&self, to: &mut [u8]) {
        let key = self.key.iter().flatten().copied();
        let window = self.window.iter().flat_map(|window| window.to_le_bytes());
        to.iter_mut().zip(key.chain(window)).for_each(|(to, byte)| *to = byte);
    }

    fn len_of(bits: u16) -> usize {
        let key = if bits & Self::KEY != 0 { size_of::<RequestKey>() } else { 0 };
        let window = if bits & Self::WINDOW != 0 { size_of::<u32>() } else { 0 };
        key + window
    }
}

impl Head {
    /// A head as it is written when the monotonic clock says `now_ns`.
    pub(crate) fn new(left: Option<Duration>, now_ns: u64, options: Options) -> Self {
        Self { remaining: Remaining::new(left, now_ns), options }
    }

    /// The length of a head without options.
    pub(crate) const LEN: usize = Remaining::LEN + size_of::<u16>();

    /// The length of a head with all of them.
    pub(crate) const MAX_LEN: usize = Self::LEN + size_of::<RequestKey>() + size_of::<u32>();

    /// How long a head with these options is.
    pub(crate) fn len_with(options: &Options) -> usize {
        Self::LEN + Options::len_of(options.bits())
    }

    /// How long the head of this request is, as its first bytes say.
    pub(crate) fn len_of(body: &[u8]) -> usize {
        Self::LEN + Options::bits_of(body).map_or(0, Options::len_of)
    }

    /// Whether nobody waits for an answer, as the first bytes of a request say.
    pub(crate) fn is_quiet(body: &[u8]) -> bool {
        Options::bits_of(body).is_some_and(|bits| bits & Options::QUIET != 0)
    }

    /// Writes the head into the place that is left for it at the start of a body.
    pub(crate) fn write(&self, body: &mut [u8]) {
        let Self { remaining: Remaining { micros, taken_at }, options } = self;
        let (fixed, rest) = body.split_at_mut(Self::LEN);
        fixed[..8].copy_from_slice(&micros.to_le_bytes());
        fixed[8..Remaining::LEN].copy_from_slice(&taken_at.to_le_bytes());
        fixed[Remaining::LEN..].copy_from_slice(&options.bits().to_le_bytes());
        if options.bits() & (Options::KEY | Options::WINDOW) != 0 {
            options.write(rest);
        }
    }

    /// Reads the head of a request's body; the message begins at the answered place.
    pub(crate) fn read(body: &[u8]) -> Result<(Self, usize), Unreadable> {
        let remaining = Remaining::of(body).ok_or(Unreadable::Short)?;
        let bits = Options::bits_of(body).ok_or(Unreadable::Short)?;
        if bits & !Options::KNOWN != 0 {
            return Err(Unreadable::Unknown);
        }
        let mut rest = &body[Self::LEN..];
        let mut options = Options {
            quiet: bits & Options::QUIET != 0,
            upload: bits & Options::UPLOAD != 0,
            ..Options::default()
        };
        if bits & Options::KEY != 0 {
            let (key, behind) = rest.split_first_chunk().ok_or(Unreadable::Short)?;
            (options.key, rest) = (Some(*key), behind);
        }
        if bits & Options::WINDOW != 0 {
            let (window, behind) = rest.split_first_chunk().ok_or(Unreadable::Short)?;
            (options.window, rest) = (Some(u32::from_le_bytes(*window)), behind);
        }
        Ok((Self { remaining, options }, body.len() - rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: Head, message: &[u8]) -> Vec<u8> {
        let mut body = vec![0; Head::len_with(&head.options)];
        head.write(&mut body);
        body.extend_from_slice(message);
        body
    }

    fn every_options() -> impl Iterator<Item = Options> {
        (0..16).map(|bits| Options {
            quiet: bits & 1 != 0,
            key: (bits & 2 != 0).then_some([7; 16]),
            window: (bits & 4 != 0).then_some(0x0102_0304),
            upload: bits & 8 != 0,
        })
    }

    #[test]
    fn remaining_time_ages_in_the_pipe() {
        let remaining = Remaining::new(Some(Duration::from_millis(100)), 1_000_000_000);
        assert_eq!(remaining.left_at(1_040_000_000), Some(Duration::from_millis(60)));
        assert_eq!(remaining.left_at(2_000_000_000), Some(Duration::ZERO));
        assert_eq!(remaining.left_at(900_000_000), Some(Duration::from_millis(100)));
        assert_eq!(Remaining::new(None, 5).left_at(u64::MAX), None);
    }

    #[test]
    fn what_is_over_is_what_has_nothing_left() {
        for left in [None, Some(Duration::ZERO), Some(Duration::from_millis(100))] {
            for taken_at in [0, 1_000_000_000] {
                let remaining = Remaining::new(left, taken_at);
                for now in [0, 999_999_999, 1_099_999_999, 1_100_000_000, u64::MAX] {
                    let nothing = remaining.left_at(now).is_some_and(|left| left.is_zero());
                    assert_eq!(remaining.is_over_at(now), nothing, "{remaining:?} at {now}");
                }
            }
        }
    }

    #[test]
    fn a_head_survives_the_wire_whatever_it_asks_for_and_is_not_read_where_it_is_cut() {
        for options in every_options() {
            let head =
                Head { remaining: Remaining::new(Some(Duration::from_secs(3)), 77), options };
            let body = written(head, b"message");
            let message_at = Head::len_with(&options);
            assert_eq!(Head::read(&body), Ok((head, message_at)));
            assert_eq!((&body[message_at..], Head::len_of(&body)), (&b"message"[..], message_at));
            assert_eq!(Head::is_quiet(&body), options.quiet);
            for cut in 0..message_at {
                assert_eq!(Head::read(&body[..cut]), Err(Unreadable::Short));
            }
        }
    }

    #[test]
    fn an_option_of_a_later_version_is_not_guessed_at() {
        let head = Head { remaining: Remaining::new(None, 0), options: Options::default() };
        let mut body = written(head, b"");
        body[Remaining::LEN] = 16;
        assert_eq!(Head::read(&body), Err(Unreadable::Unknown));
    }
}
