#!/usr/bin/env python3
# timeout: 60
"""mail_send.py - `via mail send`: against servers of this file on loopback that say what a case needs, and in a lab.

Exit status and what is said are swaks'; where swaks is installed it is asked the same and must end the same way."""
import email
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
LAB = """name: post
topology:
  nodes: {home: {kind: host}, mail: {kind: host, services: {smtp: {maildir: box, mailboxes: [alice, bob]}}}}
  links:
    - {endpoints: ["home:eth1", "mail:eth1"], impairments: {delay: 2ms, loss: 2%}}
"""
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="viamail")


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    if not good:
        for a in about:
            print("# " + str(a)[:800].replace("\n", "\n# "))
    sys.stdout.flush()


def run(*argv, stdin=b""):
    p = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, cwd=work)
    p.stdout, p.stderr = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    return p


class Server(threading.Thread):
    """One conversation. `answers`: what is said instead of the usual word, by the command's first letters; None: hang up."""
    USUAL = {"": "220 here", "EHLO": "250-here\r\n250-SIZE 10000\r\n250-8BITMIME\r\n250 PIPELINING", "HELO": "250 here", "MAIL": "250 ok",
             "RCPT": "250 ok", "DATA": "354 go on", ".": "250 kept", "QUIT": "221 bye"}

    def __init__(self, **answers):
        super().__init__(daemon=True)
        self.answers = {**self.USUAL, **{k.replace("GREETING", "").replace("END", "."): v for k, v in answers.items()}}
        self.heard, self.text = [], b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.port = str(self.listener.getsockname()[1])
        self.start()

    def say(self, key):
        word = self.answers[key]
        if word is not None:
            self.s.sendall(word.encode() + b"\r\n")
        return word is not None

    def run(self):
        try:
            self.s, _ = self.listener.accept()
            self.s.settimeout(10)
            f = self.s.makefile("rb")
            going = self.say("")
            while going and (line := f.readline()):
                word = line.decode().strip()
                self.heard.append(word)
                key = word[:4].upper()
                if key == "RCPT" and word in self.answers:
                    key = word
                going = self.say(key) and key != "QUIT"
                if key == "DATA" and self.answers[key][:3] == "354":
                    while (line := f.readline()) != b".\r\n" and line:
                        self.text += line
                    going = self.say(".")
            f.close()
            self.s.close()
        except OSError:
            pass
        self.listener.close()


def send(server, *more, client=None, stdin=b""):
    argv = client or [VIA, "mail", "send"]
    p = run(*argv, "--to", "alice@mail.lab", "--from", "bob@home.lab", "--helo", "home.lab", "--server", "127.0.0.1", "--port",
            server.port, *more,
            stdin=stdin)
    server.join(10)
    return p


def check_statuses():
    swaks = [shutil.which("swaks")] if shutil.which("swaks") else None
    for name, status, answers in (
            ("all is taken", 0, {}), ("it greets with 554", 21, {"GREETING": "554 no"}), ("EHLO is refused, HELO is not", 0,
                {"EHLO": "502 no"}),
            ("both are", 22, {"EHLO": "502 no", "HELO": "550 no"}), ("the sender is refused", 23, {"MAIL": "550 no"}),
            ("the recipient is", 24, {"RCPT": "550 no", "DATA": "503 no"}), ("DATA is", 25, {"DATA": "451 no"}),
            ("the text is", 26, {"END": "554 no"}), ("QUIT is, but the mail is sent", 0, {"QUIT": "500 no"}), ("it hangs up at MAIL", 6,
                {"MAIL": None}),
            ("it hangs up at the end of the text", 6, {"END": None})):
        p = send(Server(**answers))
        about = [f"status {p.returncode}", p.stdout, p.stderr]
        good = p.returncode == status and (status == 0) == (p.stderr == "")
        if swaks:
            q = send(Server(**answers), client=swaks)
            good = good and q.returncode == status
            about += [f"swaks {q.returncode}", q.stdout, q.stderr]
        case(f"{name}: {status}", good, *about)
    p = run(VIA, "mail", "send", "--to", "a@b", "--from", "c@d", "--server", "127.0.0.1:1")
    case("nobody listens: 2", p.returncode == 2 and "cannot connect to 127.0.0.1:1: Connection refused" in p.stderr, p.returncode, p.stderr)
    p = run(VIA, "mail", "send", "--to", "a@b", "--from", "c@d", "--server", "nowhere.invalid")
    case("no such server: 2", p.returncode == 2 and "cannot connect to nowhere.invalid:25" in p.stderr, p.returncode, p.stderr)
    silent = socket.create_server(("127.0.0.1", 0))
    p = run(VIA, "mail", "send", "--to", "a@b", "--from", "c@d", "--timeout", "0.3", "--server", f"127.0.0.1:{silent.getsockname()[1]}")
    case("it says nothing: 6", p.returncode == 6 and "the server says nothing" in p.stderr, p.returncode, p.stderr)
    silent.close()


