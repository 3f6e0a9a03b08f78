//! A protocol of one's own on tokio: lines of text through plain ends, with what tokio has for
//! readers and writers of bytes. Run it: `cargo run --example raw_tokio`.

use std::error::Error;
use std::time::Duration;

use fifowire::Fifo;
use fifowire::tokio::{FifoReader, FifoWriter};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let fifo = Fifo::create(directory.path().join("readings.fifo"))?;

    // Opened first, because a writer opens once somebody reads. It ends with its writers; a daemon
    // would say `.end_of_writers(EndOfWriters::Wait)`, and wait for the next.
    let options = FifoReader::options().timeout(Duration::from_secs(5));
    let reader = options.open(fifo.path()).await?;
    let writer = FifoWriter::open(fifo.path()).await?;

    let (sum, ()) = tokio::try_join!(add_up(reader), measure(writer))?;
    println!("all writers have left; the sum is {sum}");
    Ok(())
}

/// Reads `name value` from every line until the last writer has left.
async fn add_up(reader: FifoReader) -> Result<i64, Box<dyn Error>> {
    let mut lines = BufReader::new(reader).lines();
    let mut sum = 0;
    while let Some(line) = lines.next_line().await? {
        match line.split_once(' ').map(|(name, value)| (name, value.parse::<i64>())) {
            Some((name, Ok(value))) => {
                println!("{name}: {value}");
                sum += value;
            }
            _ => println!("no reading: {line:?}"),
        }
    }
    Ok(sum)
}

/// Each write is one line, which is shorter than `PIPE_BUF`: it stays whole beside other writers.
async fn measure(mut writer: FifoWriter) -> Result<(), Box<dyn Error>> {
    for line in ["oven 180\n", "door 19\n", "out of order\n", "cellar -2\n"] {
        writer.write_all(line.as_bytes()).await?;
        // The reader has its turn: what is written is there, and nothing needs to be flushed.
        tokio::task::yield_now().await;
    }
    Ok(()) // dropped here, the writer leaves
}
