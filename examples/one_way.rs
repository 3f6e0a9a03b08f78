//! Typed events one way: one process feeds a FIFO, another drains it.
//!
//! `cargo run --example one_way`: this process receives; it starts itself again as the sender.

use std::error::Error;
use std::process::Command;

use fifowire::{EndOfWriters, Fifo, Receiver, Sender};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(path) => send(&path),
        None => receive(),
    }
}

fn receive() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let fifo = Fifo::create(directory.path().join("readings.fifo"))?;
    let mut receiver =
        Receiver::<Reading>::options().end_of_writers(EndOfWriters::End).open(fifo.path())?;
    let mut sender = Command::new(std::env::current_exe()?).arg(fifo.path()).spawn()?;
    for reading in receiver.messages() {
        println!("{:?}", reading?);
    }
    println!("the sender has left ({})", sender.wait()?);
    Ok(())
}

fn send(path: &str) -> Result<(), Box<dyn Error>> {
    let mut sender = Sender::<Reading>::open(path)?;
    sender.send(&Reading { sensor: "door".into(), celsius: 19.5 })?;
    // A batch: many messages in one write.
    for minute in 0..3 {
        sender.feed(&Reading { sensor: format!("oven {minute}"), celsius: 180.0 })?;
    }
    sender.flush()?;
    Ok(())
}
