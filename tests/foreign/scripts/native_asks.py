"""A native client: native_asks.py DIRECTORY NAME HOW

calls: one of each sort. ping: as the word says. dies: is killed in the middle of a request's
frame. stale: first asks a server of another life. Whoever is alive at the end, and stop does
nothing else, asks the server to stop.
"""

import os
import signal
import sys

import fifowire_wire as wire
from fifowire_peer import CallFailed, Client, PeerGone, wait_open

directory, name, how = sys.argv[1:]
client = Client(directory, name)
link = client.link


def request(body, to):
    remaining = wire.HEAD.pack(wire.ENDLESS, 0, 0)
    return wire.encode(wire.REQUEST, link.epoch, to, 1000, remaining + body)


if how == "calls":
    assert client.call(b"hello") == b"HELLO"
    long = b"abcde" * 40_000
    assert client.call(long) == long.upper()
    # The byte string that every frame starts with, so that each frame is masked both ways.
    magic = wire.MAGIC * 50_000
    assert client.call(magic) == magic.upper()
    assert client.call(b"") == b""
    for refused in (b"fail", b"panic"):
        try:
            client.call(refused)
            sys.exit("a failure came as a reply")
        except CallFailed as error:
            print("failed", *error.args, flush=True)
elif how == "ping":
    client.ping()
    print("pong", flush=True)
elif how == "dies":
    link.writer = wait_open(link.outgoing, os.O_WRONLY)
    frame = request(b"never whole" * 100, 0)
    os.write(link.writer, frame[: len(frame) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
elif how == "stale":
    link.writer = wait_open(link.outgoing, os.O_WRONLY)
    os.write(link.writer, request(b"stale", link.epoch ^ 1))
    assert client.call(b"fresh") == b"FRESH"
try:
    client.call(b"stop")
except PeerGone:
    pass  # it stops at once, and may have left by the time its reply is read
