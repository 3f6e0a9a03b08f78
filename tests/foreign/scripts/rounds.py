"""Comes late, again and again: rounds.py PATH blocking|nonblocking

For each line on its input: waits 20 ms, opens the FIFO, waits for its writer to come and leave,
and says when it began to open.
"""

import os
import select
import sys
import time

path, way = sys.argv[1:]
for _ in sys.stdin:
    time.sleep(0.02)
    began = time.monotonic_ns()
    fd = os.open(path, os.O_RDONLY | (os.O_NONBLOCK if way == "nonblocking" else 0))
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()
    os.close(fd)
    print("opening", began, flush=True)
