//! Packets there and back, whoever carries them.

use std::future::Future;

use fifowire::awaited::{Client, Runtime};
use fifowire::codec::Postcard;

use super::packet::Packet;
use super::process::answer;
use super::rounds::{Round, Stopwatch, WARM_UP};
use super::shared::processor_time;

/// What a client calls with.
pub(crate) trait Calls {
    /// The reply; its server is there.
    fn call(&mut self, packet: &Packet) -> impl Future<Output = Packet> + Send;
}

/// Both directions of a connection that was written by hand.
pub(crate) trait Connection {
    fn send(&mut self, packet: &Packet) -> impl Future<Output = ()> + Send;

    /// The next packet; `None` once the other side has left.
    fn recv(&mut self) -> impl Future<Output = Option<Packet>> + Send;
}

impl<R: Runtime> Calls for Client<R, Packet, Packet, Postcard> {
    async fn call(&mut self, packet: &Packet) -> Packet {
        Client::call(self, packet).await.expect("the server answers")
    }
}

/// A connection, called over: one at a time, so that the next packet is the reply.
pub(crate) struct Caller<C>(pub(crate) C);

impl<C: Connection + Send> Calls for Caller<C> {
    async fn call(&mut self, packet: &Packet) -> Packet {
        self.0.send(packet).await;
        self.0.recv().await.expect("the server answers")
    }
}

/// One round: calls one at a time.
pub(crate) async fn clock(mut caller: impl Calls, calls: usize) -> Round {
    let mut watch = Stopwatch::start();
    for number in 0..WARM_UP + calls {
        if number == WARM_UP {
            watch.begin();
        }
        let packet = Packet::numbered(number as u64);
        assert_eq!(caller.call(&packet).await, packet, "a reply to another request");
    }
    watch.stop(calls)
}

/// Gives every packet back, until the client has left.
pub(crate) async fn echo(mut connection: impl Connection) {
    while let Some(packet) = connection.recv().await {
        connection.send(&packet).await;
    }
}

/// In the worker: serves, and answers what processor time that took.
pub(crate) async fn measured(serve: impl Future<Output = ()>) {
    let before = processor_time();
    serve.await;
    answer(processor_time() - before);
}
