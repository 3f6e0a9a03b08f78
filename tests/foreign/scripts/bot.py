"""The bot in the container: text commands in, replies out, a line each: bot.py IN OUT

echo TEXT, late SECONDS TEXT, pieces, bytes, silent, quit.
"""

import os
import sys
import time

source, target = sys.argv[1:]


def reply(data):
    """Opens, writes and closes, as a script does."""
    fd = os.open(target, os.O_WRONLY)
    while data:
        data = data[os.write(fd, data):]
    os.close(fd)


def obey(line):
    verb, _, rest = line.rstrip(b"\n").partition(b" ")
    if verb == b"echo":
        reply(rest + b"\n")
    elif verb == b"late":
        seconds, _, text = rest.partition(b" ")
        time.sleep(float(seconds))
        reply(text + b"\n")
    elif verb == b"pieces":
        # 20 KB as one line, each 4 KiB of it with an open and a close of its own.
        for letter in b"abcd":
            reply(bytes([letter]) * 4096)
        reply(b"e" * 4095 + b"\n")
    elif verb == b"bytes":
        # Every byte there is, but for the one that ends a line.
        reply(bytes(byte for byte in range(256) if byte != 10) + b"\n")
    elif verb == b"quit":
        sys.exit(0)


print("ready", flush=True)
while True:
    with open(source, "rb") as commands:
        for command in commands:
            obey(command)
