#!/usr/bin/env python3
# timeout: 60
"""fastopen.py - TCP Fast Open by unmodified programs: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN of a listener.

A client in a lab, whose server may take text on a SYN, connects in the ways Linux offers; what comes back, what TCP_INFO says and what
the capture shows must agree: without a cookie the text follows the handshake, with one it is on the SYN.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: folab
topology:
  nodes:
    home: {kind: host}
    far: {kind: host, sysctl: {tcp_fastopen: 3}}
    plain: {kind: host, sysctl: {tcp_fastopen: 0}}
  links:
    - endpoints: ["home:eth1", "far:eth1"]
      impairments: {delay: 100ms}
    - endpoints: ["plain:eth1", "far:eth2"]
"""
SERVER = r"""
import socket
l = socket.socket(); l.setsockopt(6, 23, 16); l.bind(("", 9)); l.listen(5)
print("ready", flush=True)
while True:
    s, _ = l.accept()
    got = b""
    while b"\n" not in got:
        got += s.recv(65536)
    s.sendall(b"%d %d\n" % (len(got), bool(s.getsockopt(6, 11, 104)[5] & 32)))
    s.close()
    if got == b"end\n": break
"""
CLIENT = r"""
import errno, json, select, socket, sys, time
FASTOPEN, DONTWAIT, to, out = 0x20000000, 0x40, (sys.argv[1], 9), {}
def case(name, f):
    s = socket.socket(); s.settimeout(None)
    began = time.monotonic()
    try:
        r = f(s)
    except OSError as e:
        r = errno.errorcode[e.errno]
    took = time.monotonic() - began
    answer = ""
    if r not in ("EOPNOTSUPP", "ECONNREFUSED"):
        if r == "EINPROGRESS":
            select.select([], [s], [], 5); s.setblocking(True); s.sendall(b"late\n")
        answer = s.makefile().readline().split()
        answer.append(bool(s.getsockopt(6, 11, 104)[5] & 32))
    s.close()
    out[name] = [r, answer, round(took, 4)]
text = b"x" * 99 + b"\n"
def connected(s):
    s.setsockopt(6, 30, 1); s.connect(to); s.sendall(text); return "sent"
def nonblocking(s):
    s.setblocking(False); r = s.sendto(text, FASTOPEN, to); s.setblocking(True); return r
case("nonblocking without a cookie", nonblocking)
case("blocking with one", lambda s: s.sendto(text, FASTOPEN, to))
case("nonblocking with one", nonblocking)
case("sendmsg", lambda s: s.sendmsg([b"ab", b"cd\n"], [], FASTOPEN, to))
case("more than a SYN holds", lambda s: s.sendto(b"y" * 4999 + b"\n", FASTOPEN, to))
case("TCP_FASTOPEN_CONNECT", connected)
case("nobody there", lambda s: s.sendto(text, FASTOPEN, (to[0], 10)))
s = socket.socket(); s.connect(to)
try: s.sendto(text, FASTOPEN, to); out["connected"] = "sent"
except OSError as e: out["connected"] = errno.errorcode[e.errno]
s.sendall(b"end\n"); s.recv(10)
print(json.dumps(out))
"""
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


def check(out, capture):
    want = {"nonblocking without a cookie": ["EINPROGRESS", ["5", "0", False]], "blocking with one": [100, ["100", "1", True]],
            "nonblocking with one": [100, ["100", "1", True]], "sendmsg": [5, ["5", "1", True]],
            "more than a SYN holds": [5000, ["5000", "1", True]], "TCP_FASTOPEN_CONNECT": ["sent", ["100", "1", True]],
            "nobody there": ["ECONNREFUSED", ""]}
    for name, (result, answer) in want.items():
        case(f"{name}: returns {result}, far got {answer[0] if answer else 'nothing'}, text on the SYN: {bool(answer and answer[2])}",
             out[name][:2] == [result, answer], out[name])
    case("who does not block, does not wait for the answer", out["nonblocking with one"][2] < 0.15, out["nonblocking with one"])
    case("who blocks waits for the handshake, as in Linux",
         all(0.195 < out[w][2] < 5 for w in ("blocking with one", "more than a SYN holds")), out)
    case("a connected socket: EISCONN", out["connected"] == "EISCONN", out["connected"])
    with open(capture, "rb") as f:
        syns = f.read().count(b"syn-data: ")
    case("the capture shows six SYNs with text: one to nobody", syns == 6, syns)


def main():
    work = tempfile.mkdtemp()
    os.mkdir(os.path.join(work, "run"), 0o700)
    os.environ["XDG_RUNTIME_DIR"] = os.path.join(work, "run")
    topology, capture = os.path.join(work, "lab.yaml"), os.path.join(work, "t.pcapng")
    with open(topology, "w", encoding="utf-8") as f:
        f.write(LAB)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(VIA, "-q", "lab", "up", "-d", "--pcapng", capture, "-t", topology)
        exec_in = [VIA, "-q", "lab", "exec", "folab"]
        server = subprocess.Popen([*exec_in, "far", "--", sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        server.stdout.readline()
        off = json.loads(run(*exec_in, "plain", "--", sys.executable, "-c", "import socket, json\ns = socket.socket()\n"
                             "try: s.sendto(b'x', 0x20000000, ('far.lab', 9)); print(0)\nexcept OSError as e: print(e.errno)"))
        case("where it is off: EOPNOTSUPP", off == 95, off)
        far = json.loads(run(VIA, "-j", "lab", "inspect", "folab"))
        ports = {i["name"]: i["addresses"] for v in far["nodes"] if v["name"] == "far" for i in v["interfaces"]}
        address = ports["eth1"][0].split("/")[0]
        out = json.loads(run(*exec_in, "home", "--", sys.executable, "-c", CLIENT, address))
        server.wait(10)
        run(VIA, "-q", "lab", "down", "folab")
        check(out, capture)
    finally:
        subprocess.run([VIA, "-q", "lab", "down", "folab"], stderr=subprocess.DEVNULL, timeout=20, check=False)
        shutil.rmtree(work)
    print(f"1..{n}")


if __name__ == "__main__":
    main()
