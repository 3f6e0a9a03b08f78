"""The bot as a native server: native_bot.py DIRECTORY NAME [LATE [STALL]]

Comes LATE seconds late, then reads nothing for STALL seconds. Requests are bytes: echo BYTES,
late SECONDS BYTES, fail WORDS, count (requests so far), quit.
"""

import sys
import time

from fifowire_peer import Server

directory, name, *rest = sys.argv[1:]
late, stall = [float(seconds) for seconds in rest] + [0.0] * (2 - len(rest))
requests = 0
done = False


def obey(request):
    global requests, done
    requests += 1
    verb, _, text = request.partition(b" ")
    if verb == b"late":
        seconds, _, text = text.partition(b" ")
        time.sleep(float(seconds))
    elif verb == b"fail":
        raise ValueError(text.decode())
    elif verb == b"count":
        return b"%d" % requests
    elif verb == b"quit":
        done = True
    return text


def replied():
    link = server.link
    return done and not (link.rest or link.control or link.data)


print("ready", flush=True)
time.sleep(late)
server = Server(directory, name)
print("open", flush=True)
time.sleep(stall)
server.serve(obey, until=replied)
