#!/usr/bin/env python3
# timeout: 60
"""mail.py - the lab's mail service under other people's clients: curl, Python's smtplib, swaks and msmtp, under `via lab exec`.

What is stored is compared with what was sent, octet by octet, behind the trace lines. Python's own sockets say what no client
says: lines that begin with dots, commands in one piece, and nothing more in the middle of a message."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: post
topology:
  nodes:
    home: {kind: host}
    r: {kind: router}
    mail:
      kind: host
      services:
        smtp: {maildir: box, mailboxes: [alice, bob], size: 70000}
  links:
    - endpoints: ["home:eth1", "r:eth1"]
      impairments: {delay: 2ms, loss: 3%, reorder: 2%}
    - endpoints: ["r:eth2", "mail:eth1"]
"""
# Dots alone, two of them, one before text, empty lines, an octet above 127, a line of the most that is allowed.
TEXT = ("Subject: all that a text may be\r\n\r\n.\r\n..\r\n.a\r\n\r\n\r\ngrüße\r\n" + "x" * 998 + "\r\n.end.\r\n").encode()
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="viamail")
env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    if not good:
        for a in about:
            print("# " + str(a)[:800].replace("\n", "\n# "))
    sys.stdout.flush()


def path(name):
    return os.path.join(work, name)


