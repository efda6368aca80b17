"""Connect, say something, print the echo."""
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
texts = sys.argv[3:] or ["Hello, internet"]

with socket.create_connection((host, port)) as connection:
    print("my port is", connection.getsockname()[1])
    for text in texts:
        said = text.encode()
        connection.sendall(said)
        heard = b""
        while len(heard) < len(said):  # TCP is a stream: an answer may come in pieces
            piece = connection.recv(4096)
            if not piece:
                sys.exit("the server hung up")
            heard += piece
        print(heard.decode())
