"""A native server that answers one request in its own way: native_reply.py DIRECTORY NAME HOW

dies: is killed in the middle of the reply's frame. stale: first replies to another life and to
another call. garbage: first writes what is no frame. masked: replies with a frame that is masked
although it need not be. parts: 200 KB in parts of an odd size.
"""

import os
import signal
import sys

import fifowire_wire as wire
from fifowire_peer import Link, wait_open

directory, name, how = sys.argv[1:]
paths = [os.path.join(directory, f"{name}.{way}.fifo") for way in ("in", "out")]
link = Link(*paths)
print("open", flush=True)


def next_request():
    while True:
        for event in link.turn(0.1):
            if event.kind == wire.REQUEST:
                return event


def reply(body, to=None, ident=None, **how):
    to, ident = to or request.epoch, ident or request.id
    return wire.encode(wire.REPLY, link.epoch, to, ident, body, **how)


def write(data):
    while data:
        data = data[os.write(writer, data) :]


request = next_request()
writer = wait_open(link.outgoing, os.O_WRONLY)
os.set_blocking(writer, True)
if how == "dies":
    frame = reply(b"never whole" * 100)
    write(frame[: len(frame) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
elif how == "stale":
    write(reply(b"of another life", to=request.epoch ^ 1))
    write(reply(b"of another call", ident=request.id + 1000))
    write(reply(b"right"))
elif how == "garbage":
    write(b"Traceback (most recent call last):\n" + wire.MAGIC + b"\x01 and more")
    write(reply(b"right"))
elif how == "masked":
    write(reply(b"right", mask=b"mask"))
elif how == "parts":
    body, room = bytes(range(256)) * 800, 7777
    for at in range(0, len(body), room):
        part = wire.PART.pack(at, len(body)) + body[at : at + room]
        write(reply(part, flags=wire.PART_FLAG))
# Whoever leaves before the reply is read takes it along.
sys.stdin.read()