def on_home(*argv, timeout=20):
    shutil.rmtree(path("box"), ignore_errors=True)
    try:
        return subprocess.run([VIA, "-q", "lab", "exec", "-t", path("lab.yaml"), "home", "--", *argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, env=env, cwd=work)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(argv, "timeout", str(e.stdout), str(e.stderr))


def python(code):
    return on_home(sys.executable, "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(code))


def stored(box):
    """All messages of a mailbox: (trace lines, text)."""
    found = []
    folder = os.path.join(path("box"), box, "new")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as f:
            whole = f.read()
        head = re.match(rb"Return-Path: [^\r]*\r\nReceived: [^\r]*\r\n(?:\t[^\r]*\r\n)+", whole)
        found.append((head.group(0).decode() if head else "", whole[head.end():] if head else whole))
    return found


def left_over():
    return [os.path.join(d, f) for d, _, files in os.walk(path("box")) for f in files]


def one_mail(name, p, box, text, sender="bob@home.lab"):
    mails = stored(box)
    good = p.returncode == 0 and len(mails) == 1 and mails[0][1] == text and mails[0][0].startswith(f"Return-Path: <{sender}>\r\n")
    case(name, good and f"for <{box}@mail.lab>;" in mails[0][0], f"status {p.returncode}", p.stdout, p.stderr, mails)


def refused(name, p, status, *said):
    text = p.stdout + p.stderr
    case(name, p.returncode == status and all(s in text for s in said) and not left_over(), f"status {p.returncode}", text, left_over())


def check_curl():
    def curl(to, file):
        return on_home("curl", "-q", "-sSv", "--max-time", "15", "smtp://mail.lab/home.lab", "--mail-from", "bob@home.lab",
                       "--mail-rcpt", to, "--upload-file", file)
    p = curl("alice@mail.lab", "text.eml")
    one_mail("curl: the mail is stored as it was sent", p, "alice", TEXT)
    case("curl: it said the size first", "SIZE=%d" % len(TEXT) in p.stderr, p.stderr)
    refused("curl: nobody has that name: 550", curl("carol@mail.lab", "text.eml"), 55, "550")
    refused("curl: nothing is relayed: 550", curl("alice@example.org", "text.eml"), 55, "550")
    refused("curl: too large: 552 before any of it is sent", curl("alice@mail.lab", "large.eml"), 55, "552")


PRELUDE = """
    import smtplib, socket
    text = open("text.eml", "rb").read()
    def session():
        s = smtplib.SMTP("mail.lab", 25, "home.lab", timeout=15)
        s.ehlo()
        return s
    def raw(*pieces):
        s = socket.create_connection(("mail.lab", 25), timeout=15)
        f = s.makefile("rb")
        f.readline()
        for p in pieces:
            s.sendall(p)
        return s, f
"""


def check_smtplib():
    p = python("""
        s = session()
        print(sorted(s.esmtp_features))
        print(s.sendmail("bob@home.lab", ["alice@mail.lab"], text, mail_options=["BODY=8BITMIME"]))
        s.quit()""")
    one_mail("smtplib: with BODY=8BITMIME it is stored as it was sent", p, "alice", TEXT)
    offered = all(f"'{w}'" in p.stdout for w in ("pipelining", "size", "8bitmime"))
    case("smtplib: PIPELINING, SIZE and 8BITMIME are offered", offered, p.stdout)
    p = python("""
        s = session()
        print(s.sendmail("bob@home.lab", ["alice@mail.lab", "carol@mail.lab", "Bob@mail.lab"], text))
        s.quit()""")
    case("smtplib: of three recipients two have it, the third is refused", p.returncode == 0 and "'carol@mail.lab': (550" in p.stdout and
         [m[1] for m in stored("alice") + stored("bob")] == [TEXT, TEXT] and len(left_over()) == 2, p.stdout, p.stderr, left_over())
    refused("smtplib: a text that grows beyond the size it did not say", python("""
        s = session()
        s.mail("bob@home.lab"), s.rcpt("alice@mail.lab")
        print(s.data(b"x\\r\\n" * 30000))
        s.quit()"""), 0, "(552")


def check_bytes():
    p = python("""
        s, f = raw(b"EHLO home.lab\\r\\nMAIL FROM:<bob@home.lab>\\r\\nRCPT TO:<alice@mail.lab>\\r\\nDATA\\r\\n",
                   b"\\r\\n".join(b"." + l if l[:1] == b"." else l for l in text.split(b"\\r\\n")), b".\\r\\nQUIT\\r\\n")
        print([l[:4] for l in f])""")
    one_mail("commands in one piece (PIPELINING), the text behind them without a wait", p, "alice", TEXT)
    case("each command has its reply, in order", "b'250 ', b'250 ', b'250 ', b'354 ', b'250 ', b'221 ']" in p.stdout, p.stdout)
    refused("a connection that ends in the middle of a text stores nothing", python("""
        s, f = raw(b"EHLO home.lab\\r\\nMAIL FROM:<bob@home.lab>\\r\\nRCPT TO:<alice@mail.lab>\\r\\nDATA\\r\\n")
        while not f.readline().startswith(b"354"):
            pass
        s.sendall(b"Subject: a\\r\\n\\r\\n" + b"x\\r\\n" * 5000)
        s.shutdown(socket.SHUT_WR)
        print("end", f.read())"""), 0, "end")
    refused("nor does one that is reset there", python("""
        import struct, time
        s, f = raw(b"EHLO home.lab\\r\\nMAIL FROM:<bob@home.lab>\\r\\nRCPT TO:<alice@mail.lab>\\r\\nDATA\\r\\n")
        while not f.readline().startswith(b"354"):
            pass
        s.sendall(b"Subject: a\\r\\n\\r\\n" + b"x\\r\\n" * 5000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        f.close(), s.close()
        time.sleep(0.3)
        print("reset", session().noop())"""), 0, "reset (250")
    refused("a dot between bare line feeds does not end a mail (smuggling): 554", python("""
        s, f = raw(b"HELO home.lab\\r\\nMAIL FROM:<bob@home.lab>\\r\\nRCPT TO:<alice@mail.lab>\\r\\nDATA\\r\\n")
        while not f.readline().startswith(b"354"):
            pass
        s.sendall(b"Subject: a\\r\\n\\r\\nb\\n.\\nMAIL FROM:<x@y>\\r\\n.\\r\\n")
        print("said", f.readline())"""), 0, "said b'554")


def check_others():
    if shutil.which("swaks"):
        p = on_home("swaks", "--to", "alice@mail.lab", "--from", "bob@home.lab", "--server", "mail.lab", "--helo", "home.lab",
                    "--data", "@text.eml", "--pipeline")
        one_mail("swaks: stored as it was sent, with the empty line it adds", p, "alice", TEXT + b"\r\n")
        p = on_home("swaks", "--to", "carol@mail.lab", "--from", "bob@home.lab", "--server", "mail.lab")
        refused("swaks: a recipient nobody has", p, 24, "550")
    if shutil.which("msmtp"):
        p = on_home("sh", "-c", "msmtp -C /dev/null --host=mail.lab --domain=home.lab --from=bob@home.lab --set-from-header=off "
                    "--set-date-header=off --set-msgid-header=off alice@mail.lab < unix.eml")
        one_mail("msmtp: stored as it was sent", p, "alice", TEXT)


def main():
    try:
        for name, data in (("lab.yaml", LAB.encode()), ("text.eml", TEXT), ("unix.eml", TEXT.replace(b"\r\n", b"\n")),
                           ("large.eml", b"Subject: large\r\n\r\n" + b"x\r\n" * 30000)):
            with open(path(name), "wb") as f:
                f.write(data)
        check_curl()
        check_smtplib()
        check_bytes()
        check_others()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{n_cases}")
    return 1 if failed else 0


sys.exit(main())
