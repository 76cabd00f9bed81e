"""What a server says to systemd."""

import socket

from scenarios.scene import check, scenario
from wire import PATIENCE_S, Server


@scenario("service: a service manager hears of readiness, reloads, life and the end", alone=True,
          tags=["peal"])
def service_manager(scene):
    path = f"{scene.server.directory}/notify"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(PATIENCE_S)
    server = Server(scene.server.command[0],
                    environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})

    def next_words():
        while (words := manager.recv(4096)) == b"WATCHDOG=1":
            pass
        return words
    try:
        check(next_words() == b"READY=1", "not told that it is ready")
        check(manager.recv(4096) == b"WATCHDOG=1", "no sign of life")
        server.signal("HUP")
        words = next_words()
        check(words.startswith(b"RELOADING=1\nMONOTONIC_USEC="), f"{words}")
        check(next_words() == b"READY=1", "not told that the reload is done")
        server.signal("TERM")
        check(next_words() == b"STOPPING=1", "not told that it stops")
        server.expect_exit(0)
    finally:
        server.kill()
