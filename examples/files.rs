//! Files of any size through a pair, each way, with no more in memory than a window: a shelf that
//! takes files and gives them back. Run it: `cargo run --example files`.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::thread;

use fifowire::{Client, Context, EndOfWriters, Pair, ReplySink, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let shelf = directory.path().join("shelf");
    let (put, get) =
        (Pair::create(directory.path(), "put")?, Pair::create(directory.path(), "get")?);

    // One pair for each direction of payload; both end with their clients.
    let options = Server::<String, u64>::options().end_of_writers(EndOfWriters::End);
    let (mut puts, mut gets) = (options.clone().open(&put)?, options.open(&get)?);
    let path = shelf.clone();
    let taking = thread::spawn(move || {
        puts.serve(|name, context: &Context| {
            println!("taking {name}");
            io::copy(&mut context.payload(), &mut File::create(&path)?)
        })
    });
    let giving = thread::spawn(move || {
        gets.serve_streams(|name, replies: &mut ReplySink<u64>, _| {
            println!("giving {name}");
            io::copy(&mut File::open(&shelf)?, &mut replies.writer()).map(drop)
        })
    });

    let name = "zeros.bin".to_owned();
    let client = Client::<String, u64>::open(&put)?;
    let count = client.request(&name).upload_from(io::repeat(0).take(5_000_000))?;
    println!("{count} bytes are on the shelf");
    drop(client);

    let client = Client::<String, u64>::open(&get)?;
    let mut file = client.request(&name).download()?;
    let back = io::copy(&mut file, &mut io::sink())?;
    println!("{back} bytes came back");
    drop(file);
    drop(client);

    for server in [taking, giving] {
        server.join().map_err(|_| "a server panicked")??;
    }
    if back == count { Ok(()) } else { Err("bytes are missing".into()) }
}
