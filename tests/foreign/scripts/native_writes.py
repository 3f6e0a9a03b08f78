"""Sends each line of its input, which is in hexadecimal, as one native message: PATH"""

import sys

from fifowire_oneway import send

for line in sys.stdin:
    send(sys.argv[1], bytes.fromhex(line))
