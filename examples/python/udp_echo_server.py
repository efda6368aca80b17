"""Send each datagram back to where it came from."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else ""
port = int(sys.argv[2]) if len(sys.argv) > 2 else 5001

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind((host, port))
    print("listening on port", server.getsockname()[1], flush=True)
    while True:
        data, address = server.recvfrom(65535)
        server.sendto(data, address)
