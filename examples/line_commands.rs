//! A shell commands a Rust program: every line that is echoed into the FIFO is a command.
//!
//! `cargo run --example line_commands`, then from another terminal what it prints. With the word
//! `demo` behind `--` it plays the other terminal itself.

use std::error::Error;
use std::process::Command;

use fifowire::codec::Text;
use fifowire::framing::Lines;
use fifowire::{Fifo, Receiver};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let fifo = Fifo::create(directory.path().join("commands.fifo"))?;
    let mut commands =
        Receiver::<String>::options().codec(Text).framing(Lines::default()).open(fifo.path())?;
    println!("try: echo hello > {0}; echo quit > {0}", fifo.path().display());

    let mut shell = match std::env::args().nth(1).as_deref() {
        Some("demo") => Some(
            Command::new("sh")
                .args(["-c", r#"echo hello > "$0"; echo quit > "$0""#])
                .arg(fifo.path())
                .spawn()?,
        ),
        _ => None,
    };
    for command in commands.messages() {
        match command?.as_str() {
            "quit" => break,
            other => println!("command: {other}"),
        }
    }
    if let Some(shell) = &mut shell {
        shell.wait()?;
    }
    Ok(())
}
