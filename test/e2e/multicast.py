#!/usr/bin/env python3
# timeout: 30
"""multicast.py - unmodified programs in groups: on a lab's switch one host sends, one that joined hears it, one that did not does not."""
import os
import shutil
import subprocess
import sys
import tempfile

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: %s
topology:
  nodes:
    a: {kind: host}
    b: {kind: host}
    c: {kind: host}
    sw: {kind: switch}
  links:
    - endpoints: ["a:eth1", "sw:eth1"]
    - endpoints: ["b:eth1", "sw:eth2"]
    - endpoints: ["c:eth1", "sw:eth3"]
"""
HEAR = """import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5000))
if sys.argv[1] == "join":
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + bytes(4))
print("ready", flush=True)
s.settimeout(float(sys.argv[2]))
try:
    print(*s.recvfrom(100))
except TimeoutError:
    print("nothing")
"""
SAY = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
s.sendto(b"to all", ("239.1.2.3", 5000))
"""


def on(node, *words):
    return subprocess.Popen([VIA, "lab", "exec", name, node, "--", "python3", "-c", *words], stdout=subprocess.PIPE, text=True)


work, name = tempfile.mkdtemp(prefix="viamcast"), "mcast%d" % os.getpid()
good = False
print("1..1", flush=True)
with open(os.path.join(work, "lab.yaml"), "w") as f:
    f.write(LAB % name)
up = subprocess.Popen([VIA, "lab", "up", "-t", os.path.join(work, "lab.yaml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(50):
        if subprocess.run([VIA, "lab", "inspect", name], capture_output=True).returncode == 0:
            break
        subprocess.run(["sleep", "0.1"])
    hears, hears_not = on("b", HEAR, "join", "8"), on("c", HEAR, "stay", "2")
    hears.stdout.readline(), hears_not.stdout.readline()
    on("a", SAY).wait(10)
    said = [hears.communicate(timeout=10)[0].strip(), hears_not.communicate(timeout=10)[0].strip()]
    good = said[0].startswith("b'to all' ('10.0.1.1',") and said[1] == "nothing"
    print("# %s" % said)
finally:
    subprocess.run([VIA, "lab", "down", name], capture_output=True)
    up.wait(10)
    shutil.rmtree(work)
print("%s 1 - a group on a switch: who joined hears, who did not does not" % ("ok" if good else "not ok"))
sys.exit(not good)