def check_words():
    for words, said in ((["--from", "c@d"], "to whom?"), (["--to", "alice"], "no address"), (["--to", "a@b,c"], "'c' is no address"),
                        (["--to", "a@b", "--from", "x y"], "no address"), (["--to", "a@b", "--header", "Subject"], "Name: value"),
                        (["--to", "a@b", "--port", "x"], "--port"), (["--to", "a@b", "--server", ""], "which server?"),
                        (["--to", "a@b", "--body", "@/nonexistent/x"], "/nonexistent/x: No such file"), (["--tow", "a@b"],
                            "did you mean '--to'?"),
                        (["--to", "a@b", "--helo", "a b"], "--helo is"), (["--to", "a@b"] + ["--body", "x"] * 64, "more than 64 options")):
        p = run(VIA, "mail", "send", *words)
        case(f"{' '.join(words)[:40]}: 2 and a sentence", p.returncode == 2 and said in p.stderr and p.stderr.count("\n") == 1,
             p.returncode, p.stderr)


def check_text():
    s = Server()
    p = send(s, "--header", "Subject: a word", "--header", "X-Other: 1", "--body", ".one\\n..two\\nthree")
    m = email.message_from_bytes(s.text)
    lines = s.text.split(b"\r\n\r\n", 1)[1]
    case("head: the usual lines, --header instead of or besides", m["Subject"] == "a word" and m["X-Other"] == "1" and
         m["To"] == "alice@mail.lab" and
         m["From"] == "bob@home.lab" and m["Date"] and m["Message-Id"].endswith("@home.lab>") and len(m.keys()) == 6, s.text)
    case("body: dots doubled, CRLFs, the last line ended", lines == b"..one\r\n...two\r\nthree\r\n", lines)
    case("the transcript is swaks'",
         p.stdout.startswith(f"=== Trying 127.0.0.1:{s.port}...\n=== Connected to 127.0.0.1.\n<-  220 here\n -> EHLO home.lab\n")
         and " -> ..one\n" in p.stdout and p.stdout.endswith("<-  221 bye\n=== Connection closed with remote host.\n"), p.stdout)
    s = Server()
    send(s, "--data", "-", stdin="Subject: x\n\nzwölf\n".encode())
    said = s.heard[1]
    case("--data - is sent as it is, with SIZE and BODY=8BITMIME", s.text == "Subject: x\r\n\r\nzwölf\r\n".encode() and
         said == "MAIL FROM:<bob@home.lab> SIZE=22 BODY=8BITMIME", s.text, said)
    data = bytes(range(256)) * 9 + b"x"
    with open(os.path.join(work, "a file"), "wb") as f:
        f.write(data)
    s = Server()
    send(s, "--body", "see there", "--attach", "@a file")
    parts = email.message_from_bytes(s.text).get_payload()
    case("--attach: two parts, the file as it was", len(parts) == 2 and parts[0].get_payload() == "see there" and
         parts[1].get_payload(decode=True) == data and parts[1].get_filename() == "a file" and max(map(len,
             s.text.split(b"\r\n"))) <= 76, s.text)
    s = Server()
    p = send(s, "--data", "@a file", "--body", "x", stdin=b"")
    case("octets of any value are sent without bare CR or LF", p.returncode == 0 and
         s.text.count(b"\n") == s.text.count(b"\r\n") == s.text.count(b"\r"), p.stderr)
    s = Server(GREETING="220 \x1b[31mred\x07")
    case("a server does not steer the terminal", "\x1b" not in send(s).stdout)
    s = Server()
    with open(os.path.join(work, "large"), "wb") as f:
        f.write(b"x\n" * 5000)
    p = send(s, "--data", "@large")
    case("larger than the server says it takes: 23, nothing is sent", p.returncode == 23 and s.heard == ["EHLO home.lab", "QUIT"] and
         "larger than the server takes" in p.stderr, p.returncode, p.stderr, s.heard)


