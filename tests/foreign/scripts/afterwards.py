"""A reader that comes when all is over: afterwards.py PATH SECONDS

Counts what reaches it within SECONDS, whoever opens the FIFO meanwhile.
"""

import os
import select
import sys
import time

fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
poll = select.poll()
poll.register(fd, select.POLLIN)
until = time.monotonic() + float(sys.argv[2])
count = 0
while (left := until - time.monotonic()) > 0:
    # Once a writer has come and gone this returns at once; the loop then spins until the end.
    poll.poll(left * 1000)
    try:
        count += len(os.read(fd, 65536))
    except BlockingIOError:
        pass
print("read", count, flush=True)
