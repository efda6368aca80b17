"""Wait for connections; send back whatever each client says."""
import socket
import sys
import threading

host = sys.argv[1] if len(sys.argv) > 1 else ""
port = int(sys.argv[2]) if len(sys.argv) > 2 else 5000


def serve(connection, address):
    with connection:
        while True:
            data = connection.recv(4096)
            if not data:  # the client has closed its side
                break
            connection.sendall(data)
    print("goodbye", *address, flush=True)


with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    print("listening on port", listener.getsockname()[1], flush=True)
    while True:
        connection, address = listener.accept()
        print("hello", *address, flush=True)
        threading.Thread(target=serve, args=(connection, address), daemon=True).start()
