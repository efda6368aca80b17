#!/usr/bin/env python3
# timeout: 60
"""gateway6.py - `via run -- CMD` over IPv6: cases of gateway.py with servers at ::1, and what only IPv6 has: machines without it.

What a machine's routes decide happens in a network namespace of its own, and is left out where none can be made.
"""
import os
import shutil
import socket
import subprocess
import sys
import time

os.environ["FAMILY"] = "6"
import gateway as g  # pylint: disable=wrong-import-position

# A machine with nothing but its loopback; one with some routes of IPv6 besides.
NO_IPV6 = g.SETUP.replace("ip route add unreachable 198.51.100.0/25 && ip route add prohibit 198.51.100.128/25 &&", "")
SOME_IPV6 = NO_IPV6.replace("&&", """&& ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up &&
ip -6 addr add fd00:5::1/64 dev d0 nodad && ip -6 route add 2001:db8::/32 via fd00:5::2 &&
ip -6 route add unreachable 2001:db8:1::/48 && ip -6 route add prohibit 2001:db8:2::/48 &&""", 1)


def space(setup):
    return ["unshare", "-rnm", "sh", "-c", setup.replace("nameserver 127.0.0.1", "nameserver ::1"), "sh"]


def run(wrap, options, *args):
    """A program of gateway.py's, without what via() publishes. Its output, what via said, and seconds."""
    t = time.monotonic()
    r = subprocess.run([*wrap, g.VIA, "-q", "run", *options, "--", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=30, check=False)
    return r.stdout.split(), r.stderr, time.monotonic() - t


def me(*args):
    return [sys.executable, os.path.abspath(g.__file__), *args]


def cases_of_bytes():
    web = g.Server(g.serve_page)
    r = g.via("curl", "-6", "-sS", "-g", web.url)
    g.case("curl, unmodified, through the gateway to ::1", r.stdout == "hello\n" and r.returncode == 0, r.stdout, r.stderr)
    want = g.big_sum()
    for name, handle in (("up", g.serve_up), ("down", g.serve_down)):
        r = g.program(name, g.Server(handle).port, options=["--link", "delay=1ms,loss=0.1%"] if name == "up" else [])
        g.case(f"{g.BIG // 1_000_000} MB {name}, byte-exact", r.stdout.strip() == want, r.stdout, r.stderr)
    r = g.via("curl", "-sS", "-g", web.url, options=["-m", "1200"])
    g.case("a link too small for IPv6: no IPv6", r.returncode == 7 and r.stdout == "", r)


def cases_of_families():
    """Both families at once; a name with addresses of both does not make a program wait where the machine has only one."""
    web = g.Server(g.serve_page)
    with socket.socket() as old:
        old.bind(("127.0.0.1", web.port))
        old.listen(5)
        r = g.via("sh", "-c", f"curl -sS -g {web.url}; curl -sS -m 1 http://203.0.113.7:{web.port}/",
                  options=["--host-loopback", "203.0.113.7"])
        g.case("an address of each family means the machine's loopback of that family", r.stdout == "hello\n" and r.returncode == 28, r)
    port = g.free_port()
    with subprocess.Popen([g.VIA, "-q", "run", "--host-loopback", g.PUBLISHED, "-t", f"[::1]:{port}:5000", "-t", f"127.0.0.1/{port}:5000",
                           "--", *me("greets", "5000")], stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            got = g.read_all(s)
        g.case("one port of both families; a server at :: hears both", got == b"welcome" and p.wait(20) == 0, got)


def cases_of_spaces():
    if not g.has_spaces():
        print("# no namespaces can be made: no cases of routes, of the machine's own name server, of echo")
        return
    slow = ["--link", "delay=200ms"]
    out, err, took = run(space(NO_IPV6), slow, *me("connect", "2001:db8::7:80", "2606:2800::1:80", "fd00:5::1:80"))
    g.case("a machine without IPv6: ENETUNREACH, and at once", out == ["101"] * 3 and took < 1.2, out, err, took)
    out, err, _ = run(space(SOME_IPV6), [], *me("connect", "2606:2800::1:80", "2001:db8:1::1:80", "2001:db8:2::1:80", "fd00:5::1:80"))
    g.case("no route: ENETUNREACH; unreachable: EHOSTUNREACH; prohibited: EACCES; refused", out == ["101", "113", "13", "111"], out, err)
    out, err, _ = run(space(SOME_IPV6), [], *me("unreached", "2606:2800::1:80", "2001:db8:1::1:80", "2001:db8:2::1:80", "fd00:5::1:9"))
    g.case("the same of datagrams", out == ["101", "113", "13", "111"], out, err)
    served = me("served", "53")
    out, err, _ = run([*space(NO_IPV6), *served], [], *me("names", "one.test"))
    g.case("names by the machine's resolver at ::1", out == ["192.0.2.1"], out, err)
    out, err, took = run([*space(NO_IPV6), *served], ["--host-loopback", "192.0.2.1", *slow], *me("fetch", "both.test", "53"))
    g.case("a name of both families, where only one is: no waiting for the other", out == ["192.0.2.1"] and took < 4, out, err, took)
    out, err, _ = run([*space(NO_IPV6), *served], ["--host-loopback", "192.0.2.1,2001:db8::7"], *me("fetch", "both.test", "53"))
    g.case("where both are, IPv4 comes first before a private prefix (RFC 6724)", out == ["192.0.2.1"], out, err)
    if shutil.which("ping"):
        r = g.via("ping", "-6", "-n", "-c2", "-i0.2", "-W5", g.PUBLISHED, wrap=space(NO_IPV6), options=["--link", "delay=5ms"])
        g.case("ping", r.returncode == 0 and "2 received" in r.stdout and f"from {g.PUBLISHED}" in r.stdout, r.stdout, r.stderr)


if __name__ == "__main__":
    g.run(cases_of_bytes, cases_of_families, g.cases_of_errors, g.cases_of_datagrams, g.cases_of_names, g.cases_of_forwards,
          g.cases_of_labs, g.cases_of_many, cases_of_spaces)
