"""Ask the host for ports: for a certain one, for the same again, for any that is free."""
import socket

first, second = socket.socket(), socket.socket()
first.bind(("", 5000))
print("asked for port 5000, got", first.getsockname()[1])
try:
    second.bind(("", 5000))
except OSError as e:
    print("asked for port 5000 again:", e.strerror)
second.bind(("", 0))
print("asked for any port, got one that nobody has:", second.getsockname()[1] not in (0, 5000))
