"""INFO and the ports file: what a server says of itself."""

import json
import os
import re

from scenarios.scene import check, scenario, wait_for
from wire import Connection

INFO_FIELDS = {
    "server_id": str, "server_name": str, "version": str, "proto": int, "go": str, "host": str,
    "port": int, "headers": bool, "max_payload": int, "client_id": int, "client_ip": str,
}


@scenario("info: fields and their types")
def info_fields(scene):
    info = Connection.with_info(scene.server.port).info
    for name, kind in INFO_FIELDS.items():
        check(type(info.get(name)) is kind, f"{name} is {info.get(name)!r}, no {kind.__name__}")
    check(info["server_id"] and info["server_name"], "a name is empty")
    check(re.fullmatch(r"\d+\.\d+\.\d+.*", info["version"]), f"version {info['version']!r}")
    check(info["proto"] == 1, f"proto is {info['proto']}")
    check(info["port"] == scene.server.port, f"port is {info['port']}")
    check(info["host"] == info["client_ip"] == "127.0.0.1", f"addresses of {info}")
    check(info["headers"] is True, "headers is not true")
    check(info["max_payload"] == 1 << 20, f"max_payload is {info['max_payload']}")
    for name in ("auth_required", "tls_required", "ldm", "connect_info"):
        check(not info.get(name), f"{name} is {info[name]!r}" if name in info else "")
    if scene.kind == "peal":
        check(isinstance(info.get("peal_version"), str), "peal_version is missing")


@scenario("info: clients can use the version that it tells")
def info_version_is_recent(scene):
    # Clients hold features back from servers whose version they think too old.
    info = Connection.with_info(scene.server.port).info
    version = tuple(int(part) for part in re.findall(r"\d+", info["version"])[:3])
    check(version >= (2, 9, 0), f"version {info['version']!r} makes clients hold back")


@scenario("info: every connection has an id of its own")
def info_client_ids(scene):
    ids = [Connection.with_info(scene.server.port).info["client_id"] for _ in range(20)]
    check(len(set(ids)) == len(ids), f"ids {ids}")


@scenario("info: every connection hears of the same server")
def info_server_id(scene):
    ids = {Connection.with_info(scene.server.port).info["server_id"] for _ in range(8)}
    check(len(ids) == 1, f"ids {ids}")


@scenario("info: the one after the first PONG says more of the same")
def info_connect_info(scene):
    connection = Connection.with_info(scene.server.port)
    first = connection.info
    connection.send(b'CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n')
    connection.expect(b"PONG\r\n")
    second = connection.read_info()
    check(second.get("connect_info") is True, "connect_info is not true")
    check(second.get("remote_account") == "$G", f"remote_account {second.get('remote_account')!r}")
    for name, value in first.items():
        check(second.get(name) == value, f"{name} was {value!r}, is {second.get(name)!r}")


@scenario("info: a server's name is configured", config='server_name: "a-name"')
def info_server_name(scene):
    info = Connection.with_info(scene.server.port).info
    check(info["server_name"] == "a-name", f"server_name is {info['server_name']!r}")
    check(info["server_id"] != "a-name", "server_id became the name")


@scenario("info: a flag names the server", flags=["-n", "flagged"], config="server_name: filed")
def info_server_name_flag(scene):
    info = Connection.with_info(scene.server.port).info
    check(info["server_name"] == "flagged", f"server_name is {info['server_name']!r}")


@scenario("ports file: says where the server listens, and goes with it", alone=True)
def ports_file(scene):
    server = scene.server
    name = f"{os.path.basename(server.command[0])}_{server.process.pid}.ports"
    path = os.path.join(server.directory, name)
    wait_for(lambda: os.path.exists(path), "the ports file")
    with open(path, encoding="utf-8") as file:
        ports = json.load(file)
    check(ports.get("nats") == [f"nats://127.0.0.1:{server.port}"], f"nats is {ports.get('nats')}")
    server.signal("TERM")
    wait_for(lambda: not os.path.exists(path), "the ports file's end")
    server.expect_exit(0)
