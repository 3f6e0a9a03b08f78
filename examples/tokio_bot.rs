//! A bot's event loop on tokio: commands come over a pair of FIFOs, a thought takes a while, and
//! the operator times out, cancels, and ends the bot. Run it: `cargo run --example tokio_bot`.

use std::time::Duration;

use fifowire::tokio::{Client, Responder, Server};
use fifowire::{Pair, Result};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

#[derive(Debug, Serialize, Deserialize)]
enum Command {
    Think(Duration),
    Forget,
    Quit,
}

async fn bot(pair: &Pair) -> Result<()> {
    let mut server = Server::<Command, String>::open(pair).await?;
    let mut commands = server.requests();
    let mut thought: Option<(Instant, Responder<String>)> = None;
    loop {
        let thought_out = thought.as_ref().map_or_else(Instant::now, |(at, _)| *at);
        tokio::select! {
            Some(command) = commands.next() => {
                let (command, responder) = command.map(|it| (it.value, it.responder))?;
                match command {
                    Command::Think(time) => thought = Some((Instant::now() + time, responder)),
                    Command::Forget => {
                        thought = None; // dropped without an answer, it tells its caller so
                        responder.send(&"forgotten".to_owned()).await.ok();
                    }
                    Command::Quit => return responder.send(&"bye".to_owned()).await,
                }
            }
            () = sleep_until(thought_out), if thought.is_some() => {
                let Some((_, responder)) = thought.take() else { continue };
                responder.send(&"42".to_owned()).await.ok();
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let pair = Pair::create(std::env::temp_dir(), &format!("bot-{}", std::process::id()))?;
    let operator = async {
        let bot = Client::<Command, String>::open(&pair).await?;
        println!("thought: {}", bot.call(&Command::Think(Duration::from_millis(50))).await?);
        let long = Command::Think(Duration::from_secs(60));
        let late = bot.request(&long).timeout(Duration::from_millis(100)).call().await;
        println!("timed out: {}", late.unwrap_err());
        let (thought, forgotten) = tokio::join!(bot.call(&long), bot.call(&Command::Forget));
        println!("cancelled: {}; the bot: {}", thought.unwrap_err(), forgotten?);
        bot.call(&Command::Quit).await.map(|bye| println!("the bot: {bye}"))
    };
    tokio::try_join!(bot(&pair), operator).map(drop)
}
