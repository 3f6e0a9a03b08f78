"""Holds a FIFO open and reads only when told: stalled.py PATH

Lines on its input: "holds" (say how many bytes the pipe holds), "drain SECONDS" (read to the end,
that much later), "leave".
"""

import array
import fcntl
import os
import select
import sys
import termios
import time

fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "holds":
        held = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, held)
        print("holds", held[0], flush=True)
    elif word == "drain":
        print("asleep", flush=True)
        time.sleep(float(rest[0]))
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        count = 0
        while True:
            poll.poll()
            piece = os.read(fd, 65536)
            if not piece:
                break
            count += len(piece)
        print("read", count, flush=True)
    elif word == "leave":
        break
