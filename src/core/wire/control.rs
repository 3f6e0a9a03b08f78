//! The small structures inside payloads: a failure's code and words, what a cancel found, how much
//! a server has to do.

/// What a cancel found of its call, as the server says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No such request: it never came whole, was not taken, or is answered for.
    Nothing,
    /// A request that waited. Nobody took it, and nobody will.
    Waiting,
    /// A request that was handed out; whoever has it can learn that it is cancelled.
    InHand,
}

impl Found {
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Waiting => 1,
            Self::InHand => 2,
        }
    }

    /// Reads the answer to a cancel. One that does not say what was found, or says what a later
    /// version knows, says that nothing more will come, and no more than that.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(1) => Self::Waiting,
            Some(2) => Self::InHand,
            _ => Self::Nothing,
        }
    }
}

/// Room for so many bytes of items, as it is said to whoever sends them.
pub(crate) fn credit_to_bytes(room: usize) -> Vec<u8> {
    u32::try_from(room).unwrap_or(u32::MAX).to_le_bytes().to_vec()
}

/// Reads how much room there is; a later version may say more behind it.
pub(crate) fn credit_from(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|room| u32::from_le_bytes(*room) as usize)
}

/// Adds room to room that was not told yet.
pub(crate) fn add_credit(told: &mut Vec<u8>, more: &[u8]) {
    let sum = [&*told, more].map(|bytes| credit_from(bytes).unwrap_or(0)).iter().sum();
    *told = credit_to_bytes(sum);
}

/// How much a server has to do, as it says in a pong behind the payload of the ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Requests handed out in this life of the server.
    pub(crate) taken: u64,
    /// Those of them that are not answered.
    pub(crate) in_hand: u64,
    /// Requests that wait to be handed out.
    pub(crate) waiting: u64,
    /// Bytes of replies that wait to be written.
    pub(crate) queued_bytes: u64,
}

impl Load {
    pub(crate) const LEN: usize = 32;

    pub(crate) fn append_to(self, bytes: &mut Vec<u8>) {
        for count in [self.taken, self.in_hand, self.waiting, self.queued_bytes] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
    }

    /// Reads a load; a server that does not say, or a later one that says more, is no error.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let counts = bytes.first_chunk::<{ Self::LEN }>()?;
        let mut words = counts
            .chunks_exact(8)
            .map(|word| word.iter().rev().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)));
        let mut next = || words.next().unwrap_or_default();
        Some(Self { taken: next(), in_hand: next(), waiting: next(), queued_bytes: next() })
    }
}

/// Why a call failed at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureCode {
    Handler,
    Panic,
    Codec,
    TooLarge,
    Overloaded,
    Expired,
    Cancelled,
    Dropped,
    Stale,
    Closing,
    Unsupported,
    Repeated,
    /// A code of a later version; its words still say what happened.
    Other(u16),
}

impl FailureCode {
    const ALL: [(Self, u16); 12] = [
        (Self::Handler, 1),
        (Self::Panic, 2),
        (Self::Codec, 3),
        (Self::TooLarge, 4),
        (Self::Overloaded, 5),
        (Self::Expired, 6),
        (Self::Cancelled, 7),
        (Self::Dropped, 8),
        (Self::Stale, 9),
        (Self::Closing, 10),
        (Self::Unsupported, 11),
        (Self::Repeated, 12),
    ];

    fn from_wire(wire: u16) -> Self {
        Self::ALL.iter().find(|(_, w)| *w == wire).map_or(Self::Other(wire), |(code, _)| *code)
    }

    fn to_wire(self) -> u16 {
        match self {
            Self::Other(wire) => wire,
            known => Self::ALL.iter().find(|(code, _)| *code == known).map_or(0, |(_, wire)| *wire),
        }
    }
}

/// A failed call's code and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: FailureCode,
    pub(crate) message: String,
}

impl Failure {
    /// Words are cut here, so that a failure always fits into one atomic frame.
    const MAX_MESSAGE: usize = 2048;

    /// The longest failure, its code included.
    pub(crate) const MAX_LEN: usize = 2 + Self::MAX_MESSAGE;

    pub(crate) fn new(code: FailureCode, mut message: String) -> Self {
        if message.len() > Self::MAX_MESSAGE {
            let cut = (0..=Self::MAX_MESSAGE).rev().find(|at| message.is_char_boundary(*at));
            message.truncate(cut.unwrap_or(0));
        }
        Self { code, message }
    }

    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.code.to_wire().to_le_bytes());
        bytes.extend_from_slice(self.message.as_bytes());
    }

    /// Reads a failure; words that are not UTF-8 are repaired, because an error is still an error.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (code, words) = match bytes.split_first_chunk::<2>() {
            Some((code, words)) => (FailureCode::from_wire(u16::from_le_bytes(*code)), words),
            None => (FailureCode::Other(0), bytes),
        };
        Self::new(code, String::from_utf8_lossy(words).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cancel_found_survives_the_wire_and_is_nothing_where_it_is_not_known() {
        for found in [Found::Nothing, Found::Waiting, Found::InHand] {
            assert_eq!(Found::from_bytes(&[found.to_byte()]), found);
        }
        assert_eq!(Found::from_bytes(b""), Found::Nothing);
        assert_eq!(Found::from_bytes(&[3, 1]), Found::Nothing);
    }

    #[test]
    fn a_load_survives_the_wire_and_need_not_be_said() {
        let load = Load { taken: 1, in_hand: 0x0102_0304, waiting: 3, queued_bytes: u64::MAX };
        let mut bytes = Vec::new();
        load.append_to(&mut bytes);
        assert_eq!(bytes.len(), Load::LEN);
        assert_eq!(Load::from_bytes(&bytes), Some(load));
        bytes.push(9);
        assert_eq!(Load::from_bytes(&bytes), Some(load), "a later version says more");
        assert_eq!(Load::from_bytes(&bytes[..31]), None);
    }

    #[test]
    fn a_failure_survives_the_wire_and_long_words_are_cut_at_a_character() {
        for (code, wire) in FailureCode::ALL {
            let mut bytes = Vec::new();
            Failure::new(code, "why".into()).append_to(&mut bytes);
            assert_eq!(bytes[..2], wire.to_le_bytes());
            assert_eq!(Failure::from_bytes(&bytes), Failure::new(code, "why".into()));
        }
        let long = Failure::new(FailureCode::Handler, "é".repeat(3000));
        assert_eq!(long.message.len(), 2048);
        assert_eq!(Failure::from_bytes(&[9]).code, FailureCode::Other(0));
    }
}
