#!/usr/bin/env python3
# timeout: 240
"""gateway.py - `via run -- CMD`: unmodified programs reach servers of this machine's loopback through the gateway.

The servers listen at 127.0.0.1 and are published inside as 203.0.113.7; gateway6.py runs cases of it with ::1. No network is needed
but loopback; what only a routing table can bring about (unreachable, prohibited) happens in a network namespace of its own, and is
left out where none can be made.
"""
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
V6 = os.environ.get("FAMILY") == "6"
AF = socket.AF_INET6 if V6 else socket.AF_INET
LOOPBACK, ANY = ("::1", "::") if V6 else ("127.0.0.1", "0.0.0.0")
PUBLISHED, GATE = ("2001:db8::7", "fd76:6961:6475::1") if V6 else ("203.0.113.7", "192.0.0.1")
MANY = 1000
BIG = 10_000_000 if V6 else 100_000_000
n = 0


def case(name, ok, *why):
    global n
    n += 1
    print(f"{'ok' if ok else 'not ok'} {n} - {name}")
    for w in [] if ok else why:
        for line in str(w).splitlines()[:30]:
            print(f"# {line}")
    sys.stdout.flush()


def big_chunks():
    """The same bytes every time, in pieces of many sizes."""
    block = hashlib.shake_256(b"gateway").digest(1 << 20)
    left, i = BIG, 0
    while left:
        size = min(left, 1 + (i * 7919) % len(block))
        yield block[:size]
        left -= size
        i += 1


def big_sum():
    h = hashlib.sha256()
    for c in big_chunks():
        h.update(c)
    return h.hexdigest()


# --- the servers: outside ---

class Server:
    """A TCP server at loopback; handle(connection) in a thread each."""

    def __init__(self, handle, backlog=1024, port=0):
        self.sock = socket.socket(AF)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((LOOPBACK, port))
        self.sock.listen(backlog)
        self.port = self.sock.getsockname()[1]
        self.url = f"http://{f'[{PUBLISHED}]' if V6 else PUBLISHED}:{self.port}/"
        self.handle = handle
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c, _ = self.sock.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            self.handle(c)
        except OSError:
            pass
        c.close()


def read_all(c):
    parts = []
    while True:
        d = c.recv(1 << 18)
        if not d:
            return b"".join(parts)
        parts.append(d)


def serve_page(c):
    while b"\r\n\r\n" not in c.recv(4096):
        pass
    c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


def serve_up(c):
    h = hashlib.sha256()
    while True:
        d = c.recv(1 << 18)
        if not d:
            break
        h.update(d)
    c.sendall(h.hexdigest().encode())  # after the other side's end: half-closed


def serve_down(c):
    for piece in big_chunks():
        c.sendall(piece)


