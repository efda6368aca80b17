"""lib_kernel_peer.py - both ends of the cases of kernel_tcp.sh: plain sockets, so the same file runs on the kernel and under via.

    server ADDR PORT READY     one verb per connection, a line: see serve_one(). PORT+1 listens with the smallest SO_RCVBUF.
    client ADDR PORT CASE...   one line "ok CASE" or "not ok CASE: why" each; every socket call has a time limit.
"""
import errno
import hashlib
import random
import socket
import struct
import sys
import threading
import time

LIMIT = 40
results = {}  # what a server's connection met, by the client's tag


def pattern(n, seed=7):
    return random.Random(seed).randbytes(n)


def digest(data):
    return hashlib.sha256(data).hexdigest().encode()


def read_all(s):
    h = hashlib.sha256()
    n = 0
    while b := s.recv(1 << 16):
        h.update(b)
        n += len(b)
    return h.hexdigest().encode(), n


def line(s):
    out = b""
    while not out.endswith(b"\n"):
        b = s.recv(1)
        if not b:
            raise EOFError("closed before a line was whole")
        out += b
    return out.decode().split()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def name_of(e):
    return errno.errorcode.get(e.errno, str(e))


# --- server ---


def serve_one(s):
    s.settimeout(LIMIT)
    verb, *args = line(s)
    if verb == "sink":  # read to the end after a pause, say the hash
        time.sleep(float(args[0]))
        s.sendall(read_all(s)[0])
    elif verb == "source":
        s.sendall(pattern(int(args[0])))
    elif verb == "echo":
        while b := s.recv(1 << 16):
            s.sendall(b)
    elif verb == "half":  # answer only after the client's end
        s.sendall(read_all(s)[0] + pattern(int(args[0])))
    elif verb == "reset":
        reset(s)
        return
    elif verb == "watch":  # what does a blocked reader see?
        s.sendall(b"!")
        try:
            results[args[0]] = "data" if s.recv(1) else "end"
        except OSError as e:
            results[args[0]] = name_of(e)
    elif verb == "result":
        for _ in range(50):
            if args[0] in results:
                break
            time.sleep(0.1)
        s.sendall(results.get(args[0], "nothing").encode())
    s.close()


def safely(s):
    try:
        serve_one(s)
    except (OSError, EOFError):
        s.close()


def accept_loop(l):
    while True:
        s, _ = l.accept()
        threading.Thread(target=safely, args=(s,), daemon=True).start()


def server(addr, port, ready):
    for p, small in ((port, False), (port + 1, True)):
        l = socket.socket()
        l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if small:
            l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        l.bind((addr, p))
        l.listen(128)
        threading.Thread(target=accept_loop, args=(l,), daemon=True).start()
    open(ready, "w").close()
    threading.Event().wait()


# --- client ---


class Peer:
    def __init__(self, addr, port):
        self.addr, self.port = addr, port

    def to(self, verb, port=None, rcvbuf=0):
        s = socket.socket()
        s.settimeout(LIMIT)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.connect((self.addr, port or self.port))
        s.sendall(verb.encode() + b"\n")
        return s

    def upload(self, n, pause=0, port=None):
        data = pattern(n)
        s = self.to(f"sink {pause}", port)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = s.recv(64, socket.MSG_WAITALL)
        assert got == digest(data), f"hash {got}"
        assert s.recv(1) == b""

    def download(self, n, pause=0, rcvbuf=0):
        s = self.to(f"source {n}", rcvbuf=rcvbuf)
        time.sleep(pause)
        got, k = read_all(s)
        assert got == digest(pattern(n)), f"{k} of {n} bytes, another hash"

    def case_up(self, n=20000000):
        self.upload(int(n))

    def case_down(self, n=20000000):
        self.download(int(n))

    def case_both(self, n):  # two ways at once on one connection
        data = pattern(int(n), 9)
        s = self.to("echo")
        t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        t.start()
        got = read_all(s)
        t.join()
        assert got == (digest(data).decode().encode(), len(data)), "the echo differs"

    def case_fifty(self):
        bad = []

        def one(i):
            try:
                data = pattern(20000 + i, i)
                s = self.to("echo")
                t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
                t.start()
                if read_all(s)[0] != digest(data):
                    bad.append(f"{i}: the echo differs")
                t.join()
            except OSError as e:
                bad.append(f"{i}: {e}")
        threads = [threading.Thread(target=one, args=(i,)) for i in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not bad, bad[:3]

    def case_half_close(self):
        data = pattern(50000)
        s = self.to("half 300000")
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        assert s.recv(64, socket.MSG_WAITALL) == digest(data), "the hash of what was sent"
        assert read_all(s)[0] == digest(pattern(300000)), "what came after our FIN"

    def case_reset_seen(self):  # the server resets: our reader sees it
        s = self.to("reset")
        try:
            got = s.recv(1)
        except ConnectionResetError:
            return
        raise AssertionError(f"recv gave {got!r}")

    def case_reset_sent(self):  # we reset: the server's blocked reader sees it
        tag = f"tag{random.randrange(1 << 40)}"
        s = self.to(f"watch {tag}")
        assert s.recv(1) == b"!"
        reset(s)
        got = self.to(f"result {tag}").recv(64)
        assert got == b"ECONNRESET", got

    def case_closed_port(self):
        before = time.monotonic()
        try:
            socket.create_connection((self.addr, 1), LIMIT)
        except ConnectionRefusedError:
            # The SYN or its answer may be lost on the way: then the second one is refused.
            assert time.monotonic() - before < 8, "refused, but late"
            return
        raise AssertionError("connected to a closed port")

    def case_slow_server(self):  # it does not read for 3 s: zero window
        self.upload(8000000, pause=3)

    def case_slow_client(self):
        self.download(8000000, pause=3)

    def case_tiny_server(self):
        self.upload(60000, port=self.port + 1)

    def case_tiny_client(self):
        self.download(60000, rcvbuf=1)

    def case_thousand(self):
        for i in range(1000):
            s = self.to("echo")
            s.sendall(b"%d" % i)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while b := s.recv(100):
                got += b
            assert got == b"%d" % i, (i, got)
            s.close()

    def run(self, case):
        name, *args = case.split(":")
        before = time.monotonic()
        try:
            getattr(self, "case_" + name)(*args)
            print(f"ok {case} {time.monotonic() - before:.1f} s", flush=True)
        except (OSError, AssertionError, EOFError) as e:
            print(f"not ok {case} after {time.monotonic() - before:.1f} s: {type(e).__name__} {e}", flush=True)


def main(role, addr, port, *rest):
    if role == "server":
        server(addr, int(port), rest[0])
    peer = Peer(addr, int(port))
    threads = []
    for case in rest:  # "+case" runs beside what follows
        t = threading.Thread(target=peer.run, args=(case.lstrip("+"),))
        t.start()
        threads.append(t)
        if not case.startswith("+"):
            t.join()
    for t in threads:
        t.join()


main(*sys.argv[1:])
