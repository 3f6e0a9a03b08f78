//! Numbers that look random and can be had again from their seed.

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that differs from run to run; said on standard error, so that a run can be repeated.
    /// `FIFOWIRE_SEED` sets it.
    pub(crate) fn seeded() -> Self {
        let given = std::env::var("FIFOWIRE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("FIFOWIRE_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Bytes of every value.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// A length between these, small ones as likely as large ones by their order of magnitude.
    pub(crate) fn length(&mut self, least: usize, most: usize) -> usize {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (least as f64 * (most as f64 / least as f64).powf(share)) as usize
    }

    /// This many bytes, at least eight, that carry `tag` and their own checksum.
    pub(crate) fn checked(&mut self, tag: u32, len: usize) -> Vec<u8> {
        let mut bytes = self.bytes(len.max(8));
        bytes[4..8].copy_from_slice(&tag.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// The tag of bytes made by [`Random::checked`]; `None` where they are not as they were made.
pub(crate) fn tag_of(bytes: &[u8]) -> Option<u32> {
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    let holds = crc32fast::hash(rest) == u32::from_le_bytes(*checksum);
    rest.first_chunk::<4>().filter(|_| holds).map(|tag| u32::from_le_bytes(*tag))
}
