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
    "icmp4": [
        bytes.fromhex("0800f7fe00010002") + b"ping", bytes.fromhex("0304000000000578") + ip4(tcp(16)[:8]),
        bytes.fromhex("0b00000000000000"),
    ],
    "icmp4_quote": [
        ip4(tcp(16)[:8]), ip4(b"\x9c\x40\0\x35\0\x08\0\0", 17), ip4(b"\x08\0\0\0\x12\x34\0\x01", 1),
        ip4(tcp(16)[:8], 6, b"\x01\x01\x01\x00"),
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