def serve_reset(c):
    """Some words, and a reset behind them."""
    c.recv(1)
    c.sendall(b"last words")
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def name_answer(query, by_tcp):
    """Of a name server: one.test is 192.0.2.1, both.test 2001:db8::7 too; large.test as one.test, but only by TCP; nothing else."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    known = labels[1:] == ["test"] and labels[0] in ("one", "large", "both")
    cut = known and labels[0] == "large" and not by_tcp
    flags = 0x8180 | (0x0200 if cut else 0) | (0 if known else 3)
    answers = []
    if known and not cut and kind == 1:
        answers = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])]
    elif known and kind == 28 and labels[0] == "both":
        answers = [b"\xc0\x0c" + struct.pack(">HHIH", 28, 1, 60, 16) + socket.inet_pton(socket.AF_INET6, "2001:db8::7")]
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0) + question + b"".join(answers)


def name_server(port=0):
    """At loopback, UDP and TCP. Its port, and what it was asked: b"udp", b"tcp"."""
    asked = []
    udp = socket.socket(AF, socket.SOCK_DGRAM)
    udp.bind((LOOPBACK, port))

    def by_udp():
        while True:
            q, who = udp.recvfrom(2000)
            asked.append("udp")
            udp.sendto(name_answer(q, False), who)

    def by_tcp(c):
        while head := c.recv(2, socket.MSG_WAITALL):
            q = c.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
            asked.append("tcp")
            a = name_answer(q, True)
            c.sendall(struct.pack(">H", len(a)) + a)
    threading.Thread(target=by_udp, daemon=True).start()
    Server(by_tcp, port=udp.getsockname()[1])
    return udp.getsockname()[1], asked


class Datagrams:
    """A UDP server at loopback that says what it was told, and from where it seemed to come."""

    def __init__(self):
        self.sock = socket.socket(AF, socket.SOCK_DGRAM)
        self.sock.bind((LOOPBACK, 0))
        self.port = self.sock.getsockname()[1]
        self.seen = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            d, who = self.sock.recvfrom(65536)
            self.seen.append(who)
            self.sock.sendto(b"to " + d, who)


class Told:
    """What a server saw of each connection: how it ended."""

    def __init__(self):
        self.ends = []
        self.lock = threading.Lock()
        self.open = 0

    def serve(self, c):
        with self.lock:
            self.open += 1
        end = "end"
        try:
            while c.recv(65536):
                pass
        except ConnectionResetError:
            end = "reset"
        with self.lock:
            self.ends.append(end)
            self.open -= 1

    def wait(self, ready, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self.lock:
                if ready(self):
                    return True
            time.sleep(0.02)
        return False


# --- the programs: inside ---

def inside_up(port):
    s = socket.create_connection((PUBLISHED, port), timeout=60)
    for piece in big_chunks():
        s.sendall(piece)
    s.shutdown(socket.SHUT_WR)
    print(read_all(s).decode())


def inside_down(port):
    h = hashlib.sha256()
    s = socket.create_connection((PUBLISHED, port), timeout=60)
    while True:
        d = s.recv(1 << 18)
        if not d:
            break
        h.update(d)
    print(h.hexdigest())


def inside_connect(*places):
    """The errno of connecting to each ADDRESS:PORT; 0: it went well."""
    for p in places:
        host, port = p.rsplit(":", 1)
        s = socket.socket(AF)
        s.settimeout(5)
        try:
            s.connect((host, int(port)))
            print(0)
        except socket.timeout:
            print("silence")
        except OSError as e:
            print(e.errno)
        s.close()


def inside_reset(port):
    s = socket.create_connection((PUBLISHED, port), timeout=20)
    s.sendall(b"x")
    got = b""
    try:
        while True:
            d = s.recv(100)
            if not d:
                print(got.decode(), "end")
                return
            got += d
    except OSError as e:
        print(got.decode(), e.errno)


def inside_resets(port):
    s = socket.create_connection((PUBLISHED, port), timeout=20)
    s.sendall(b"words")
    time.sleep(0.2)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def fill(s):
    """Bytes that a peer who reads nothing lets us send."""
    s.settimeout(2)
    total = 0
    try:
        while total < BIG:
            total += s.send(b"x" * 65536)
    except socket.timeout:
        pass
    return total


def inside_fills(port):
    print(fill(socket.create_connection((PUBLISHED, port), timeout=20)))


def inside_silent(port):
    s = socket.create_connection((PUBLISHED, port), timeout=20)
    s.sendall(b"go")
    time.sleep(4)


def inside_many(port, count, wait):
    socks = []
    poll = select.poll()
    for _ in range(count):
        try:
            s = socket.socket(AF)
        except OSError:  # its own descriptors, or via's
            continue
        s.setblocking(False)
        try:
            s.connect((PUBLISHED, port))
        except BlockingIOError:
            pass
        poll.register(s, select.POLLOUT)
        socks.append(s)
    waits = {s.fileno(): s for s in socks}
    good = 0
    until = time.monotonic() + 60
    while waits and time.monotonic() < until:
        for fd, _ in poll.poll(1000):
            poll.unregister(fd)
            s = waits.pop(fd)
            good += s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    print(good, os.getpid(), flush=True)
    if wait:
        time.sleep(60)


def inside_last(port):
    """Writes, closes, and is gone at once."""
    s = socket.create_connection((PUBLISHED, port), timeout=20)
    s.sendall(b"z" * 300_000)


def inside_datagrams(*ports):
    """One socket asks several servers and is answered by each; the last port is closed."""
    s = socket.socket(AF, socket.SOCK_DGRAM)
    s.settimeout(10)
    for p in ports[:-1]:
        s.sendto(b"%d" % p, (PUBLISHED, p))
        d, who = s.recvfrom(2000)
        print(d.decode(), who[0], who[1] == p)
    c = socket.socket(AF, socket.SOCK_DGRAM)
    c.settimeout(10)
    c.connect((PUBLISHED, ports[-1]))
    c.send(b"anybody?")
    try:
        print(c.recvfrom(100))  # not recv(): doc/door-limits.md
    except OSError as e:
        print(e.errno)


def inside_unreached(*places):
    """The errno that a datagram to each ADDRESS:PORT comes back with."""
    for p in places:
        host, port = p.rsplit(":", 1)
        s = socket.socket(AF, socket.SOCK_DGRAM)
        s.settimeout(5)
        try:
            s.connect((host, int(port)))
            s.send(b"x")
            print(s.recvfrom(100))
        except socket.timeout:
            print("silence")
        except OSError as e:
            print(e.errno)


def inside_names(*names):
    for name in names:
        try:
            print(socket.gethostbyname(name))
        except socket.gaierror as e:
            print(e.errno)


def inside_fetch(name, port):
    """Which address of the name answers first, as programs try them."""
    with socket.create_connection((name, port), timeout=20) as s:
        print(s.getpeername()[0])


def inside_serves(port):
    """A TCP and a UDP server on one port of the program's own host; each says who came, once."""
    s = socket.socket(AF)
    s.bind((ANY, port))
    u = socket.socket(AF, socket.SOCK_DGRAM)
    u.bind((ANY, port))
    s.listen(5)
    print("ready", flush=True)
    c, who = s.accept()
    c.sendall(b"%s said %s" % (who[0].encode(), read_all(c)))
    c.close()
    for _ in range(2):
        d, who = u.recvfrom(2000)
        u.sendto(b"%s said %s" % (who[0].encode(), d), who)


