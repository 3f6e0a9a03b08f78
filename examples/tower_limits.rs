//! A client as a tower service: at most two calls at once, however many are made, and none longer
//! than half a second. Run it: `cargo run --example tower_limits`.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fifowire::Pair;
use fifowire::tokio::{Client, Server};
use futures_util::future::join_all;
use tower::{ServiceBuilder, ServiceExt};

/// Handlers that run now, and the most that ever did.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Waits for as many milliseconds as it is told to.
async fn nap(millis: u64) -> Result<String, String> {
    MOST.fetch_max(RUNNING.fetch_add(1, SeqCst) + 1, SeqCst);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    RUNNING.fetch_sub(1, SeqCst);
    Ok(format!("slept {millis} ms"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let pair = Pair::create(directory.path(), "naps")?;
    let mut server = Server::<u64, String>::open(&pair).await?;
    let client = Client::<u64, String>::open(&pair).await?;

    // From the outside in: the time of a call begins once there is room for it.
    let service = ServiceBuilder::new()
        .concurrency_limit(2)
        .timeout(Duration::from_millis(500))
        .service(client);

    let calls = async {
        // Clones share the limit. Each waits until it is ready, calls once, and is dropped.
        let naps = (0..6).map(|number| service.clone().oneshot(20 + number));
        for answer in join_all(naps).await {
            println!("{}", answer?);
        }
        println!("at most {} handlers ran at once", MOST.load(SeqCst));
        let late = service.clone().oneshot(60_000).await;
        println!("too long: {}", late.unwrap_err());
        Ok(())
    };
    tokio::select! {
        ended = server.serve(|millis, _context| nap(millis)) => Ok(ended?),
        called = calls => called,
    }
}
