#!/usr/bin/env python3
# timeout: 60
"""ss.py - `via ss` prints what the real ss prints of the same sockets, and the real ss and nstat read what --export writes.

A lab with an echo connection held open, one closed (TIME-WAIT) and listeners; the real ss reads tcp.diag (all of tcp_info as
netlink messages) and net/tcp. Times since something move between two calls and are masked.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: sstest
topology:
  nodes:
    home: {kind: host}
    far: {kind: host, services: {echo: {port: 7}, dns: {}}}
  links:
    - endpoints: ["home:eth1", "far:eth1"]
      impairments: {delay: 5ms}
"""
MOVING = re.compile(r"(lastsnd|lastrcv|lastack):\d+|timer:\((\w+),[^,]*,")
n = 0


def case(name, ok, *why):
    global n
    n += 1
    print(f"{'ok' if ok else 'not ok'} {n} - {name}")
    for w in [] if ok else why:
        for line in str(w).splitlines()[:30]:
            print(f"# {line}")
    sys.stdout.flush()


def run(*args, env=None, status=0):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, env={**os.environ, **(env or {})})
    if r.returncode != status:
        raise SystemExit(f"Bail out! {args}: status {r.returncode}: {r.stderr}")
    return r.stdout if status == 0 else r.stderr


def words(text):
    """Lines of words, what moves masked; blanks mean nothing in ss's columns."""
    text = MOVING.sub(lambda m: f"{m[1] or 'timer ' + m[2]}", text)
    return [line.split() for line in text.replace("PortProcess", "Port").splitlines() if line.split()]


