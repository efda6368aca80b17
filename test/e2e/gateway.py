#!/usr/bin/env python3
# timeout: 240
"""gateway.py - `via run -- CMD`: unmodified programs reach servers of this machine's loopback through the gateway.

The servers listen at 127.0.0.1 and are published inside as 203.0.113.7. No network is needed but loopback; what only a routing
table can bring about (unreachable, prohibited) happens in a network namespace of its own, and is left out where none can be made.
"""
import hashlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
PUBLISHED = "203.0.113.7"
MANY = 1000
BIG = 100_000_000
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
    """The same 100 MB every time, in pieces of many sizes."""
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

    def __init__(self, handle, backlog=1024):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(backlog)
        self.port = self.sock.getsockname()[1]
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
        s = socket.socket()
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


def inside_many(port, count, wait):
    socks = []
    poll = select.poll()
    for _ in range(count):
        s = socket.socket()
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


# --- the cases ---

def via(*args, options=(), timeout=100, wrap=(), **kw):
    return subprocess.run([*wrap, VIA, "-q", "run", "--host-loopback", PUBLISHED, *options, "--", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, **kw)


def program(name, *args, **kw):
    return via(sys.executable, os.path.abspath(__file__), name, *map(str, args), **kw)


def cases_of_bytes():
    def page(c):
        while b"\r\n\r\n" not in (d := c.recv(4096)):
            pass
        c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    web = Server(page)
    r = via("curl", "-sS", f"http://{PUBLISHED}:{web.port}/")
    case("curl, unmodified, through the gateway", r.stdout == "hello\n" and r.returncode == 0, r.stdout, r.stderr)
    t = time.monotonic()
    slow = ["--link", "delay=100ms,loss=1%,rate=50mbit"]
    r = via("curl", "-sS", "-w", "%{time_connect}", f"http://{PUBLISHED}:{web.port}/", options=slow)
    took = float(r.stdout.partition("\n")[2] or 0)
    case("the link is as slow as it was asked for", r.stdout.startswith("hello\n") and 0.2 <= took < 5 and time.monotonic() - t >= 0.4, r)
    want = big_sum()
    for name, handle in (("up", serve_up), ("down", serve_down)):
        for options in ([], ["--link", "delay=1ms,loss=0.1%"]):
            r = program(name, Server(handle).port, options=options)
            case(f"100 MB {name}{' over a lossy link' if options else ''}, byte-exact", r.stdout.strip() == want, r.stdout, r.stderr)


def cases_of_errors():
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # no listen(): refused
    port = closed.getsockname()[1]
    r = program("connect", f"{PUBLISHED}:{port}", f"127.0.0.1:{port}", "192.0.0.1:80")
    case("refused outside is refused inside", r.stdout.split() == ["111", "111", "111"], r.stdout, r.stderr)
    listens = Server(serve_up).port
    r = subprocess.run([VIA, "-q", "run", "--", sys.executable, os.path.abspath(__file__), "connect", f"127.0.0.1:{listens}"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    case("the machine's loopback is out of reach", r.stdout.split() == ["111"], r.stdout, r.stderr)
    r = program("reset", Server(serve_reset).port, options=["--link", "delay=10ms"])
    case("reset outside, after what was said before it", r.stdout.strip() == "last words 104", r.stdout, r.stderr)
    told = Told()
    r = program("resets", Server(told.serve).port)
    case("reset inside is reset outside", told.wait(lambda t: t.ends) and told.ends == ["reset"], told.ends, r.stderr)


def cases_of_routes():
    """In a network namespace, where the routes say so."""
    setup = ("ip link set lo up && ip route add unreachable 198.51.100.0/25 && ip route add prohibit 198.51.100.128/25")
    shell = ["unshare", "-rn", "sh", "-c", f'{setup} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*shell, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("# no network namespace can be made: no cases of routes")
        return
    r = program("connect", "203.0.114.1:80", "198.51.100.1:80", "198.51.100.200:80", "224.0.0.1:80", wrap=shell)
    case("no route: ENETUNREACH; host unreachable: EHOSTUNREACH; prohibited: EHOSTUNREACH, by ICMP",
         r.stdout.split() == ["101", "113", "113", "101"], r.stdout, r.stderr)


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


def cases_of_ends():
    got = []
    done = threading.Event()

    def serve(c):
        got.append(len(read_all(c)))
        done.set()
    r = program("last", Server(serve).port, options=["--link", "delay=50ms,rate=20mbit"])
    case("what a program wrote before it ended arrives", done.wait(10) and got == [300_000] and r.returncode == 0, got, r.stderr)
    r = via("sh", "-c", "exit 7")
    case("the program's exit status is ours", r.returncode == 7, r)


INSIDE = {"up": inside_up, "down": inside_down, "connect": inside_connect, "reset": inside_reset, "resets": inside_resets,
          "many": inside_many, "last": inside_last}


def main():
    if len(sys.argv) > 1:
        INSIDE[sys.argv[1]](*(int(a) if a.isdigit() else a for a in sys.argv[2:]))
        return
    os.environ.pop("http_proxy", None)
    for cases in (cases_of_bytes, cases_of_errors, cases_of_routes, cases_of_many, cases_of_ends):
        try:
            cases()
        except (OSError, subprocess.SubprocessError, ValueError) as e:
            case(f"{cases.__name__}", False, repr(e))
    print(f"1..{n}")


if __name__ == "__main__":
    main()
