"""Send numbered datagrams; tell which came back. UDP promises nothing: some may be missing, none may be wrong."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 5001
count = int(sys.argv[3]) if len(sys.argv) > 3 else 10

server = (socket.gethostbyname(host), port)
missing, wrong, came = set(range(count)), 0, 0

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(1)
    for number in range(count):
        client.sendto(b"datagram %d" % number, server)
    while missing:
        try:
            data, address = client.recvfrom(65535)
        except socket.timeout:
            break
        came += 1
        words = data.split()
        if address == server and len(words) == 2 and words[0] == b"datagram" and int(words[1]) < count:
            missing.discard(int(words[1]))
        else:
            wrong += 1

print(f"sent {count}, came back {count - len(missing)}, missing {len(missing)}, wrong {wrong}")
sys.exit(1 if wrong else 0)
