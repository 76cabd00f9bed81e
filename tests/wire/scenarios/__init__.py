"""Wire cases that need code: counting, timing, looking into INFO, or more bytes than a script holds.

Each is a plain function of a Scene, with its title and options in front of it.
"""

from scenarios import (attack, binary, info, leaving, listeners, many, nkeys, noise,  # noqa: F401
                       ping, reload, secrets, service, tls, unread, websocket)
from scenarios.scene import Scene, all_scenarios  # noqa: F401
