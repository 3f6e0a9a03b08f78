//! The bridge of `examples/bridge.rs`, awaited on smol: a host's server and a container's client
//! as two processes. Run it: `cargo run --example smol_bridge`.

use std::env::{args, current_exe};
use std::process::Command;
use std::time::Duration;

use fifowire::async_io::{Client, Server};
use fifowire::{EndOfWriters, Error, Pair, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = args().collect();
    match arguments.as_slice() {
        [_, role, directory] if role == "container" => smol::block_on(container(directory)),
        _ => smol::block_on(host()),
    }
}

/// Serves until the container has left; four handlers at a time.
async fn host() -> Result<()> {
    let directory = tempfile::tempdir().map_err(Error::remote)?;
    let pair = Pair::create(directory.path(), "bridge")?;
    let options = Server::<String, String>::options().end_of_writers(EndOfWriters::End);
    let mut server = options.max_handlers(4).open(&pair).await?;
    let program = current_exe().map_err(Error::remote)?;
    let mut container = Command::new(program)
        .args(["container".as_ref(), directory.path().as_os_str()])
        .spawn()
        .map_err(Error::remote)?;
    server
        .serve(|text, context| async move {
            // Handlers that wait do not keep others waiting.
            smol::Timer::after(Duration::from_millis(20)).await;
            match context.remaining() {
                _ if text.is_empty() => Err("nothing to shout".to_owned()),
                left => Ok(format!("{} ({left:.1?} left)", text.to_uppercase())),
            }
        })
        .await?;
    println!("host: the container has left, {}", container.wait().map_err(Error::remote)?);
    Ok(())
}

async fn container(directory: &str) -> Result<()> {
    let client = Client::<String, String>::open(&Pair::at(directory, "bridge")?).await?;
    let (one, two) = ("hello".to_owned(), "world".to_owned());
    let (one, two) = smol::future::zip(client.call(&one), client.call(&two)).await;
    println!("container: {}, {}", one?, two?);
    println!("container: {}", client.call(&String::new()).await.unwrap_err());
    Ok(())
}
