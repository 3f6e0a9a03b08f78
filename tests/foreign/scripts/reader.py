"""Reads a FIFO to its end: reader.py PATH DELAY blocking|nonblocking

Says "ready", comes DELAY seconds late, and says when it opened, how much it read, and its CRC-32.
"""

import os
import select
import sys
import time
import zlib

path, delay, way = sys.argv[1:]
print("ready", flush=True)
time.sleep(float(delay))
print("opening", time.monotonic_ns(), flush=True)
fd = os.open(path, os.O_RDONLY | (os.O_NONBLOCK if way == "nonblocking" else 0))
poll = select.poll()
poll.register(fd, select.POLLIN)
data = b""
while True:
    poll.poll()
    piece = os.read(fd, 65536)
    if not piece:
        break
    data += piece
print("read", len(data), flush=True)
print("crc", zlib.crc32(data), flush=True)
