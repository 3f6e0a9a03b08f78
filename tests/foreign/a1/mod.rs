//! Scenario A1: a chat bot that commands an agent in a container, over one FIFO pair per instance.
//!
//! Text commands in, replies out, a line each. What hung, lied or lost here before: a writer that
//! fell back to a blocking `open`, a partial write reported as success, "no writer yet" taken for
//! an empty reply, and a timeout that was granted twice. Each line of the scenario is a test with
//! its measured time, with a peer in Python and one in the shell.

mod absent;
mod chat;
mod late;
mod refused;
mod reply;
mod stalled;

use std::path::Path;
use std::time::{Duration, Instant};

use fifowire::codec::Text;
use fifowire::framing::Lines;
use fifowire::{Pair, Receiver, ReceiverOptions, Sender, SenderOptions};

use crate::support::Peer;

/// Both languages of the peers: what their scripts end with.
const PEERS: [&str; 2] = ["py", "sh"];

/// Both languages and the ways they open: a shell is always blocked in its open.
const READERS: [(&str, &str); 3] = [("py", "blocking"), ("py", "nonblocking"), ("sh", "blocking")];

/// One instance of the bot: the pair, and how its ends are opened.
#[derive(Debug)]
struct Instance {
    pair: Pair,
}

impl Instance {
    fn create(directory: &Path, name: &str) -> Self {
        Self { pair: Pair::create(directory, name).unwrap() }
    }

    /// Its bot, in the language that `peer` names.
    fn bot(&self, peer: &str) -> Peer {
        let mut bot = Peer::start(&format!("bot.{peer}"), [self.pair.input(), self.pair.output()]);
        bot.expect("ready");
        bot
    }

    /// One process alone commands a bot, so a command may be of any length.
    fn commands() -> SenderOptions<String, Text, Lines> {
        Sender::options().codec(Text).framing(Lines::default()).exclusive(true)
    }

    fn replies() -> ReceiverOptions<String, Text, Lines> {
        Receiver::options().codec(Text).framing(Lines::default())
    }

    /// One exchange under one deadline: open, write, open, read.
    fn ask(&self, command: &str, timeout: Duration) -> fifowire::Result<String> {
        let deadline = Instant::now() + timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut replies = Self::replies().open_timeout(left()).open(self.pair.output())?;
        let mut commands = Self::commands().open_timeout(left()).open(self.pair.input())?;
        commands.send_deadline(&command.to_owned(), deadline)?;
        replies.recv_deadline(deadline)
    }
}