def tests(work):
    home = [VIA, "-n", "home", "ss"]
    out = os.path.join(work, "export")
    held = subprocess.Popen([VIA, "-q", "lab", "exec", "sstest", "home", "--", sys.executable, "-c",
                             "import socket, sys\n"
                             "a = socket.create_connection(('far.lab', 7)); a.sendall(b'x' * 5000); n = 0\n"
                             "while n < 5000: n += len(a.recv(5000))\n"
                             "b = socket.create_connection(('far.lab', 7)); b.close()\n"
                             "c = socket.socket(); c.bind(('', 8080)); c.listen(5)\n"
                             "d = socket.socket(); d.setsockopt(6, 13, b'bbr'); d.connect(('far.lab', 7)); d.sendall(b'y' * 50000); n = 0\n"
                             "while n < 50000: n += len(d.recv(50000))\n"
                             "print(len(d.getsockopt(6, 26, 104)), len(a.getsockopt(6, 26, 104)), len(a.getsockopt(6, 11, 512)))\n"
                             "print('ready', flush=True); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lengths = held.stdout.readline().split()
    held.stdout.readline()
    time.sleep(0.3)
    run(*home, "--export", out)
    real = {"PROC_ROOT": out, "TCPDIAG_FILE": os.path.join(out, "tcp.diag")}
    for flags in ("-tan", "-tain", "-taino", "-tai"):
        ours, theirs = words(run(*home, flags)), words(run("ss", flags, env=real))
        case(f"via ss {flags} prints what ss {flags} prints", ours == theirs and len(ours) > 3, "ours:", ours, "ss:", theirs)
    proc = {"PROC_ROOT": out}
    for flags in ("-tn", "-tan", "-tln", "-uan", "-tuan"):
        ours, theirs = words(run(*home, flags)), words(run("ss", flags, env=proc))
        case(f"via ss {flags} prints what ss {flags} reads from net/tcp and net/udp", ours == theirs and len(ours) > 1,
             "ours:", ours, "ss:", theirs)
    case("TCP_CC_INFO has 20 bytes for bbr, none for cubic; TCP_INFO is as long as Linux's", lengths == ["20", "0", "280"], lengths)
    info = run(*home, "-tin")
    bbr = re.search(r"bbr:\(bw:(\d+)bps,mrtt:([\d.]+),pacing_gain:([\d.]+),cwnd_gain:([\d.]+)\)", info)
    case("bbr tells its model: some Mbit/s, the 10 ms of the path, its gains",
         bbr and float(bbr[1]) > 1e6 and 10 <= float(bbr[2]) < 30 and 0.5 <= float(bbr[3]) < 3 and 0.5 <= float(bbr[4]) < 3, info)
    case("counters of both directions",
         all(w in info for w in ("data_segs_out:", "data_segs_in:", "delivered:", "busy:", "rcv_rtt:")), info)
    case("bytes and peers of the connection held", all(w in info for w in ("bytes_sent:5000", "bytes_received:5000", ":7 ", "cubic")), info)
    socks = json.loads(run(VIA, "-j", "-n", "home", "ss", "-ta"))
    states = sorted(s["state"] for s in socks if s["local"] != "127.0.0.53")
    case("-j: two ESTABLISHED, one TIME-WAIT, one LISTEN", states == [1, 1, 6, 10], states)
    nstat = run("nstat", "-az", env={**proc, "NSTAT_HISTORY": os.path.join(work, "history")})
    got = {a: int(b) for a, b in re.findall(r"^(\w+) +(\d+)", nstat, re.M)}
    case("nstat: three active opens, no retransmission, as many segments as ss counts",
         got.get("TcpActiveOpens") == 3 and got.get("TcpRetransSegs") == 0 and
         got.get("TcpOutSegs", 0) > 6 and got.get("TcpInSegs", 0) > 6, nstat)
    both = run(VIA, "ss", "-tn")
    case("without -n all nodes are shown by name", {"home", "far"} <= {line[0] for line in words(both)}, both)
    case("summary", "estab 2" in run(*home, "-s"), run(*home, "-s"))
    for want, status, args in (("did you mean 'home'", 2, ["-n", "hom", "ss"]), ("say which", 2, ["ss", "--export", out]),
                               ("no lab named 'other'", 1, ["-n", "other:home", "ss"]), ("unknown option '-tx'", 2, ["ss", "-tx"]),
                               ("cannot make the folder", 1, ["-n", "home", "ss", "--export", "/proc/none"])):
        err = run(VIA, *args, status=status)
        case(f"via {' '.join(args).replace(out, 'DIR')}: one sentence, status {status}", want in err and err.count("\n") == 1, err)
    held.stdin.close()
    held.wait(10)
    run(VIA, "-q", "lab", "down", "sstest")
    case("no lab up: one sentence", "no lab is up" in run(VIA, "ss", status=1))


# Sockets of IPv6: one of each kind that ss tells apart.
SIX = """
import socket as s
def six(kind, port, only=False, to=None):
    x = s.socket(s.AF_INET6, kind)
    x.setsockopt(s.IPPROTO_IPV6, s.IPV6_V6ONLY, only)
    if to: x.connect(to)
    else: x.bind(port)
    if kind == s.SOCK_STREAM and not to: x.listen(7)
    return x
both, only, near = six(1, ('::', 5000)), six(1, ('::', 5001), True), six(1, ('::1', 5002))
a, b = six(1, 0, to=('::1', 5000)), s.create_connection(('127.0.0.1', 5000))
e, f = both.accept()[0], both.accept()[0]
u = [six(2, ('::', 6000)), six(2, ('::', 6001), True), six(2, 0, to=('::1', 6000)), six(2, ('::1', 6002))]
"""


def tests_run(work):
    """No lab is up: the program of a `via run` is asked."""
    run_it = [VIA, "-q", "run", "--", sys.executable, "-c",
              "import socket, sys\n"
              "l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)\n"
              "c = socket.create_connection(('127.0.0.1', 8080)); s, _ = l.accept(); c.sendall(b'x' * 1000)\n"
              "print(len(s.recv(1000)), flush=True); sys.stdin.read()"]
    six = [*run_it[:-1], SIX + run_it[-1]]
    first = subprocess.Popen(run_it, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first.stdout.readline()
    out = words(run(VIA, "ss", "-tan"))
    case("via ss finds the only via run", sorted(r[0] for r in out[1:]) == ["ESTAB", "ESTAB", "LISTEN"], out)
    case("its TCP_INFO", "bytes_sent:1000" in run(VIA, "ss", "-tin"))
    folder = os.path.join(work, "run-export")
    run(VIA, "ss", "--export", folder)
    real = {"PROC_ROOT": folder, "TCPDIAG_FILE": os.path.join(folder, "tcp.diag")}
    ours, theirs = words(run(VIA, "ss", "-tain")), words(run("ss", "-tain", env=real))
    case("and the real ss reads its export", ours[1:] == theirs[1:] and len(ours) > 3, "ours:", ours, "ss:", theirs)
    case("it is no lab", run(VIA, "lab", "ls") == "", run(VIA, "lab", "ls"))
    err = run(VIA, "lab", "down", f"run-{first.pid}", status=1)
    case("and cannot be taken down as one", "not a lab" in err and first.poll() is None, err)
    second = subprocess.Popen(run_it, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    second.stdout.readline()
    err = run(VIA, "ss", status=1)
    case("of two, one must be named", "2 programs" in err and err.count("\n") == 1, err)
    case("by its number", "ESTAB" in run(VIA, "-n", f"run-{second.pid}:", "ss", "-tn"))
    for p in (first, second):
        p.stdin.close()
        p.wait(10)
    tests_six(six, os.path.join(work, "six"))
    case("afterwards there is none", "no lab is up" in run(VIA, "ss", status=1))


def tests_six(six, folder):
    """Sockets of IPv6, and those that take both families."""
    p = subprocess.Popen(six, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    run(VIA, "ss", "--export", folder)
    proc, diag = {"PROC_ROOT": folder}, os.path.join(folder, "tcp.diag")
    for flags in ("-tan", "-tain"):
        ours, theirs = words(run(VIA, "ss", flags))[1:], words(run("ss", flags, env={**proc, "TCPDIAG_FILE": diag}))[1:]
        case(f"of IPv6 via ss {flags} prints what ss {flags} prints", ours == theirs and len(ours) > 9, "ours:", ours, "ss:", theirs)

    def places(text):
        """Without who takes IPv4, too, of which the files say nothing."""
        return sorted([re.sub(r"^(\*|\[::\]):", "any:", word) for word in row] for row in words(text)[1:])
    for flags, least in (("-uan", 4), ("-6tan", 6), ("-4tan", 3)):
        ours, theirs = places(run(VIA, "ss", flags)), places(run("ss", flags, env=proc))
        case(f"ss {flags} reads them from net/tcp6 and udp6", ours == theirs and len(ours) >= least, "ours:", ours, "ss:", theirs)
    case("both families, one of them, and a peer of IPv4", {"*:5000", "[::]:5001", "[::1]:5002", "[::ffff:127.0.0.1]:5000"} <= {
        r[3] for r in words(run(VIA, "ss", "-tan"))}, run(VIA, "ss", "-tan"))
    p.stdin.close()
    p.wait(10)


def main():
    work = tempfile.mkdtemp()
    os.mkdir(os.path.join(work, "run"), 0o700)
    os.environ["XDG_RUNTIME_DIR"] = os.path.join(work, "run")
    topology = os.path.join(work, "lab.yaml")
    with open(topology, "w", encoding="utf-8") as f:
        f.write(LAB)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(VIA, "-q", "lab", "up", "-d", "-t", topology)
        tests(work)
        tests_run(work)
    finally:
        subprocess.run([VIA, "-q", "lab", "down", "sstest"], stderr=subprocess.DEVNULL, timeout=20, check=False)
        shutil.rmtree(work)
    print(f"1..{n}")


if __name__ == "__main__":
    main()
