"""Receives COUNT native messages one way: native_reads.py PATH COUNT"""

import sys
import zlib

from fifowire_oneway import receive

messages = receive(sys.argv[1])
for _ in range(int(sys.argv[2])):
    message = next(messages)
    print("read", len(message), flush=True)
    print("crc", zlib.crc32(message), flush=True)
