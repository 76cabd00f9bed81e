"""Who signs a nonce with the key that the server knows him by."""

import base64
import json
import os
import subprocess
import tempfile

from scenarios.scene import scenario
from wire import Connection, Server

USER_PREFIX = 20 << 3  # As base32 it is a U.


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xffff
    return crc


class Key:
    def __init__(self, folder):
        self.file = os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.file], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.file, "-pubout", "-outform", "DER"],
                                check=True, stdout=subprocess.PIPE).stdout[-32:]
        body = bytes([USER_PREFIX]) + public
        self.name = base64.b32encode(body + crc16(body).to_bytes(2, "little")).decode().rstrip("=")

    def sign(self, text):
        with tempfile.NamedTemporaryFile() as nonce:
            nonce.write(text.encode())
            nonce.flush()
            signed = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.file,
                                     "-in", nonce.name], check=True, stdout=subprocess.PIPE).stdout
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def connect_line(**fields):
    return b"CONNECT %s\r\n" % json.dumps({"verbose": False, **fields}).encode()


@scenario("nkeys: who has signed may say CONNECT again, and who has not may not", tags=["auth"])
def signed_twice(scene):
    with tempfile.TemporaryDirectory() as folder:
        key = Key(folder)
        server = Server(scene.server.command[0],
                        "authorization { users = [ { nkey: %s } ] }" % key.name)
        try:
            connection = Connection.with_info(server.port)
            line = connect_line(nkey=key.name, sig=key.sign(connection.info["nonce"]))
            for _ in range(2):
                connection.send(line + b"PING\r\n")
                connection.expect(b"PONG\r\n")
            stranger = Connection.with_info(server.port)
            stranger.send(line + b"PING\r\n")  # Of another's nonce.
            stranger.expect(b"-ERR 'Authorization Violation'\r\n")
            stranger.expect_closed()
            server.stop()
        finally:
            server.kill()
