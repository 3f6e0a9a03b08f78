"""Writes half a line and leaves: half.py PATH"""

import os
import sys

fd = os.open(sys.argv[1], os.O_WRONLY)
os.write(fd, b"half a re")
os.close(fd)
print("written", flush=True)
