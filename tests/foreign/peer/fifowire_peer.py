"""A peer of fifowire in Python 3 and its standard library, written from docs/PROTOCOL.md alone.

    fifowire_peer.py serve DIRECTORY NAME [echo|upper|fail]   answers calls until it is killed
    fifowire_peer.py call DIRECTORY NAME [SECONDS]            stdin is the request, stdout the reply
    fifowire_peer.py ping DIRECTORY NAME [SECONDS]            exits with 0 after the answer
"""

import collections
import errno
import fcntl
import os
import random
import select
import stat
import struct
import sys
import time

import fifowire_wire as wire
from fifowire_wire import CANCEL, CANCELLED, CODE, FAILURE, GOODBYE, HEAD, PING, PONG, QUIET
from fifowire_wire import REPLY, REQUEST, WINDOW, WINDOW_LEN

RETRY = 0.005
NOTHING, WAITED = 0, 1  # what a cancel found


class CallFailed(Exception):
    """The server answered with a failure: its code and its words."""


class PeerGone(Exception):
    """Whoever was at the other end has left."""


def try_open(path, flags, alone=True):
    """Opens one end of a FIFO and locks it, without waiting; None where that cannot be yet."""
    fd = None
    try:
        if not stat.S_ISFIFO(os.lstat(path).st_mode):
            raise ValueError(f"{path} is not a FIFO")
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        if flags == os.O_RDONLY:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            start, length = (0, 0) if alone else (random.randrange(1 << 62), 1)
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
        return fd
    except OSError as error:
        if fd is not None:
            os.close(fd)
        if error.errno in (errno.ENXIO, errno.ENOENT, errno.EAGAIN):
            return None
        raise


def wait_open(path, flags, alone=True, timeout=30.0):
    deadline = time.monotonic() + timeout
    while (fd := try_open(path, flags, alone)) is None:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{path} could not be opened")
        time.sleep(RETRY)
    return fd


class Reader:
    """The reading end of a FIFO, held from the first to the last instant."""

    def __init__(self, path):
        self.fd = self.lock_holder = wait_open(path, os.O_RDONLY)

    def read(self, ready):
        """What came, given what poll said of it; None where the last writer has left."""
        if ready & select.POLLIN:
            return os.read(self.fd, wire.MAX_FRAME)
        if not ready & select.POLLHUP:
            return b""
        # A fresh descriptor before the old one goes, or poll says so for ever.
        fresh = os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd != self.lock_holder:
            os.close(self.fd)
        self.fd = fresh
        return None


class Link:
    """One side of a session: events both ways at once, without ever blocking."""

    def __init__(self, incoming, outgoing, serves=False):
        self.serves = serves
        self.reader, self.writer, self.outgoing = Reader(incoming), None, outgoing
        self.epoch, self.peer = wire.new_epoch(), 0
        self.scanner, self.assembly = wire.Scanner(), wire.Assembly()
        self.control, self.data = collections.deque(), collections.deque()
        self.hangs_up = False  # once everything is written
        self.rest, self.rest_of = b"", None  # of a frame that was written in part, and its lane

    def push(self, kind, to, ident, body):
        lane = self.data if kind in (REQUEST, REPLY, FAILURE) else self.control
        lane.extend(wire.frames(kind, self.epoch, to, ident, body))

    def take_back(self, to, ident):
        """Removes the frames of one call that nothing was written of."""
        key = struct.pack("<QQ", to, ident)
        left = [frame for frame in self.data if frame[20:36] != key]
        self.data.clear(), self.data.extend(left)

    def turn(self, wait):
        """Moves bytes, waiting at most so many seconds for it; the events that came.

        Raises PeerGone where the peer has left that read from us."""
        unwritten = bool(self.rest or self.control or self.data)
        if unwritten and self.writer is None:
            self.writer = try_open(self.outgoing, os.O_WRONLY)
            wait = wait if self.writer is not None else min(wait, RETRY)
        poll = select.poll()
        poll.register(self.reader.fd, select.POLLIN)
        if self.writer is not None:
            poll.register(self.writer, select.POLLOUT if unwritten else 0)
        ready = dict(poll.poll(max(0, wait) * 1000))
        events = self._hear(self.reader.read(ready.get(self.reader.fd, 0)))
        written = self._write()
        if self.hangs_up and not (self.rest or self.control or self.data):
            self.hangs_up = False
            if self.writer is not None:
                os.close(self.writer)
            self.writer = None
        if ready.get(self.writer, 0) & select.POLLERR or not written:
            os.close(self.writer)
            self.writer, self.peer, self.rest = None, 0, b""
            self.epoch = self.epoch if self.serves else wire.new_epoch()
            self.control.clear(), self.data.clear()
            raise PeerGone("nobody reads any more")
        return events

    def _write(self):
        try:
            while self.writer is not None and (self.rest or self.control or self.data):
                lane = self.rest_of if self.rest else self.control or self.data
                count = os.write(self.writer, self.rest or lane[0])
                self.rest, self.rest_of = (self.rest or lane.popleft())[count:], lane
        except BlockingIOError:
            pass
        except BrokenPipeError:
            return False
        return True

    def _hear(self, more):
        if more is None:
            self.peer, self.epoch = 0, self.epoch if self.serves else wire.new_epoch()
        events = []
        for frame in self.scanner.scan(more or b""):
            if isinstance(frame, wire.Frame) and frame.to in (0, self.epoch):
                body = self.assembly.add(frame)
                if body is not None and frame.kind != wire.DATA:
                    events.append(frame._replace(payload=body))
                    self.peer = frame.epoch if frame.to else self.peer
                if body is not None and frame.kind == PING:
                    self.push(PONG, frame.epoch, frame.id, body)
        return events


