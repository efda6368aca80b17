#!/usr/bin/env python3
# timeout: 60
"""comments.py - why each segment was sent, held back, found lost or dropped, as tshark shows it (frame.comment).

A lab with two programs: bulk over a lossy, duplicating link; a small write that Nagle holds; a reader that sleeps. Then the capture is
read with tshark, and each comment is checked against what the frames themselves show.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: whylab
topology:
  nodes:
    home: {kind: host}
    mid: {kind: router}
    far: {kind: host}
  links:
    - endpoints: ["home:eth1", "mid:eth1"]
    - endpoints: ["mid:eth2", "far:eth1"]
      impairments: {delay: 15ms, loss: 2%, duplicate: 3%}
"""
SERVER = r"""
import socket, sys, time
l = socket.socket(); l.bind(("", 9)); l.listen(5)
k = socket.socket(); k.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192); k.bind(("", 10)); k.listen(5)
print("ready", flush=True)
for one, rest in ((l, 0), (l, 0), (k, 1.5)):
    s, _ = one.accept()
    time.sleep(rest)
    while s.recv(65536): pass
    s.close()
"""
CLIENT = r"""
import socket, time
def go(f, port=9):
    s = socket.socket(); s.connect(("far.lab", port)); f(s); s.shutdown(1); s.recv(1); s.close()
go(lambda s: s.sendall(b"b" * 1500000))
go(lambda s: [(s.send(b"small"), time.sleep(wait)) for wait in (0.005, 0.5)])
go(lambda s: s.sendall(b"w" * 1000000), 10)
"""
HELD = re.compile(r"was held ([\d.]+) ms by ([^;,]+)(?:, in the end by ([^;]+))?")
LOST = re.compile(r"was found lost ([\d.]+) ms before")
DROPPED = re.compile(r"(\w+) dropped it: .* \(([\w.]+)\)$")
n = 0


def case(name, ok, *why):
    global n
    n += 1
    print(f"{'ok' if ok else 'not ok'} {n} - {name}")
    for w in [] if ok else why:
        for line in str(w).splitlines()[:20]:
            print(f"# {line}")
    sys.stdout.flush()


def run(*args):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=40, check=False)
    if r.returncode:
        raise SystemExit(f"Bail out! {args}: status {r.returncode}: {r.stderr}")
    return r.stdout


def frames(path):
    text = run("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-e", "frame.interface_name", "-e", "frame.comment",
               "-e", "tcp.stream", "-e", "tcp.seq", "-e", "tcp.len", "-e", "frame.time_epoch")
    return [line.split("\t") for line in text.splitlines()]


def check(rows):
    mine = [r for r in rows if r[0] == "home:eth1" and r[4] and int(r[4]) > 0]
    case("each data segment of the sender says why it was sent", len(mine) > 1500 and all(re.match(r"[\w-]+: ", r[1]) for r in mine),
         [r for r in mine if not r[1]][:5])
    again = [r for r in mine if r[1].startswith("retransmit-") and not r[1].startswith("retransmit-tlp")]
    case("each repetition says how long before the copy was found lost", len(again) > 5 and all(LOST.search(r[1]) for r in again),
         [r[1] for r in again if not LOST.search(r[1])][:5])
    fresh = [r for r in mine if r[1].startswith("data:")]
    case("new data was not found lost", not any(LOST.search(r[1]) for r in fresh))
    held = [(r, m) for r in mine if (m := HELD.search(r[1]))]
    by = {m[3] or m[2] for _, m in held}
    case("held by cwnd, by the peer's window, by Nagle", {"the congestion window", "the peer's window", "Nagle's algorithm"} <= by, by)
    nagle = [float(m[1]) for r, m in held if r[2] == "1" and m[2] == "Nagle's algorithm"]
    case("Nagle held the second write for what was left of a round trip of 30 ms", len(nagle) == 1 and 1 < nagle[0] < 400, nagle)
    wnd = [float(m[1]) for r, m in held if r[2] == "2" and (m[3] or m[2]) == "the peer's window"]
    case("the sleeping reader's window held for a second", wnd and 500 < max(wnd) < 5000, sorted(wnd)[-3:])
    drops = [(r, m) for r in rows if (m := DROPPED.search(r[1]))]
    doubles = [r for r in rows if "duplicate: the link" in r[1] and r[4] and int(r[4]) > 0]
    case("what the link doubled, far dropped as a duplicate, and says so on that frame",
         doubles and sum(any(d[0] is r for d in drops) for r in doubles) > len(doubles) * 0.5, len(doubles), [d[0][1] for d in drops][:5])
    case("drops carry the node and the counter's name", drops and {m[1] for _, m in drops} <= {"home", "mid", "far"} and
         any(m[2] == "tcp.duplicate" for _, m in drops), [m[0] for _, m in drops][:5])


def main():
    work = tempfile.mkdtemp()
    os.mkdir(os.path.join(work, "run"), 0o700)
    os.environ["XDG_RUNTIME_DIR"] = os.path.join(work, "run")
    topology, capture = os.path.join(work, "lab.yaml"), os.path.join(work, "t.pcapng")
    with open(topology, "w", encoding="utf-8") as f:
        f.write(LAB)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if not shutil.which("tshark"):
        print("1..0 # SKIP tshark is not here")
        return
    try:
        run(VIA, "-q", "lab", "up", "-d", "-s", "3", "--pcapng", capture, "-t", topology)
        exec_in = [VIA, "-q", "lab", "exec", "whylab"]
        server = subprocess.Popen([*exec_in, "far", "--", sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        server.stdout.readline()
        run(*exec_in, "home", "--", sys.executable, "-c", CLIENT)
        server.wait(20)
        run(VIA, "-q", "lab", "down", "whylab")
        check(frames(capture))
    finally:
        subprocess.run([VIA, "-q", "lab", "down", "whylab"], stderr=subprocess.DEVNULL, timeout=20, check=False)
        shutil.rmtree(work)
    print(f"1..{n}")


if __name__ == "__main__":
    main()
