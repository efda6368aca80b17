#!/bin/sh
# mcast_tap.sh - multicast between our stack and the kernel's over a TAP, in a network namespace of this test's own: our reports as the
# kernel gets them (IGMPv3, v2, MLDv2), our answers to queries that the kernel sends, and datagrams to groups both ways.
# timeout: 60
set -u
SRC=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
PEER=${BUILD_SAN:-$SRC/build-san}/test/nd-peer
N=13
why=
[ "$(id -u)" -eq 0 ] || why="needs root to make a network namespace"
[ -x "$PEER" ] || why="needs $PEER (make test builds it)"
if [ -z "$why" ] && ! unshare -n ip tuntap add dev viaprobe mode tap 2> /dev/null; then
	why="needs /dev/net/tun and the right to make interfaces"
fi
if [ -z "$why" ] && ! unshare -n sh -c '[ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6)" = 0 ]' 2> /dev/null; then
	why="needs a kernel with IPv6"
fi
echo "1..$N"
if [ -n "$why" ]; then
	n=0
	while [ "$n" -lt "$N" ]; do n=$((n + 1)); echo "ok $n - multicast # SKIP $why"; done
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/run.py" <<'PY'
import os, select, shutil, socket, struct, subprocess, sys, time

PEER, DIR = sys.argv[1:3]
G4, G6, PORT = "239.7.7.7", "ff05::777", 5000
n, frames = 0, []


def sh(*words):
    subprocess.run(words, check=True)


def csum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    return ~((s & 0xFFFF) + (s >> 16)) & 0xFFFF


sh("ip", "link", "set", "lo", "up")
sh("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
sh("ip", "addr", "add", "10.66.0.1/24", "dev", "tap0")
sh("ip", "link", "set", "tap0", "up")
sh("ip", "route", "add", "224.0.0.0/4", "dev", "tap0")
sniff = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sniff.bind(("tap0", 0))
mine = sniff.getsockname()[4]
peer = subprocess.Popen([PEER, "host", "tap0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(text):
    peer.stdin.write(text + "\n")
    peer.stdin.flush()
    return peer.stdout.readline().strip()


def result(good, name):
    global n
    n += 1
    print("%s %d - %s" % ("ok" if good else "not ok", n, name), flush=True)


def seen(match, seconds=4.0):
    """A frame of the peer's from now on that matches."""
    end = time.time() + seconds
    while time.time() < end:
        if not select.select([sniff], [], [], 0.1)[0]:
            continue
        f = sniff.recv(2000)
        if f[6:12] == mine:
            continue
        frames.append(f)
        if match(f):
            return True
    return False


def igmp(kind, record, group):
    """An IGMP message: TTL 1, router alert, right sums; its type, and of version 3 some record."""
    g = socket.inet_aton(group)

    def match(f):
        ip = f[14:]
        if f[12:14] != b"\x08\x00" or ip[9] != 2 or ip[8] != 1 or ip[20:24] != b"\x94\x04\0\0" or csum(ip[:24]) or csum(ip[24:]):
            return False
        m = ip[24:]
        if m[0] != kind:
            return False
        if kind != 0x22:
            return m[4:8] == g and ip[16:20] == g
        return ip[16:20] == socket.inet_aton("224.0.0.22") and any(
            m[8 + 8 * i] == record and m[12 + 8 * i:16 + 8 * i] == g for i in range(struct.unpack("!H", m[6:8])[0]))
    return match


def mld(record, group):
    g = socket.inet_pton(socket.AF_INET6, group)

    def match(f):
        ip = f[14:]
        if f[12:14] != b"\x86\xdd" or ip[6:8] != b"\0\1" or ip[40:46] != b"\x3a\0\5\2\0\0" or ip[48] != 143:
            return False
        m = ip[48:]
        return ip[24:40] == socket.inet_pton(socket.AF_INET6, "ff02::16") and any(
            m[8 + 20 * i] == record and m[12 + 20 * i:28 + 20 * i] == g for i in range(struct.unpack("!H", m[6:8])[0]))
    return match


def query4(body):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x94\x04\0\0")
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.66.0.1"))
    body = body[:2] + struct.pack("!H", csum(body)) + body[4:]
    s.sendto(body, ("224.0.0.1", 0))
    s.close()


def query6():
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, b"\0\0\5\2\0\0\1\0")
    s.sendto(struct.pack("!BBHHH16sBBH", 130, 0, 0, 500, 0, bytes(16), 2, 125, 0), ("ff02::1", 0, 0, socket.if_nametoindex("tap0")))
    s.close()


# our host's link-local address is probed for first: its group is told of from then on
lla = None


def own(f):
    global lla
    ip = f[14:]
    if f[12:14] == b"\x86\xdd" and ip[6] == 0 and ip[48] == 143 and ip[8] == 0xFE:
        lla = ip[8:24]
        want = bytes.fromhex("ff0200000000000000000001ff") + lla[13:]
        return mld(4, socket.inet_ntop(socket.AF_INET6, want))(f)
    return False


result(seen(own, 8), "MLDv2: the solicited-node group of our link-local address")
ask("ip4 10.66.0.2")
ask("join %s %d" % (G4, PORT))
result(seen(igmp(0x22, 4, G4)), "IGMPv3: joined")
time.sleep(1.2)
ask("join %s %d" % (G6, PORT))
result(seen(mld(4, G6)), "MLDv2: joined")
time.sleep(1.2)
query4(struct.pack("!BBH4sBBH", 0x11, 10, 0, bytes(4), 2, 125, 0))
result(seen(igmp(0x22, 2, G4)), "IGMPv3: a general query of the kernel's is answered")
query6()
result(seen(mld(2, G6)), "MLDv2: a general query of the kernel's is answered")

tx = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tx.sendto(b"four", (G4, PORT))
result(ask("heard") == "four", "a datagram of the kernel's to an IPv4 group")
tx = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
tx.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("tap0"))
tx.sendto(b"six", (G6, PORT))
result(ask("heard") == "six", "a datagram of the kernel's to an IPv6 group")

rx4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rx4.bind(("", PORT + 1))
rx4.settimeout(3)
rx4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.7.7.8") + socket.inet_aton("10.66.0.1"))
rx6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
rx6.bind(("::", PORT + 2))
rx6.settimeout(3)
rx6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
               socket.inet_pton(socket.AF_INET6, "ff05::778") + struct.pack("@I", socket.if_nametoindex("tap0")))


