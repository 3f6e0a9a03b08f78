"""Puts a regular file where a FIFO is expected: file.py PATH DELAY"""

import os
import sys
import time

path = sys.argv[1]
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
if os.path.exists(path):
    os.unlink(path)
with open(path, "w") as file:
    file.write("precious\n")
    # As closed as a FIFO has to be: that it is no FIFO is all that is wrong with it.
    os.fchmod(file.fileno(), 0o600)
os.utime(path, (978307200, 978307200))
print("done", flush=True)
