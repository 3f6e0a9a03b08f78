//! Scenario A1 once more, with the native protocol: `Client` and `Server` against Python peers
//! that were written from `docs/PROTOCOL.md` alone (`peer/`).
//!
//! One pair per instance, any bytes both ways, one deadline a call; and what only frames can
//! promise: nothing torn, stale or late is ever believed.

mod calling;
mod frames;
mod one_way;
mod serving;

use std::path::Path;
use std::time::Duration;

use fifowire::codec::Bytes;
use fifowire::{Client, Pair, Result};

use crate::support::{Peer, ms};

/// One instance of the bot.
#[derive(Debug)]
struct Instance<'a> {
    directory: &'a Path,
    pair: Pair,
}

/// Where a call is to succeed: more than it ever takes.
const PLENTY: Duration = ms(5000);

const NAME: &str = "bot";

impl<'a> Instance<'a> {
    fn create(directory: &'a Path) -> Self {
        Self { directory, pair: Pair::create(directory, NAME).unwrap() }
    }

    fn client(&self) -> Client<Vec<u8>, Vec<u8>, Bytes> {
        Client::options().codec(Bytes).open(&self.pair).unwrap()
    }

    /// Starts a script on this pair.
    fn peer(&self, script: &str, how: &[&str]) -> Peer {
        let pair = [self.directory.to_str().unwrap(), NAME];
        Peer::start(script, pair.iter().chain(how))
    }

    /// Starts the bot and waits until it has the request FIFO open.
    fn bot(&self) -> Peer {
        let mut bot = self.peer("native_bot.py", &[]);
        bot.expect("ready");
        bot.expect("open");
        bot
    }
}

/// One call in words.
fn ask(client: &Client<Vec<u8>, Vec<u8>, Bytes>, words: &str, time: Duration) -> Result<String> {
    let reply = client.request(&words.as_bytes().to_vec()).timeout(time).call()?;
    Ok(String::from_utf8(reply).unwrap())
}