def check_several():
    s = Server(**{"RCPT TO:<carol@mail.lab>": "550 nobody"})
    p = send(s, "--to", "carol@mail.lab,dave@mail.lab")
    case("three recipients, one is refused: sent to the others", p.returncode == 0 and
         "<carol@mail.lab>: not for this one: 550" in p.stderr and s.text and
         s.heard[2:5] == [f"RCPT TO:<{n}@mail.lab>" for n in ("alice", "carol", "dave")], p.returncode, p.stderr, s.heard)
    s = Server(**{"RCPT TO:<carol@mail.lab>": "550 nobody"})
    p = send(s, "--to", "carol@mail.lab", client=[VIA, "-j", "mail", "send"])
    o = json.loads(p.stdout)
    case("-j tells the same", o["sent"] is True and o["status"] == 0 and o["code"] == 250 and
         o["recipients"] == [{"to": "<alice@mail.lab>", "code": 250}, {"to": "<carol@mail.lab>", "code": 550}], o)
    s = Server()
    p = send(s, client=[VIA, "-q", "mail", "send"])
    case("-q says nothing", p.returncode == 0 and p.stdout == p.stderr == "", p.stdout, p.stderr)


def check_lab():
    with open(os.path.join(work, "lab.yaml"), "w") as f:
        f.write(LAB)
    with open(os.path.join(work, "mail.eml"), "w") as f:
        f.write("Subject: x\n\n" + "".join(f"{'.' * (n % 3)}line {n}\n" for n in range(8000)))
    p = run(VIA, "-q", "lab", "exec", "-t", "lab.yaml", "home", "--", VIA, "-q", "mail", "send", "--to", "alice@mail.lab", "--data",
            "@mail.eml")
    folder = os.path.join(work, "box", "alice", "new")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    stored = open(os.path.join(folder, names[0]), newline="").read() if len(names) == 1 else ""
    sent = open(os.path.join(work, "mail.eml")).read().replace("\n", "\r\n")
    case("on a node: through our TCP into our mail service, octet by octet", p.returncode == 0 and stored.endswith(sent) and
         stored.startswith("Return-Path: <") and stored.count("\r\n") == sent.count("\r\n") + 5, p.returncode, p.stdout, p.stderr, names)
    p = run(VIA, "-q", "lab", "exec", "-t", "lab.yaml", "home", "--", VIA, "mail", "send", "--to", "carol@mail.lab", "--from", "<>")
    case("nobody has that name: 24", p.returncode == 24 and "550 5.1.1" in p.stderr and "MAIL FROM:<>" in p.stdout, p.returncode,
         p.stdout, p.stderr)


def main():
    try:
        check_statuses()
        check_words()
        check_text()
        check_several()
        check_lab()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{n_cases}")
    return 1 if failed else 0


sys.exit(main())
