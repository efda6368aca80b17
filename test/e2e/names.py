#!/usr/bin/env python3
# timeout: 60
"""names.py - hosts that ask by DHCP resolve names and curl; the lab's DNS service asked by dig and by the C library, the questions it
passes on answered by a server of the test's own. All inside one lab; no root is needed."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: names
topology:
  nodes:
    asks: {kind: host, address: dhcp}
    gw:
      kind: router
      services:
        dhcp: {lease: 10m}
        dns:
          forward: 10.50.0.2
          records:
            - {name: www, cname: store}
            - {name: lab, mx: store}
            - {name: store, txt: "open all day"}
            - {name: store, address: "2001:db8::9"}
    far: {kind: host}
    store: {kind: host, services: {http: {root: www}}}
  links:
    - endpoints: ["asks:eth1", "gw:eth1"]
    - {endpoints: ["gw:eth2", "far:eth1"], ipv4: [10.50.0.1/24, 10.50.0.2/24]}
    - endpoints: ["gw:eth3", "store:eth1"]
"""
# Another name server: 192.0.2.99 for all, many TXT records (cut by UDP) for big.example, nothing for what begins with "no".
SERVER = r"""
import socket, struct, threading
def answer(d, tcp):
    end = 12
    while d[end]:
        end += 1 + d[end]
    q, name = d[12:end + 5], d[12:end].lower()
    kind = struct.unpack(">H", d[end + 1:end + 3])[0]
    if name.startswith(b"\2no"):
        soa = b"\2ns\0\0" + struct.pack(">IIIII", 1, 2, 3, 4, 60)
        return d[:2] + b"\x81\x83\0\1\0\0\0\1\0\0" + q + b"\0" + struct.pack(">HHIH", 6, 1, 60, len(soa)) + soa
    if kind == 16:
        if not tcp:
            return d[:2] + b"\x83\x80\0\1\0\0\0\0\0\0" + q
        rr = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, 101) + bytes([100]) + bytes([97 + i]) * 100 for i in range(20))
        return d[:2] + b"\x81\x80\0\1" + struct.pack(">H", 20) + b"\0\0\0\0" + q + rr
    return d[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x63"
def streams():
    while True:
        c, _ = l.accept()
        n = struct.unpack(">H", c.recv(2, socket.MSG_WAITALL))[0]
        a = answer(c.recv(n, socket.MSG_WAITALL), True)
        c.sendall(struct.pack(">H", len(a)) + a)
        c.close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.50.0.2", 53))
l = socket.create_server(("10.50.0.2", 53))
threading.Thread(target=streams, daemon=True).start()
print("ready", flush=True)
while True:
    d, a = s.recvfrom(2000)
    print("asked", flush=True)
    s.sendto(answer(d, False), a)
"""
RESOLVE = "import socket, sys; print(sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET)}))"
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="vianames")
env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
env["XDG_RUNTIME_DIR"] = work


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    for a in about if not good else ():
        print("# " + str(a)[:800].replace("\n", "\n# "))
    sys.stdout.flush()


def via(*args, timeout=20):
    try:
        p = subprocess.run([VIA, "-q", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                           env=env, text=True)
        return p.stdout
    except subprocess.TimeoutExpired:
        return "timeout"


def on(node, *command):
    return via("lab", "exec", "names", node, "--", *command)


def prints(name, want, *command):
    got = on("asks", *command)
    case(name, got.strip() == want, got)


def dig(name, words, *args):
    got = on("asks", "dig", "+noall", "+comments", "+answer", "+authority", "+time=5", "+tries=1", *args)
    flat = " ".join(got.split())
    case(name, all(w in flat for w in words), got)


def main():
    os.mkdir(os.path.join(work, "www"))
    with open(os.path.join(work, "www", "word.txt"), "w") as f:
        f.write("found\n")
    lab = os.path.join(work, "lab.yaml")
    with open(lab, "w") as f:
        f.write(LAB)
    got = via("lab", "up", "-t", lab, "-d")
    case("the lab is up when its host has an address", "up" in got or not got, got)
    got = via("-n", "asks", "addr", "show", "dev", "eth1")
    case("it is of the router's range", "inet 10.0.1.128/24" in got, got)
    server = subprocess.Popen([VIA, "-q", "lab", "exec", "names", "far", "--", "python3", "-c", SERVER], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, env=env, text=True)
    server.stdout.readline()
    prints("curl by name", "found", "curl", "-q", "-sS", "--max-time", "10", "http://store.lab/word.txt")
    prints("curl by an alias", "found", "curl", "-q", "-sS", "--max-time", "10", "http://www.lab/word.txt")
    prints("the C library resolves the lab's names", "['10.0.2.2']", "python3", "-c", RESOLVE, "www.lab")
    prints("and the world's", "['192.0.2.99']", "python3", "-c", RESOLVE, "www.example.com")
    if shutil.which("dig"):
        dig("dig: the host's own name, by its lease", ["status: NOERROR", "asks.lab. 60 IN A 10.0.1.128"], "asks.lab")
        dig("dig: AAAA", ["IN AAAA 2001:db8::9"], "store.lab", "AAAA")
        dig("dig: an alias and its address", ["www.lab. 60 IN CNAME store.lab.", "store.lab. 60 IN A 10.0.2.2"], "www.lab")
        dig("dig: MX", ["lab. 60 IN MX 10 store.lab."], "lab", "MX")
        dig("dig: TXT", ['IN TXT "open all day"'], "store.lab", "TXT")
        dig("dig: PTR", ["IN PTR far.lab."], "-x", "10.50.0.2")
        dig("dig: no such name", ["status: NXDOMAIN", "lab. 60 IN SOA"], "nobody.lab")
        dig("dig: no such record", ["status: NOERROR", "ANSWER: 0", "lab. 60 IN SOA"], "far.lab", "SRV")
        dig("dig: by TCP", ["status: NOERROR", "far.lab. 60 IN A 10.50.0.2"], "+tcp", "far.lab")
        dig("dig: passed on, and back by TCP", ["status: NOERROR", "ANSWER: 20"], "big.example", "TXT")
        dig("dig: passed on, no such name", ["status: NXDOMAIN", "SOA"], "no.example")
    else:
        for _ in range(11):
            case("dig # SKIP needs dig", True)
    via("lab", "exec", "names", "asks", "--", "python3", "-c", RESOLVE, "www.example.com")
    via("lab", "down", "names")
    asked = server.communicate(timeout=10)[0].count("asked")
    want = 4 if shutil.which("dig") else 1  # the long answer is passed on twice, and not kept
    case("what is known is not asked for again", asked == want, f"{asked} questions, wanted {want}")


try:
    main()
finally:
    subprocess.run([VIA, "-q", "lab", "down", "names"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.1)
    shutil.rmtree(work, ignore_errors=True)
print(f"1..{n_cases}")
sys.exit(failed != 0)