class Server:
    """Answers requests: bytes in, bytes out."""

    def __init__(self, directory, name):
        paths = [os.path.join(directory, f"{name}.{way}.fifo") for way in ("in", "out")]
        self.link, self.asked = Link(*paths, serves=True), collections.deque()
        self.leaving = 0  # the life that has said goodbye

    def serve(self, handler, until=lambda: False):
        while not until():
            try:
                events = self.link.turn(0 if self.asked else 0.1)
            except PeerGone:  # the next client may come
                continue
            for event in events:
                if event.kind == REQUEST and len(event.payload) >= HEAD.size:
                    self.asked.append(event)
                elif event.kind == CANCEL:
                    self._cancel(event.epoch, event.id)
                elif event.kind == GOODBYE:
                    self.leaving = event.epoch
            if self.asked:
                self._answer(self.asked.popleft(), handler)
            elif self.leaving:
                self.link.push(GOODBYE, self.leaving, 0, b"")
                self.leaving, self.link.hangs_up = 0, True

    def _cancel(self, epoch, number):
        """Drops a request that waits. Replies are queued whole, and go out before the answer."""
        begun = self.link.assembly.open.pop((epoch, number), None) is not None
        asked = [a for a in self.asked if (a.epoch, a.id) != (epoch, number)]
        waited = begun or len(asked) < len(self.asked)
        self.asked = collections.deque(asked)
        self.link.take_back(epoch, number)
        self.link.push(CANCELLED, epoch, number, bytes([WAITED if waited else NOTHING]))

    def _answer(self, request, handler):
        micros, stamp, asks = HEAD.unpack_from(request.payload)
        age = max(0, time.monotonic_ns() - stamp) // 1000 if stamp else 0
        if micros != wire.ENDLESS and age >= micros:
            return
        try:
            if asks & ~(QUIET | WINDOW):
                return self._fail(request, 11, "this server knows of no such option")
            message_at = HEAD.size + (WINDOW_LEN if asks & WINDOW else 0)
            kind, body = REPLY, handler(request.payload[message_at:])
        except Exception as error:  # the caller is told, and the server goes on
            kind, body = FAILURE, CODE.pack(1) + str(error).encode()[:2048]
        if not asks & QUIET:
            self.link.push(kind, request.epoch, request.id, body)

    def _fail(self, request, code, words):
        self.link.push(FAILURE, request.epoch, request.id, CODE.pack(code) + words.encode())


class Client:
    """Calls a server, one call at a time."""

    def __init__(self, directory, name):
        paths = [os.path.join(directory, f"{name}.{way}.fifo") for way in ("out", "in")]
        self.link, self.last_id = Link(*paths), 0

    def call(self, request, timeout=30.0):
        head = HEAD.pack(int(timeout * 1e6), time.monotonic_ns(), 0)
        return self._ask(REQUEST, head + request, timeout)

    def ping(self, timeout=30.0):
        self._ask(PING, b"", timeout)

    def _ask(self, kind, body, timeout):
        link, deadline = self.link, time.monotonic() + timeout
        try:
            link.turn(0)  # a server that has left meanwhile is noticed before it is addressed
        except PeerGone:
            pass
        self.last_id += 1
        link.push(kind, link.peer, self.last_id, body)
        whole = len(link.data)
        try:
            while (wait := deadline - time.monotonic()) > 0:
                known = link.peer
                for event in link.turn(wait):
                    if event.id == self.last_id and event.kind in (REPLY, PONG):
                        return event.payload
                    if event.id == self.last_id and event.kind == FAILURE:
                        code, words = CODE.unpack_from(event.payload)[0], event.payload[2:]
                        raise CallFailed(code, words.decode(errors="replace"))
                if known and not link.peer:
                    raise PeerGone("the server has left")
            raise TimeoutError("no reply in time")
        finally:
            self._give_up(whole)

    def _give_up(self, whole):
        """What of the request is still unwritten never will be."""
        link, left = self.link, len(self.link.data)
        link.data.clear()
        cut = bool(link.rest) and link.rest_of is link.data
        if cut:
            link.rest = wire.void(link.rest)
        if cut or 0 < left < whole:
            link.push(CANCEL, link.peer, self.last_id, b"")


def fail(_request):
    raise ValueError("the handler fails")


def main(what, directory, name, option=None):
    if what == "serve":
        handlers = {"echo": bytes, "upper": bytes.upper, "fail": fail}
        return Server(directory, name).serve(handlers[option or "echo"])
    client, timeout = Client(directory, name), float(option or 30)
    if what == "call":
        return sys.stdout.buffer.write(client.call(sys.stdin.buffer.read(), timeout))
    return client.ping(timeout)


if __name__ == "__main__":
    main(*sys.argv[1:])