def inside_greets(port):
    s = socket.socket(AF)
    s.bind((ANY, port))
    s.listen(5)
    print("ready", flush=True)
    c, _ = s.accept()
    c.sendall(b"welcome")
    c.close()


def inside_served(port):
    """A name server in the namespace this runs in, while what follows runs."""
    name_server(port)
    sys.exit(subprocess.run(sys.argv[3:], check=False).returncode)


# --- the cases ---

def via(*args, options=(), timeout=100, wrap=(), **kw):
    return subprocess.run([*wrap, VIA, "-q", "run", "--host-loopback", PUBLISHED, *options, "--", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, **kw)


def program(name, *args, **kw):
    return via(sys.executable, os.path.abspath(__file__), name, *map(str, args), **kw)


def cases_of_bytes():
    web = Server(serve_page)
    r = via("curl", "-sS", web.url)
    case("curl, unmodified, through the gateway", r.stdout == "hello\n" and r.returncode == 0, r.stdout, r.stderr)
    t = time.monotonic()
    slow = ["--link", "delay=100ms,loss=1%,rate=50mbit"]
    r = via("curl", "-sS", "-w", "%{time_connect}", web.url, options=slow)
    took = float(r.stdout.partition("\n")[2] or 0)
    case("the link is as slow as it was asked for", r.stdout.startswith("hello\n") and 0.2 <= took < 5 and time.monotonic() - t >= 0.4, r)
    want = big_sum()
    for name, handle in (("up", serve_up), ("down", serve_down)):
        for options in ([], ["--link", "delay=1ms,loss=0.1%"]):
            r = program(name, Server(handle).port, options=options)
            case(f"{BIG // 1_000_000} MB {name}{' over a lossy link' if options else ''}, byte-exact", r.stdout.strip() == want,
                 r.stdout, r.stderr)


def cases_of_errors():
    closed = socket.socket(AF)
    closed.bind((LOOPBACK, 0))  # no listen(): refused
    port = closed.getsockname()[1]
    r = program("connect", f"{PUBLISHED}:{port}", f"{LOOPBACK}:{port}", f"{GATE}:80")
    case("refused outside is refused inside", r.stdout.split() == ["111", "111", "111"], r.stdout, r.stderr)
    listens = Server(serve_up).port
    r = subprocess.run([VIA, "-q", "run", "--", sys.executable, os.path.abspath(__file__), "connect", f"{LOOPBACK}:{listens}"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    case("the machine's loopback is out of reach", r.stdout.split() == ["111"], r.stdout, r.stderr)
    r = program("reset", Server(serve_reset).port, options=["--link", "delay=10ms"])
    case("reset outside, after what was said before it", r.stdout.strip() == "last words 104", r.stdout, r.stderr)
    told = Told()
    r = program("resets", Server(told.serve).port)
    case("reset inside is reset outside", told.wait(lambda t: t.ends) and told.ends == ["reset"], told.ends, r.stderr)


def cases_of_datagrams():
    a, b = Datagrams(), Datagrams()
    closed = socket.socket(AF, socket.SOCK_DGRAM)
    closed.bind((LOOPBACK, 0))
    port = closed.getsockname()[1]
    closed.close()
    r = program("datagrams", a.port, b.port, port, options=["--link", "delay=5ms"])
    want = [f"to {a.port} {PUBLISHED} True", f"to {b.port} {PUBLISHED} True", "111"]
    case("datagrams, each under the name that was asked; a closed port is one inside", r.stdout.splitlines() == want, r.stdout, r.stderr)
    case("one socket inside is one outside, whoever it talks to", len(a.seen) == 1 and a.seen == b.seen, a.seen, b.seen)


def cases_of_names():
    port, asked = name_server()
    r = program("names", "one.test", "none.test", options=["--dns", f"[::1]:{port}" if V6 else f"127.0.0.1:{port}"])
    case("names by a server of this machine's", r.stdout.split() == ["192.0.2.1", "-2"] and set(asked) == {"udp"}, r, asked)
    r = program("names", "large.test", options=["--dns", f"[::1]:{port}" if V6 else f"127.0.0.1:{port}"])
    case("names by TCP where UDP is too small", r.stdout.split() == ["192.0.2.1"] and "tcp" in asked, r.stdout, r.stderr, asked)


# A network namespace, where the routes say so, and a mount namespace, where /etc/resolv.conf does.
SETUP = """ip link set lo up && ip route add unreachable 198.51.100.0/25 && ip route add prohibit 198.51.100.128/25 &&
echo "0 0" > /proc/sys/net/ipv4/ping_group_range &&
conf=$(mktemp) && echo "nameserver 127.0.0.1" > $conf && mount --bind $conf /etc/resolv.conf && rm $conf && exec "$@" """
SPACE = ["unshare", "-rnm", "sh", "-c", SETUP, "sh"]


def has_spaces():
    """Can such namespaces be made?"""
    return shutil.which("unshare") and not subprocess.run([*SPACE, "true"], stderr=subprocess.DEVNULL, check=False).returncode


def cases_of_spaces():
    if not has_spaces():
        print("# no namespaces can be made: no cases of routes, of the machine's own name server, of echo")
        return
    r = program("connect", "203.0.114.1:80", "198.51.100.1:80", "198.51.100.200:80", "224.0.0.1:80", wrap=SPACE)
    case("no route: ENETUNREACH; host unreachable: EHOSTUNREACH; prohibited: EHOSTUNREACH, by ICMP",
         r.stdout.split() == ["101", "113", "113", "101"], r.stdout, r.stderr)
    r = program("unreached", "203.0.114.1:80", "198.51.100.1:80", "198.51.100.200:80", wrap=SPACE)
    case("the same of datagrams", r.stdout.split() == ["101", "113", "113"], r.stdout, r.stderr)
    served = [sys.executable, os.path.abspath(__file__), "served", "53"]
    r = program("names", "one.test", "large.test", wrap=[*SPACE, *served])
    case("names by the machine's resolver at 127.0.0.1", r.stdout.split() == ["192.0.2.1", "192.0.2.1"], r.stdout, r.stderr)
    two = [*SPACE[:4], SETUP.replace('echo "nameserver 127.0.0.1"', 'printf "nameserver 127.0.0.2\\nnameserver 127.0.0.1\\n"'), "sh"]
    r = program("names", "one.test", wrap=[*two, *served])
    case("names by its second server, when the first one is not there", r.stdout.split() == ["192.0.2.1"], r.stdout, r.stderr)
    if not shutil.which("ping"):
        return
    r = via("ping", "-n", "-c2", "-i0.2", "-W5", PUBLISHED, wrap=SPACE, options=["--link", "delay=5ms"])
    case("ping", r.returncode == 0 and "2 received" in r.stdout and f"from {PUBLISHED}" in r.stdout, r.stdout, r.stderr)
    denied = [*SPACE[:4], SETUP.replace('echo "0 0" > /proc/sys/net/ipv4/ping_group_range &&', ""), "sh"]
    r = subprocess.run([*denied, VIA, "run", "--host-loopback", PUBLISHED, "--", "ping", "-n", "-c1", "-W1", PUBLISHED], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
    case("ping, where the machine allows none: a sentence says so", "ping_group_range" in r.stderr, r.stdout, r.stderr)


def cases_of_pressure():
    r = program("fills", Server(lambda c: time.sleep(10)).port)
    case("who reads nothing outside stops the sender inside", 0 < int(r.stdout or 0) < BIG, r.stdout, r.stderr)
    sent = []

    def serve(c):
        c.recv(2)
        sent.append(fill(c))
    r = program("silent", Server(serve).port)
    case("and the other way round", sent and 0 < sent[0] < BIG, sent, r.stderr)


def free_port():
    with socket.socket(AF) as s, socket.socket(AF, socket.SOCK_DGRAM) as u:
        s.bind((LOOPBACK, 0))
        u.bind(s.getsockname())
        return s.getsockname()[1]


def cases_of_forwards():
    port = free_port()
    p = subprocess.Popen([VIA, "-q", "run", "-t", f"{LOOPBACK}/{port}:5000", "-u", f"{LOOPBACK}/{port}:5000", "--link", "delay=5ms",
                          "--", sys.executable, os.path.abspath(__file__), "serves", "5000"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ready = p.stdout.readline()
    with socket.create_connection((LOOPBACK, port), timeout=10) as s:
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        got = read_all(s)
    case("-t: a port of the machine's leads to the program", ready and got == f"{GATE} said hello".encode(), ready, got)
    said = []
    for word in (b"one", b"two"):
        with socket.socket(AF, socket.SOCK_DGRAM) as u:
            u.settimeout(10)
            u.connect((LOOPBACK, port))
            u.send(word)
            said.append(u.recv(2000))
    case("-u: the same for datagrams, each answered where it came from",
         said == [f"{GATE} said {word}".encode() for word in ("one", "two")], said)
    case("the program ends", p.wait(20) == 0, p.stderr.read())
    with socket.socket(AF) as s:
        s.bind((LOOPBACK, port))
        s.listen(1)
        r = via("true", options=["-t", f"{LOOPBACK}/{port}:80"])
        case("a port that is taken is named", r.returncode == 125 and f"TCP port {LOOPBACK}/{port}: Address already in use" in r.stderr, r)
    ports = [free_port(), free_port()]
    with subprocess.Popen([VIA, "-q", "run", "-t", f"{LOOPBACK}/{ports[0]}:80", "-t", f"[{LOOPBACK}]:{ports[1]}:81", "--",
                           "sh", "-c", "echo up; exec sleep 20"], stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        for port in ports:
            with socket.create_connection((LOOPBACK, port), timeout=10):
                pass
        p.terminate()
    case("-t more than once", True)
    r = via("true", options=["--host-loopback", LOOPBACK])
    case("the machine's loopback cannot be found by a host's own", r.returncode == 125 and "203.0.113.7" in r.stderr, r)
    r = via("true", options=["-t", "80:http"])
    case("a forward that is none", r.returncode == 125 and "must be HOSTPORT:PORT" in r.stderr, r)
    p = subprocess.Popen([VIA, "-q", "run", "-t", f"{LOOPBACK}/{port}", "--", "sleep", "20"])
    end = ""
    for _ in range(100):
        try:
            with socket.create_connection((LOOPBACK, port), timeout=10) as s:
                end = s.recv(10)
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        except ConnectionResetError:
            end = "reset"
        break
    p.terminate()
    p.wait(10)
    case("nobody listens inside: reset outside", end == "reset", end)


LAB = """name: outside
ipv6: %s
topology:
  nodes:
    home: {kind: host}
    server: {kind: host}
    r1: {kind: router}
    isp: {kind: wan, loopback: "%s", tcp: "%s/%d:server:80"}
  links:
    - endpoints: ["home:eth1", "r1:eth1"]
      impairments: {delay: 5ms}
    - endpoints: ["server:eth1", "r1:eth2"]
    - endpoints: ["r1:eth3", "isp:eth1"]
      impairments: {delay: 10ms, loss: 1%%}
"""


def cases_of_labs():
    """A wan node of a lab: out through its router, and in to one of its hosts."""
    port = free_port()
    with tempfile.TemporaryDirectory() as d:
        with open(f"{d}/lab.yaml", "w", encoding="utf-8") as f:
            f.write(LAB % (str(V6).lower(), PUBLISHED, LOOPBACK, port))
        me = [sys.executable, os.path.abspath(__file__)]
        r = subprocess.run([VIA, "-q", "lab", "exec", "-t", f"{d}/lab.yaml", "home", "--", *me, "reset", str(Server(serve_reset).port)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        case("a lab's host reaches the outside by its wan node", r.stdout.strip() == "last words 104", r.stdout, r.stderr)
        p = subprocess.Popen([VIA, "-q", "lab", "exec", "-t", f"{d}/lab.yaml", "server", "--", *me, "greets", "80"], text=True,
                             stdout=subprocess.PIPE)
        p.stdout.readline()
        with socket.create_connection((LOOPBACK, port), timeout=10) as s:
            got = read_all(s)
        case("a port of the machine's leads to a lab's host", got == b"welcome" and p.wait(20) == 0, got)
        for node, says in (("isp", "'isp' is a wan"), ("ips", "did you mean")):
            r = subprocess.run([VIA, "lab", "exec", "-t", f"{d}/lab.yaml", node, "--", "true"], stderr=subprocess.PIPE, text=True,
                               timeout=20, check=False)
            case(f"no program runs on '{node}'", r.returncode == 2 and (says in r.stderr) == (node == "isp"), r)


def cases_of_many():
    told = Told()
    server = Server(told.serve, 4096)
    r = program("many", server.port, MANY, 0)
    all_ended = told.wait(lambda t: len(t.ends) == MANY)
    case(f"{MANY} connections at once", r.stdout.split()[:1] == [str(MANY)] and all_ended, r.stdout, r.stderr, len(told.ends))
    told.ends.clear()
    p = subprocess.Popen([VIA, "-q", "run", "--host-loopback", PUBLISHED, "--", sys.executable, os.path.abspath(__file__), "many",
                          str(server.port), str(MANY), "1"], stdout=subprocess.PIPE, text=True)
    pid = int(p.stdout.readline().split()[1])
    up = told.wait(lambda t: t.open == MANY)
    os.kill(pid, signal.SIGKILL)
    gone = told.wait(lambda t: t.open == 0 and len(t.ends) == MANY)
    case("killing the program closes all of them", up and gone and p.wait(20) == 137, up, gone, told.open, len(told.ends))


def cases_of_want():
    """Too few descriptors, for the program's ends in via and the gateway's sockets: each may be the one that is refused."""
    told = Told()
    r = subprocess.run(["sh", "-c", 'ulimit -n 160; exec "$@"', "sh", VIA, "run", "--host-loopback", PUBLISHED, "--", sys.executable,
                        os.path.abspath(__file__), "many", str(Server(told.serve).port), "120", "0"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=100, check=False)
    good = int((r.stdout.split() or ["0"])[0])
    case("what the descriptors do not suffice for is refused, the other connections stand", r.returncode == 0 and 0 < good < 120 and
         told.wait(lambda t: len(t.ends) == good), r, told.ends)


def cases_of_ends():
    got = []
    done = threading.Event()

    def serve(c):
        got.append(len(read_all(c)))
        done.set()
    r = program("last", Server(serve).port, options=["--link", "delay=50ms,rate=20mbit"])
    case("what a program wrote before it ended arrives", done.wait(10) and got == [300_000] and r.returncode == 0, got, r.stderr)
    web = Server(serve_page)
    r = subprocess.run([VIA, "-j", "run", "--host-loopback", PUBLISHED, "--", "sh", "-c",
                        f"sleep 1.5; exec curl -sS {web.url}"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    case("a connection after a rest is begun now, not when the rest began", r.stdout == "hello\n" and
         json.loads(r.stderr)["retransmissions"] == 0, r)
    r = subprocess.run([VIA, "run", "--", sys.executable, "-c", "import socket; socket.socket()"], stderr=subprocess.PIPE, text=True,
                       timeout=30, check=False)
    case("one socket is one", r.stderr.startswith("via: 1 socket taken (0 UDP)"), r.stderr)
    r = via("sh", "-c", "exit 7")
    case("the program's exit status is ours", r.returncode == 7, r)


def cases_of_signals():
    """SIGHUP ends the program and leaves nothing, unless it was ignored (nohup); who was killed is swept away by the next one."""
    with tempfile.TemporaryDirectory() as run_dir:
        env = dict(os.environ, XDG_RUNTIME_DIR=run_dir)

        def start(*program, **kw):
            program = program or ("sh", "-c", "echo up; exec sleep 50")
            p = subprocess.Popen([VIA, "-q", "run", "--", *program], stdout=subprocess.PIPE, env=env, text=True, **kw)
            p.stdout.readline()
            for _ in range(100):
                if left():
                    break
                time.sleep(0.05)
            return p

        def left():
            return [f for _, _, files in os.walk(run_dir) for f in files]

        p = start()
        before = left()
        p.send_signal(signal.SIGHUP)
        case("SIGHUP ends the program, and nothing is left", p.wait(10) == 129 and len(before) == 1 and not left(), p, before, left())
        p = start(sys.executable, "-c", "import signal, time; signal.signal(1, signal.SIG_DFL); print('up', flush=True); time.sleep(50)",
                  preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        p.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        alive = p.poll() is None
        p.terminate()
        case("under nohup it does not", alive and p.wait(10) == 143, alive, p)
        p = start()
        p.kill()
        p.wait(10)
        before = left()
        subprocess.run([VIA, "-q", "run", "--", "true"], env=env, timeout=20, check=False)
        case("what a killed one left goes with the next one", len(before) == 1 and not left(), before, left())


INSIDE = {"up": inside_up, "down": inside_down, "connect": inside_connect, "reset": inside_reset, "resets": inside_resets,
          "many": inside_many, "last": inside_last, "datagrams": inside_datagrams, "unreached": inside_unreached, "names": inside_names,
          "served": inside_served, "serves": inside_serves,
          "greets": inside_greets, "fetch": inside_fetch, "fills": inside_fills, "silent": inside_silent}


def run_inside():
    """As a program of a case, if the command line names one."""
    if len(sys.argv) > 1:
        args = sys.argv[2:3] if sys.argv[1] == "served" else sys.argv[2:]
        INSIDE[sys.argv[1]](*(int(a) if a.isdigit() else a for a in args))
        sys.exit(0)


def run(*all_cases):
    os.environ.pop("http_proxy", None)
    for cases in all_cases:
        try:
            cases()
        except (OSError, subprocess.SubprocessError, ValueError) as e:
            case(f"{cases.__name__}", False, repr(e))
    print(f"1..{n}")


def main():
    run_inside()
    run(cases_of_bytes, cases_of_pressure, cases_of_errors, cases_of_datagrams, cases_of_names, cases_of_spaces,
        cases_of_forwards, cases_of_labs, cases_of_many, cases_of_want, cases_of_ends, cases_of_signals)


if __name__ == "__main__":
    main()
