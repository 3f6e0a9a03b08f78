//! The host's server and the container's client as two real processes over a pair of FIFOs.
//!
//! `cargo run --example bridge`: this process serves; it starts itself again as the client.

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use fifowire::{Client, EndOfWriters, Pair, Server};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum Task {
    Add(i64, i64),
    Shout(String),
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Sum(i64),
    Loud(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(directory) => client(&directory),
        None => host(),
    }
}

fn host() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let pair = Pair::create(directory.path(), "agent")?;
    let options = Server::<Task, Outcome>::options();
    let mut server = options.end_of_writers(EndOfWriters::End).open(&pair)?;
    let mut child = Command::new(std::env::current_exe()?).arg(directory.path()).spawn()?;
    server.serve(|task, context| match task {
        Task::Add(a, b) => a.checked_add(b).map(Outcome::Sum).ok_or("the sum is too large"),
        Task::Shout(text) => {
            println!("host: {:?} left to shout", context.remaining());
            Ok(Outcome::Loud(text.to_uppercase()))
        }
    })?;
    println!("host: the client has left ({})", child.wait()?);
    Ok(())
}

fn client(directory: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::<Task, Outcome>::open(&Pair::at(directory, "agent")?)?;
    println!("client: {:?}", client.call(&Task::Add(2, 40))?);
    println!("client: {:?}", client.call(&Task::Shout("over a fifo".into()))?);
    println!("client: {}", client.call(&Task::Add(i64::MAX, 1)).unwrap_err());
    // Nobody serves this pair: the call fails at its deadline and says why.
    let nobody = Pair::create(directory, "nobody")?;
    let empty = Client::<Task, Outcome>::open(&nobody)?;
    let late = empty.request(&Task::Add(1, 1)).timeout(Duration::from_millis(300)).call();
    println!("client: {}", late.unwrap_err());
    Ok(())
}
