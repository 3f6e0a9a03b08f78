"""The frames of docs/PROTOCOL.md: bytes to meaning and back, without any input or output."""

import collections
import os
import struct
import zlib

MAGIC, VERSION, MAX_FRAME = bytes.fromhex("F146578D"), 1, 65536
HEADER = struct.Struct("<4sBBHIQQQ")  # magic, version, kind, flags, length, epoch, to, id
TRAILER, PART, LENGTH = struct.Struct("<I"), struct.Struct("<II"), struct.Struct("<I")
HEAD, CODE, ENDLESS = struct.Struct("<QQH"), struct.Struct("<H"), 2**64 - 1
QUIET, WINDOW, WINDOW_LEN = 1, 4, 4  # what a request may ask for
DATA, REQUEST, REPLY, FAILURE, CANCEL, CANCELLED, PING, PONG, GOODBYE = range(1, 10)
ITEM, END, CREDIT = range(10, 13)
PART_FLAG, MASKED_FLAG, MASK_LEN = 1, 2, 4
MAX_MESSAGE, MAX_OPEN = 16 << 20, 64

Frame = collections.namedtuple("Frame", "kind flags epoch to id payload")
Skip = collections.namedtuple("Skip", "length reason")


def new_epoch():
    """64 random bits without the byte that the magic starts with."""
    random = os.urandom(8).replace(MAGIC[:1], b"\0")
    return int.from_bytes(random, "little") or 1


def xor(data, mask):
    repeated = (mask * (len(data) // MASK_LEN + 1))[: len(data)]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")
    return mixed.to_bytes(len(data), "little")


def encode(kind, epoch, to, ident, payload, flags=0, mask=b""):
    """One frame, masked where it must be."""
    while True:
        flags |= MASKED_FLAG if mask else 0
        body = mask + xor(payload, mask) if mask else payload
        frame = HEADER.pack(MAGIC, VERSION, kind, flags, len(body), epoch, to, ident) + body
        frame += TRAILER.pack(zlib.crc32(frame))
        if MAGIC not in frame[1:] and not frame.endswith((MAGIC[:1], MAGIC[:2], MAGIC[:3])):
            return frame
        mask = os.urandom(MASK_LEN)


def frames(kind, epoch, to, ident, body, limit=MAX_FRAME):
    """The frames that carry a body: one, or as many parts as it takes."""
    room = limit - HEADER.size - MASK_LEN - TRAILER.size
    if len(body) <= room:
        return [encode(kind, epoch, to, ident, body)]
    room -= PART.size
    pieces = ((at, body[at : at + room]) for at in range(0, len(body), room))
    parts = (PART.pack(at, len(body)) + piece for at, piece in pieces)
    return [encode(kind, epoch, to, ident, part, PART_FLAG) for part in parts]


def data_frames(epoch, ident, message, limit):
    """The frames that carry one message one way."""
    item = LENGTH.pack(len(message)) + message
    if len(item) <= limit - HEADER.size - MASK_LEN - TRAILER.size:
        return [encode(DATA, epoch, 0, ident, item)]
    return frames(DATA, epoch, 0, ident, message, limit)


def messages(payload):
    """The messages of a data frame that is no part, up to a length that cannot be."""
    at = 0
    while at + LENGTH.size <= len(payload):
        start = at + LENGTH.size
        at = start + LENGTH.unpack_from(payload, at)[0]
        if at > len(payload):
            return
        yield payload[start:at]


def void(rest):
    """The unwritten rest of a frame whose sender gave up: it ends in time and is never believed."""
    last = rest[-1] ^ (2 if rest[-1] ^ 1 == MAGIC[3] else 1)
    return rest[:-1] + bytes([last])


class Scanner:
    """Bytes in, frames and skips out."""

    def __init__(self):
        self.unread = bytearray()

    def scan(self, more=b""):
        self.unread += more
        while found := self._next():
            yield found

    def _next(self):
        unread = self.unread
        if not unread.startswith(MAGIC):
            at = unread.find(MAGIC)
            if at < 0:
                kept = next((n for n in (3, 2, 1) if unread.endswith(MAGIC[:n])), 0)
                at = len(unread) - kept
            return self._skip(at, "garbage") if at else None
        length = HEADER.unpack_from(unread)[4] if len(unread) >= HEADER.size else 0
        used = HEADER.size + length + TRAILER.size
        if used > MAX_FRAME:
            return self._skip(len(MAGIC), "torn")
        if len(unread) < used:
            at = unread.find(MAGIC, len(MAGIC))
            return self._skip(at, "torn") if at > 0 else None
        frame = bytes(unread[: used - TRAILER.size])
        if TRAILER.pack(zlib.crc32(frame)) != unread[len(frame) : used]:
            return self._skip(len(MAGIC), "torn")
        _, version, kind, flags, _, epoch, to, ident = HEADER.unpack_from(frame)
        payload = frame[HEADER.size :]
        known = version == VERSION and DATA <= kind <= CREDIT and flags <= 3
        if not known or (flags & MASKED_FLAG and length < MASK_LEN):
            return self._skip(used, "unknown")
        if flags & MASKED_FLAG:
            payload = xor(payload[MASK_LEN:], payload[:MASK_LEN])
        del unread[:used]
        return Frame(kind, flags, epoch, to, ident, payload)

    def _skip(self, count, reason):
        del self.unread[:count]
        return Skip(count, reason)


class Assembly:
    """Bodies put together from parts, by the epoch and the id of their frames."""

    def __init__(self):
        self.open = {}

    def add(self, frame):
        """The body that this frame is or completes; None where there is none yet."""
        if not frame.flags & PART_FLAG:
            return frame.payload
        key = (frame.epoch, frame.id)
        have = self.open.pop(key, bytearray())
        if len(frame.payload) < PART.size:
            return None
        offset, total = PART.unpack_from(frame.payload)
        have = bytearray() if offset == 0 else have  # the next body under this id
        in_step = offset == len(have)
        have += frame.payload[PART.size :]
        if not in_step or not len(have) <= total <= MAX_MESSAGE:
            return None
        if len(have) == total:
            return bytes(have)
        self.open[key] = have
        if len(self.open) > MAX_OPEN:
            del self.open[next(iter(self.open))]
        return None
