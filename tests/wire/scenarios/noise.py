"""Transcripts that chance has spoilt."""

import os
import random
import time

from scenarios.scene import check, scenario
from wire import PATIENCE_S, Connection, Failure


@scenario("noise: spoilt transcripts never harm the server or a bystander")
def noise(scene):
    seed = int(os.environ.get("WIRE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    # Two words: one wrong byte must not make it the subject of another case, which has one.
    subject = b"noise." + scene.subject
    good = (b'CONNECT {"verbose":false,"headers":true}\r\nSUB %s.* q 1\r\nPUB %s.a r 5\r\nhello\r\n'
            b"HPUB %s.a 12 14\r\nNATS/1.0\r\n\r\nxx\r\nUNSUB 1 5\r\nPING\r\n"
            % (subject, subject, subject)) * 3
    bystander = scene.connect()
    try:
        for _ in range(400):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                spoil(data, chance)
            connection = Connection(scene.server.port)
            connection.send(bytes(data))
            if chance.random() < 0.5:
                connection.reset()
            else:
                try:
                    connection.shut()
                except OSError:
                    pass  # The server was faster, and closed.
                while connection.receive(time.monotonic() + PATIENCE_S):
                    pass
                check(connection.ended, "a connection whose client is done was not closed")
                connection.close()
            bystander.fence()
            scene.server.check_alive()
    except Failure as failure:
        raise Failure(f"WIRE_SEED={seed}: {failure}") from None


def spoil(data, chance):
    at = chance.randrange(len(data))
    how = chance.randrange(5)
    if how == 0:
        data[at] = chance.randrange(256)
    elif how == 1:
        del data[at:at + chance.randrange(1, 30)]
    elif how == 2:
        data[at:at] = chance.randbytes(chance.randrange(1, 30))
    elif how == 3:
        data[at:at] = data[at:at + chance.randrange(1, 60)]
    else:
        data[at:at] = b"%d" % chance.randrange(1 << chance.randrange(1, 70))
