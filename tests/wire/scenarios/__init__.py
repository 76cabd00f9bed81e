"""Wire cases that need code: counting, timing, looking into INFO, or more bytes than a script holds.

Each is a plain function of a Scene, with its title and options in front of it.
"""

from scenarios import (binary, info, leaving, listeners, many, noise, ping, reload, secrets,  # noqa: F401
                       service, tls, unread)
from scenarios.scene import Scene, all_scenarios  # noqa: F401
