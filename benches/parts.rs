//! The parts by themselves: values to bytes, bytes to frames, and back.
//!
//! What a message costs before and after the FIFO: `cargo bench --bench parts`. The kernel's part
//! is in `ratios`, beside the peers.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use fifowire::codec::{Codec, Json, Postcard};
use fifowire::framing::{Decoded, Encoded, Framing, Lines, Native, Room};
use serde::{Deserialize, Serialize};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    codecs(&mut criterion);
    framings(&mut criterion);
    criterion.final_summary();
}

/// What a command channel carries: a number, a word, a few more numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Command {
    id: u64,
    name: String,
    arguments: Vec<i32>,
    urgent: bool,
}

fn command() -> Command {
    let arguments = vec![1, -20, 300, -4_000, 50_000];
    Command { id: 7_000_000_001, name: "reload-configuration".into(), arguments, urgent: true }
}

fn codecs(criterion: &mut Criterion) {
    codec(criterion, "json", Json);
    codec(criterion, "postcard", Postcard);
}

fn codec(criterion: &mut Criterion, name: &str, codec: impl Codec<Command>) {
    let value = command();
    let mut bytes = Vec::new();
    codec.encode(&value, &mut bytes).expect("the value has a form");
    assert_eq!(codec.decode(&bytes).expect("it was just written"), value);

    let mut group = criterion.benchmark_group(format!("codec/{name}"));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let mut out = Vec::with_capacity(bytes.len());
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            codec.encode(black_box(&value), &mut out).expect("as before");
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| codec.decode(black_box(&bytes)).expect("as before"));
    });
    group.finish();
}

const SIZES: [(&str, usize); 4] =
    [("64B", 64), ("4KiB", 4 << 10), ("64KiB", 64 << 10), ("1MiB", 1 << 20)];

/// The largest unit of an end held alone, as `docs/PROTOCOL.md` has it: one frame.
const ALONE: Room = Room { bytes: 65_536, shared: false };

/// The largest unit of an end that others may write to: what the kernel keeps in one piece.
const SHARED: Room = Room { bytes: 4_096, shared: true };

fn framings(criterion: &mut Criterion) {
    framing(criterion, "native-alone", Native::default(), ALONE, &SIZES);
    framing(criterion, "native-shared", Native::default(), SHARED, &SIZES);
    framing(criterion, "lines-alone", Lines::default(), ALONE, &SIZES);
    // A longer line than this is refused where others may write.
    framing(criterion, "lines-shared", Lines::default(), SHARED, &SIZES[..1]);
}

fn framing<F: Framing>(
    criterion: &mut Criterion,
    name: &str,
    fresh: F,
    room: Room,
    sizes: &[(&str, usize)],
) {
    let mut group = criterion.benchmark_group(format!("framing/{name}"));
    for (label, bytes) in sizes {
        // Every byte but a newline, so that nothing is easier to search than a real payload.
        let message: Vec<u8> = (0..*bytes).map(|at| 32 + (at % 223) as u8).collect();
        group.throughput(Throughput::Bytes(*bytes as u64));
        let mut framing = fresh.clone();
        framing.begin(1);
        let mut unit = Vec::new();
        group.bench_function(BenchmarkId::new("encode", label), |bencher| {
            bencher.iter(|| units(&mut framing, black_box(&message), room, &mut unit, |_| {}));
        });
        let mut stream = Vec::new();
        units(&mut framing, &message, room, &mut unit, |unit| stream.push(unit.to_vec()));
        let mut framing = fresh.clone();
        group.bench_function(BenchmarkId::new("decode", label), |bencher| {
            // Decoding may change what it reads, so each time it gets a copy.
            bencher.iter_batched_ref(
                || stream.clone(),
                |stream| assert_eq!(bodies(&mut framing, stream), *bytes),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Frames one message into as many units as it takes, as a sender does.
fn units(
    framing: &mut impl Framing,
    message: &[u8],
    room: Room,
    unit: &mut Vec<u8>,
    mut write: impl FnMut(&[u8]),
) {
    let mut from = 0;
    loop {
        unit.clear();
        let encoded = framing.encode(message, from, unit, room).expect("it can be framed");
        framing.finish(unit);
        write(black_box(unit));
        match encoded {
            Encoded::Whole => return,
            Encoded::Until(next) => from = next,
        }
    }
}

/// Finds what the units hold, as a receiver does that has read each of them whole; answers how
/// many bytes of messages there were.
fn bodies(framing: &mut impl Framing, units: &mut [Vec<u8>]) -> usize {
    let mut found = 0;
    for unit in units {
        let mut unread = unit.as_mut_slice();
        while !unread.is_empty() {
            let used = match framing.decode(unread) {
                Decoded::Message { body, used } | Decoded::Part { body, used, .. } => {
                    found += black_box(&unread[body]).len();
                    used
                }
                Decoded::Skip { used, .. } => used,
                other => panic!("a whole unit holds more than {other:?}"),
            };
            unread = &mut unread[used..];
        }
    }
    found
}
