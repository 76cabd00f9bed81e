"""What a stranger may cost the monitoring port: heads, bodies, connections and time."""

import select
import socket
import time

from watched import PATIENCE_S, Failure, Watched, check, same

CONNECTIONS_MAX = 256
QUIET_S = 10
HOST = b"Host: x\r\n"


def reach(watched, receive_bytes=None):
    made = socket.socket()
    made.settimeout(PATIENCE_S)
    if receive_bytes:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.connect(("127.0.0.1", watched.port))
    return made


def rest_of(connection):
    """All that comes until it is closed; how it is closed does not matter."""
    received = b""
    try:
        while chunk := connection.recv(1 << 16):
            received += chunk
    except ConnectionError:
        pass
    return received


def said(watched, request):
    """The answers to a request that ends the connection, or that the server ends."""
    with reach(watched) as connection:
        try:
            connection.sendall(request)
        except ConnectionError:
            pass
        return rest_of(connection)


def statuses(answers):
    return [int(part.split(b" ", 1)[0]) for part in answers.split(b"HTTP/1.1 ")[1:]]


def case_heads(watched, options):
    """One that is too long, or of too many lines, is not read to its end; one that is large is."""
    end = b"Connection: close\r\n\r\n"
    large = HOST + b"X: " + b"x" * 15_000 + b"\r\n"
    same(statuses(said(watched, b"GET /varz HTTP/1.1\r\n" + large + end)), [200], "15,000 bytes")
    for request in (b"GET /varz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n" + end,
                    b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + end,
                    b"GET /" + b"x" * 200_000):
        check(statuses(said(watched, request)) in ([400], []), f"{request[:20]}")
    many = b"".join(b"X%d: y\r\n" % i for i in range(100))
    same(statuses(said(watched, b"GET /varz HTTP/1.1\r\n" + many + end)), [200], "100 lines")
    same(statuses(said(watched, b"GET /varz HTTP/1.1\r\n" + many * 2 + end)), [], "200 lines")
    same(statuses(said(watched, b"GET /varz HTTP/1.1\r\n" + b":\n" * 8000)), [], "8,000 lines")
    for wrong in (b"\x16\x03\x01\x02\x00\x01", b"CONNECT {}\r\n", b"GET /varz HTTP/9.9\r\n\r\n"):
        check(200 not in statuses(said(watched, wrong + b"\r\n\r\n")), f"{wrong}")


def case_bodies(watched, options):
    """They are read and have no effect; a large one is refused, and none is taken for a request."""
    end = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
    hidden = b"GET /varz HTTP/1.1\r\n\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(hidden)
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    same(statuses(said(watched, b"POST /x HTTP/1.1\r\n" + length + hidden + end)), [405, 200], "POST")
    same(statuses(said(watched, b"POST /x HTTP/1.1\r\n" + chunks + end)), [405, 200], "in chunks")
    same(statuses(said(watched, b"GET /x HTTP/1.1\r\n" + length + hidden + end)), [404, 200], "GET")
    same(statuses(said(watched, b"HEAD /varz HTTP/1.1\r\n" + length + hidden + end)), [200], "HEAD")
    same(statuses(said(watched, b"BREW /varz HTTP/1.1\r\n" + length + hidden + end)), [405], "BREW")
    for large in (b"Content-Length: 20000\r\n\r\n", b"Content-Length: 99999999999999\r\n\r\n",
                  b"Transfer-Encoding: chunked\r\n\r\n9000\r\n"):
        answers = statuses(said(watched, b"POST /x HTTP/1.1\r\n" + large + b"x" * 20_000))
        check(answers in ([413], []), f"{large}: {answers}")
    with reach(watched) as polite:
        polite.sendall(b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        check(polite.recv(100).startswith(b"HTTP/1.1 100 "), "no leave for a body")
        polite.sendall(b"hi" + end)
        same(statuses(rest_of(polite)), [405, 200], "with leave")


def case_pipelined(watched, options):
    """As many answers as requests, in their order; of HTTP/1.0 one."""
    paths = [b"/varz", b"/nope", b"/healthz"] * 100
    asked = b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST) for path in paths[:-1])
    last = b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (paths[-1], HOST)
    same(statuses(said(watched, asked + last)), [200, 404, 200] * 100, "pipelined")
    check(said(watched, b"GET /varz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 "), "HTTP/1.0")


