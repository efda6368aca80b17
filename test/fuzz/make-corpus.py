#!/usr/bin/env python3
"""make-corpus.py: write the seed inputs of the fuzz targets into corpus/NAME/.

The results are committed; this says where they come from. Those of drill are scripts, written by hand."""
import os, struct, sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def csum(b):
    b += b"\0" * (len(b) & 1)
    s = sum(struct.unpack(">%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip4(payload=b"", proto=6, opts=b"", ttl=64, frag=0x4000):
    ihl = 5 + len(opts) // 4
    h = struct.pack(">BBHHHBBHII", 0x40 | ihl, 0, ihl * 4 + len(payload), 7, frag, ttl, proto, 0, 0x0A000001, 0x0A000002) + opts
    return h[:10] + struct.pack(">H", csum(h)) + h[12:] + payload


def ip6(payload=b"", nxt=6, hops=64, first=0x60000000):
    both = bytes.fromhex("20010db8" + "00" * 11 + "01" "20010db8" + "00" * 11 + "02")
    return struct.pack(">IHBB", first, len(payload), nxt, hops) + both + payload


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(options, dlt=1):
    return block(1, struct.pack("<HHI", dlt, 0, 0) + options + option(0, b""))


def packet(frame, options=b"", iface=0, wire=0):
    return block(6, struct.pack("<IIIII", iface, 5, 6, len(frame), wire or len(frame)) + frame + bytes(-len(frame) % 4) + options)


def tcp(flags, opts=b"", payload=b""):
    return struct.pack(">HHIIBBHHH", 40000, 80, 0x11223344, 0x55667788, (5 + len(opts) // 4) << 4, flags, 65535, 0, 0) + opts + payload


def name(text):
    return b"".join(bytes([len(x)]) + x for x in text.encode().split(b".") if x) + b"\0"


def dns(text, qtype=1, flags=0x0100, extra=b"", n_extra=0):
    return struct.pack(">HHHHHH", 0x1234, flags, 1, 0, 0, n_extra) + name(text) + struct.pack(">HH", qtype, 1) + extra


def dhcp(op, kind, options, yiaddr=0, ciaddr=0, sname=b"", file=b""):
    head = struct.pack(">BBBBIHHIIII", op, 1, 6, 0, 0x11223344, 0, 0x8000, ciaddr, yiaddr, 0, 0) + bytes.fromhex("020000000001") + bytes(10)
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + bytes.fromhex("63825363" "3501") + bytes([kind]) + options + b"\xff"


SERVER_ID = bytes.fromhex("36040a000001")
GRANT = SERVER_ID + bytes.fromhex("3304000000b4" "0104ffffff00" "03040a0000fe" "060408080808" "1a0205dc")
OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0)
SYN = bytes.fromhex("020405b40402080a000000010000000201030307")
SACK = bytes.fromhex("0101080a0000000100000002" "0101050a0000000800000009")
MAC = bytes.fromhex("ffffffffffff020000000001")
ARP = bytes.fromhex("0001080006040001" "0200000000010a000001" "0000000000000a000002")
GET = b"GET /index.html?x=1 HTTP/1.1\r\nHost: sina.lab\r\n"
MAIL = b"EHLO h\r\nMAIL FROM:<me@h> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<@r:\"a b\"@[10.0.0.1]>\r\nDATA\r\n"
EHLO_ALL = b"220-a\r\n220 b\r\n250-h\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
HTTP_11 = b" HTTP/1.1\r\nHost: a\r\n"


DHCP6_REPLY = bytes.fromhex("07000000" "0001000a00030001020000000001" "0002000a00030001020000000009")


def nd(kind, body, opts=b"", how=0):
    """How it came (bit 0: from ::, bit 1: to a unicast address), then the message."""
    return bytes([how, kind, 0, 0, 0]) + body + opts


LL1, G1 = bytes.fromhex("fe80000000000000000000000000000a"), bytes.fromhex("20010db800000000000000000000000b")
LLA, PIO = bytes.fromhex("020000000b0c"), bytes.fromhex("030440c0000000640000003200000000") + G1
queries = [
    dns("sina.lab"), dns("sina", 28), dns("r1.lab", 255), dns("nobody.lab"), dns("1.0.0.10.in-addr.arpa", 12),
    dns("SINA.LAB", 1, 0x0100, OPT, 1), dns("a-b.c.lab", 1, 0x2800), dns("sina.lab", 1, 0x8180),
    struct.pack(">HHHHHH", 1, 0, 2, 0, 0, 0) + name("a.b") + b"\0\1\0\1\xc0\x0c\0\1\0\1",
]


def rr(owner, kind, data, ttl=60):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def told(which, flags, counts, *records):
    """What was asked (fuzz_dns_ask.c), then a header and the records behind the question."""
    return bytes([which]) + struct.pack(">HHHHHH", 0, flags, 1, *counts) + b"".join(records)


WWW, SOA = b"\xc0\x0c", name("ns.lab") + b"\xc0\x10" + struct.pack(">IIIII", 1, 2, 3, 4, 5)

SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
HOPS = bytes.fromhex("3c00" "0104" "00000000")

CORPUS = {
    "eth": [MAC + b"\x08\x06" + ARP, MAC + b"\x81\x00\x00\x2a\x08\x00" + ip4(), MAC],
    "arp": [ARP, ARP[:7] + b"\x02" + ARP[8:], ARP + b"\0" * 18],
    "ip4": [
        ip4(tcp(2)), ip4(b"x" * 8, 17), ip4(b"", 1, bytes.fromhex("8307040000000000")),
        ip4(b"abcd", 6, b"\x01\x01\x01\x00", 1, 0x2001), ip4() + b"\0" * 26,
    ],
    "frag": [
        # key, offset and MF, length, options and unit of 8, ECN: in order, backwards with options, overlapping, small ones between large
        bytes.fromhex("002000c88000" "0020c8c88000" "000190640000"),
        bytes.fromhex("002190646002" "002000c8b003" "0020c8c89002"),
        bytes.fromhex("042000c88000" "042064c88000" "040190640000"),
        bytes.fromhex("002000c88000" "0020c8088000" "0020d0808000" "000150640000"),
    ],
    "ip6": [ip6(tcp(2)), ip6(b"", 59), ip6(b"x" * 8, 17, 1, 0x6ABCDEF1), ip6(b"abc")[:41]],
    "ext6": [
        # the first header, how, limit of headers; the payload
        b"\x06\x80\x08" + tcp(2), b"\x00\x80\x08" + HOPS + b"\x06\x00\x01\x04" + bytes(4) + tcp(2),
        b"\x3c\x81\x08" + bytes.fromhex("3a01" "c302aabb" "010600000000" "00000000") + b"\x80" + bytes(7),
        b"\x2b\x80\x08" + bytes.fromhex("0600" "0400" "00000000") + tcp(2),
        b"\x2b\x82\x08" + bytes.fromhex("0600" "0001" "00000000") + tcp(2),
        b"\x2c\x80\x08" + bytes.fromhex("1100" "0001" "00000007") + b"x" * 8,
        b"\x2c\x80\x08" + bytes.fromhex("1100" "0010" "00000007") + b"x" * 8,
        b"\x2c\x80\x08" + bytes.fromhex("3c00" "0000" "00000007" "0600" "0104" "00000000") + tcp(2),
        b"\x00\x88\x02" + HOPS + HOPS + HOPS + bytes(8), b"\x3c\x14\x08" + bytes.fromhex("3b00" "8200" "c100" "0000"),
    ],
    "icmp4": [
        bytes.fromhex("0800f7fe00010002") + b"ping", bytes.fromhex("0304000000000578") + ip4(tcp(16)[:8]),
        bytes.fromhex("0b00000000000000"),
    ],
    "icmp4_quote": [
        ip4(tcp(16)[:8]), ip4(b"\x9c\x40\0\x35\0\x08\0\0", 17), ip4(b"\x08\0\0\0\x12\x34\0\x01", 1),
        ip4(tcp(16)[:8], 6, b"\x01\x01\x01\x00"),
    ],
    "icmp6": [
        bytes.fromhex("8000f7fe00010002") + b"ping", ip6(tcp(16)[:8]), ip6(b"\x9c\x40\0\x35\0\x08\0\0", 17),
        ip6(b"\x80\0\0\0\x12\x34\0\x01", 58), ip6(HOPS + b"\x06\0\x01\x04" + bytes(4) + tcp(16)[:8], 0),
        ip6(bytes.fromhex("1100" "0001" "00000007") + b"\0\x35\0\x36\0\x08\0\0", 44),
        ip6(bytes.fromhex("1100" "0008" "00000007") + bytes(8), 44),
    ],
    "udp": [
        struct.pack(">HHHH", 40000, 53, 12, 0) + b"abcd", struct.pack(">HHHH", 1, 2, 8, 0xFFFF) + b"pad",
        struct.pack(">HHHH", 1, 2, 7, 0),
    ],
    "tcp": [
        tcp(2, SYN), tcp(18, SYN), tcp(16, SACK, b"data"), tcp(17), tcp(4), tcp(2, b"\x02\x00\x00\x00"),
        tcp(2, b"\x63\x05abc\x02\x04\x05\xb4\x00\x00\x00"), tcp(16, b"\x01\x01\x05\x22" + bytes(32)),
    ],
    "addr": [
        b"10.0.0.1", b"255.255.255.255/32", b"0.0.0.0/0", b"1.2.3", b"01.2.3.4",
        bytes.fromhex("20010db8000000000000000000000001") + b"\x40", bytes(10) + b"\xff\xff\x0a\x00\x00\x01\x18",
    ],
    "dhcp": [b"\0" + dhcp(1, 1, bytes.fromhex("3d0701020000000001")), b"\0" + dhcp(1, 3, SERVER_ID + bytes.fromhex("32040a000064"))] +
    [bytes([how]) + dhcp(2, kind, GRANT, 0x0A000064) for how in (2, 3, 7) for kind in (2, 5)] + [
        b"\3" + dhcp(2, 6, SERVER_ID), b"\0" + dhcp(1, 4, SERVER_ID + bytes.fromhex("32040a000064")),
        b"\0" + dhcp(1, 3, b"", 0, 0x0A000065), b"\0" + dhcp(1, 7, SERVER_ID, 0, 0x0A000064),
        b"\2" + dhcp(2, 2, bytes.fromhex("340103") + SERVER_ID, 0x0A000064, 0, b"\x33\4\0\0\0\5\xff", b"\x79\x05\0\x0a\0\0\1\xff"),
    ],
    "dhcp6": [
        b"\0" + DHCP6_REPLY + bytes.fromhex("00170010" "20010db8000000000000000000000053" "0020000400000384" "0053000400000e10"),
        b"\1" + bytes.fromhex("0b123456" "0001000a00030001020000000001" "0006000400170020" "000800020000"),
        b"\1" + bytes.fromhex("0b123456" "0002000a00030001020000000009"), b"\1" + bytes.fromhex("0b123456" "0003000400000000"),
    ],
    "nd": [
        nd(133, bytes(4), b"\1\1" + LLA), nd(133, bytes(4), b"", 1),
        nd(134, bytes.fromhex("40c80708000075300000038b"[:24]), b"\1\1" + LLA + b"\5\1\0\0\0\0\5\xdc" + PIO + PIO),
        nd(135, bytes(4) + G1, b"\1\1" + LLA + b"\x0e\1noncex"), nd(136, b"\xe0\0\0\0" + G1, b"\2\1" + LLA, 2),
        nd(137, bytes(4) + LL1 + G1, b"\2\1" + LLA + b"\4\3" + bytes(22)), nd(135, bytes(4) + G1, b"\1\0" + LLA),
    ],
    "group": [
        bytes.fromhex("11640000" "e1010203"), bytes.fromhex("11000000" "00000000"), bytes.fromhex("16000000" "e1010203"),
        bytes.fromhex("11640000" "e1010203" "027d0002" "0a000001" "0a000002"), bytes.fromhex("119f0000" "00000000" "0aff0000"),
        bytes.fromhex("82000000" "27100000") + bytes(16), bytes.fromhex("82000000" "90000000") + G1 + bytes.fromhex("027d0001") + LL1,
        bytes.fromhex("83000000" "00000000" "ff02") + bytes(13) + b"\x16", bytes.fromhex("8f000000" "00000000"),
        bytes.fromhex("82000000" "90000000" "ff05") + bytes(13) + b"\2" + bytes.fromhex("0a8f0001") + LL1,
    ],
    "dns": queries,
    "dns_ask": [
        told(0, 0x8180, (2, 0, 0), rr(WWW, 1, b"\x0a\0\0\1"), rr(name("other"), 1, b"\x0a\0\0\2")),
        told(0, 0x8180, (2, 0, 1), rr(WWW, 5, b"\3cdn\xc0\x10"), rr(name("CDN.sina.lab"), 1, b"\x0a\0\0\1", 9), OPT),
        told(128, 0x8183, (0, 1, 0), rr(name("lab"), 6, SOA)), told(1, 0x8380, (0, 0, 0)), told(1, 0x8182, (0, 0, 0)),
        told(3, 0x8180, (1, 0, 0), rr(WWW, 15, b"\0\x0a\xc0\x0c")), told(4, 0x8180, (1, 0, 0), rr(WWW, 16, b"\3abc")),
        told(6, 0x8180, (1, 0, 0), rr(WWW, 33, bytes(6) + WWW)), told(7, 0x8180, (1, 0, 0), rr(WWW, 28, bytes(16), 1 << 31)),
        told(2, 0x8180, (1, 0, 0), rr(WWW, 5, WWW)), told(0x87, 0x8180, (1, 0, 0), rr(WWW, 41, b"")),
    ],
    "dns_serve": [b"\0" + q for q in queries] + [b"\1" + queries[0]],
    "http": [
        b"\x00" + GET + b"\r\n",
        b"\x03" + GET + b"Range: bytes=2-5\r\nConnection: close\r\n\r\n",
        b"\x07" + GET + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + GET + b"\r\n",
        b"\x01POST /x" + HTTP_11 + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHEAD /a%20b/" + HTTP_11 + b"\r\n",
        b"\x05GET /%2e%2e/x HTTP/1.0\r\nConnection: keep-alive\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
        b"/a/%2e./b",
        b"\x02PRI * HTTP/2.0\r\n\r\n",
    ],
    "rules": [
        b"-A FORWARD -i eth1 -o eth2 ! -s 10.0.0.0/8 -d 2001:db8::/32 -p tcp --dport 80:90 --tcp-flags SYN,ACK SYN -j ACCEPT",
        b"-A INPUT -p icmp --icmp-type 3/4 -m conntrack ! --ctstate NEW,RELATED -m limit --limit 3/minute --limit-burst 7 -j DROP",
        b"-A OUTPUT -p udp --sport :53 -j REJECT --reject-with icmp-port-unreachable", b"-P FORWARD DROP", b"-F INPUT",
        b"tcp 80 -> 10.0.0.2:8080", b"udp 5000-5010 -> 10.0.0.2",
        b"-A INPUT -i sixteen-letters. -j DROP", b"-A INPUT -s ::1/128 -p ipv6-icmp -j ACCEPT",
    ],
    "dump_read": [
        SECTION + interface(option(2, b"home:eth1") + option(9, b"\x09")) + packet(MAC + b"\x08\x00" + ip4(), option(1, b"data: new data")),
        SECTION + interface(b"", 101) + interface(option(9, b"\x86")) + packet(ip4(), b"", 0, 1500) + packet(b"", b"", 1)
        + block(5, bytes(16)),
        SECTION + packet(b"x"), SECTION + SECTION[:20], SECTION + interface(b"")[:-4] + b"\0\0\0\1",
    ],
    "frame_text": [
        b"\1" + ip4(tcp(2, SYN)), b"\1" + ip6(tcp(18, SACK, b"data")), b"\0" + MAC + b"\x08\x06" + ARP,
        b"\0" + MAC + b"\x81\x00\x00\x2a\x86\xdd" + ip6(b"", 59),
        b"\1" + ip4(bytes.fromhex("0304000000000578") + ip4(tcp(16)[:8]), 1), b"\1" + ip6(b"\x87" + bytes(7) + G1, 58),
        b"\1" + ip6(bytes.fromhex("1100" "0001" "00000007") + b"x" * 8, 44),
        b"\7" + ip4(b"\x9c\x40\0\x35\0\x08\0\0", 17), b"\1" + ip4(b"abcd", 6, b"", 9, 0x2001),
    ],
    "smtp": [
        b"\x00\x00" + MAIL + b"Received: x\r\n\r\n..\r\nhi\r\n.\r\nQUIT\r\n",
        b"\x05\x00" + MAIL + b"hi\n.\r\nMAIL FROM:<>\r\n\r\n.\r\nRSET\r\nVRFY x\r\nHELP\r\n",
        b"\x02\x18HELO [IPv6:::1]\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n", b"\x01\x05" + MAIL + b"x\r\n.\r\nNOOP\n",
    ],
    "smtp_client": [
        b"\x00\x01" + EHLO_ALL + b"250 a\r\n250 b\r\n550 c\r\n354 d\r\n250 e\r\n221 f\r\n",
        b"\x04\x42" + EHLO_ALL + b"250 a\r\n550 b\r\n354 d\r\n250 e\r\n421 f\r\n",
        b"\x02\x03220 a\r\n500 b\r\n250 c\r\n250\r\n250\r\n354\r\n554\r\n221\r\n", b"\x02\x30220 a\r\n250 b\r\n554 c\r\n",
    ],
}

for target, inputs in CORPUS.items():
    os.makedirs(os.path.join(ROOT, target), exist_ok=True)
    for i, data in enumerate(inputs):
        with open(os.path.join(ROOT, target, "%02d" % i), "wb") as f:
            f.write(data)
sys.stdout.write("%d files\n" % sum(len(x) for x in CORPUS.values()))
