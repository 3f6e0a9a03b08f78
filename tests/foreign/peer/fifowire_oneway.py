"""Messages one way, in Python 3 and its standard library, written from docs/PROTOCOL.md alone.

    fifowire_oneway.py send FIFO           stdin is one message
    fifowire_oneway.py recv FIFO [COUNT]   so many messages to stdout, one after another
"""

import os
import select
import sys
import time

import fifowire_peer as peer
import fifowire_wire as wire


def send(path, message):
    """One message, one way, beside other writers: no frame is longer than one atomic write."""
    fd = peer.wait_open(path, os.O_WRONLY, alone=False)
    for frame in wire.data_frames(wire.new_epoch(), 1, message, select.PIPE_BUF):
        written = 0
        while not written:
            select.select([], [fd], [])
            try:
                written = os.write(fd, frame)
            except BlockingIOError:  # there is room, but not for the whole of it
                time.sleep(peer.RETRY)
    os.close(fd)


def receive(path):
    """The messages that come one way, without end."""
    reader, scanner, assembly = peer.Reader(path), wire.Scanner(), wire.Assembly()
    while True:
        poll = select.poll()
        poll.register(reader.fd, select.POLLIN)
        more = reader.read(dict(poll.poll()).get(reader.fd, 0))
        for frame in scanner.scan(more or b""):
            if isinstance(frame, wire.Frame) and frame.kind == wire.DATA:
                body = assembly.add(frame)
                if not frame.flags & wire.PART_FLAG:
                    yield from wire.messages(body)
                elif body is not None:
                    yield body


def main(what, path, count=1):
    if what == "send":
        return send(path, sys.stdin.buffer.read())
    received = receive(path)
    for _ in range(int(count)):
        sys.stdout.buffer.write(next(received))


if __name__ == "__main__":
    main(*sys.argv[1:])