def case_addresses(watched, options):
    """An address may be written with percent signs, and a question may have no answer."""
    for path, status in (("/%76arz", 200), ("/varz?", 200), ("/varz?&&=&a", 200), ("//varz", 200),
                         ("/connz?limit=%31", 200), ("/connz?limit=%zz", 400),
                         ("/connz?limit=1&limit=x", 200), ("/varz%00", 404), ("/%", 404)):
        same(watched.ask(path)[0], status, path)
    same(watched.json("/connz?user=a%2Bb+c")["connections"], [], "a plus")
    absolute = b"GET http://x/varz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    same(statuses(said(watched, absolute)), [200], "a whole URL")
    for form in (b"OPTIONS * HTTP/1.1\r\n",
                 b"CONNECT x:1 HTTP/1.1\r\n"):
        answers = statuses(said(watched, form + b"Connection: close\r\n\r\n"))
        check(answers and answers[0] in (200, 400, 404, 405), f"{form}: {answers}")


def case_crowd(options):
    """Who comes when there are too many waits until one has left."""
    watched = Watched(options)
    crowd = [reach(watched) for _ in range(CONNECTIONS_MAX)]
    try:
        with reach(watched) as late:
            late.sendall(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
            check(not select.select([late], [], [], 0.5)[0], "one too many was answered")
            crowd.pop().close()
            same(statuses(rest_of(late)), [200], "when one has left")
        for each in crowd:
            each.close()
        same(watched.ask("/healthz")[0], 200, "when all have left")
    finally:
        for each in crowd:
            each.close()
        watched.server.stop()


def case_patience(options):
    """Who says nothing, or says it slowly, or reads nothing, is let go; who reads slowly is not."""
    watched = Watched(options)
    many = watched.client("many", b"".join(b"SUB long.subject.of.some.length.%d %d\r\n" % (i, i)
                                           for i in range(40_000)))
    large = b"GET /subsz?subs=1&limit=100000 HTTP/1.1\r\nConnection: close\r\n\r\n"
    endless = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    quiet, dripping, chunked, deaf = (reach(watched, 4096) for _ in range(4))
    slow, slow_bytes_per_s = reach(watched), 450_000
    quiet.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
    chunked.sendall(endless + b"1" * 100_000)
    deaf.sendall(large)
    slow.sendall(large)
    began = time.monotonic()
    read, ended = 0, {}
    try:
        while len(ended) < 4:
            now = time.monotonic() - began
            check(now < QUIET_S * 3, f"after {now:.0f} s {len(ended)} have ended")
            try:
                if dripping not in ended:
                    dripping.sendall(b"G")
            except ConnectionError:
                ended[dripping] = now
            awaited = {quiet, chunked, slow} - ended.keys()
            if read > now * slow_bytes_per_s:
                awaited.discard(slow)
            for each in select.select(awaited, [], [], 0.1)[0]:
                try:
                    got = len(each.recv(60_000))
                except ConnectionError:
                    got = 0
                if each is slow:
                    read += got
                if got == 0:
                    ended[each] = now
        check(ended[chunked] < QUIET_S / 2, "a line without an end was waited for")
        for each in (quiet, dripping):
            check(QUIET_S - 1 < ended[each] < QUIET_S + 4, f"let go after {ended[each]:.1f} s")
        check(ended[slow] > QUIET_S + 1, f"it has read within {ended[slow]:.1f} s")
        whole = len(said(watched, large))
        check(abs(read - whole) < 100, f"{read} bytes of {whole} were read slowly")
        check(len(rest_of(deaf)) < whole - 100, "who reads nothing was waited for")
    except TimeoutError as error:
        raise Failure("one was not let go") from error
    finally:
        for each in (many, quiet, dripping, chunked, deaf, slow):
            each.close()
        watched.server.stop()


SHARED_OURS = [case_heads, case_bodies, case_pipelined, case_addresses]
ALONE = [case_crowd, case_patience]