def heard(s):
    try:
        return s.recvfrom(100)
    except TimeoutError:
        return b"", ("", 0)


ask("say 239.7.7.8 %d via" % (PORT + 1))
text, who = heard(rx4)
result(text == b"via" and who[0] == "10.66.0.2", "our datagram to an IPv4 group that the kernel is in")
ask("say ff05::778 %d via6" % (PORT + 2))
text, who = heard(rx6)
result(text == b"via6" and who[0].startswith("fe80::"), "our datagram to an IPv6 group that the kernel is in")

ask("leave " + G6)
result(seen(mld(3, G6)), "MLDv2: left")
query4(struct.pack("!BBH4s", 0x11, 10, 0, bytes(4)))
result(seen(igmp(0x16, 0, G4)), "IGMPv2: its query is answered in its version")
ask("leave " + G4)
result(seen(lambda f: f[12:14] == b"\x08\x00" and f[23] == 2 and f[38] == 0x17 and f[30:34] == socket.inet_aton("224.0.0.2")),
       "IGMPv2: left")

pcap = os.path.join(DIR, "frames.pcap")
with open(pcap, "wb") as f:
    f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for b in frames:
        f.write(struct.pack("=IIII", 0, 0, len(b), len(b)) + b)
if shutil.which("tshark"):
    wrong = "(_ws.malformed and (igmp or icmpv6)) or igmp.checksum.status == 0 or icmpv6.checksum.status == 0"
    bad = subprocess.run(["tshark", "-r", pcap, "-Y", wrong], capture_output=True, text=True)
    result(bad.returncode == 0 and not bad.stdout, "tshark finds no malformed report in %d frames" % len(frames))
else:
    result(True, "tshark # SKIP not installed")
peer.stdin.close()
peer.wait(5)
PY
if ! timeout -k 2 50 unshare -n python3 "$dir/run.py" "$PEER" "$dir" 2> "$dir/err"; then
	echo "not ok - the run ended early"
	sed 's/^/# /' "$dir/err"
	exit 1
fi
