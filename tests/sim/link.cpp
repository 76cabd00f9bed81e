#include "tests/sim/link.hpp"

#include <algorithm>

#include "tests/sim/reactor_sim.hpp"
#include "tests/sim/world.hpp"

namespace peal::sim {

void Link::wake_server() {
  if (recv_op != no_op) recv_reactor->poke(recv_op);
  if (send_op != no_op) send_reactor->poke(send_op);
}

void Link::moved(size_t bytes) {
  if (reset_after_bytes == SIZE_MAX) return;
  if (reset_after_bytes > bytes) {
    reset_after_bytes -= bytes;
    return;
  }
  reset_after_bytes = SIZE_MAX;
  world.schedule(world.now(), world, 0, id);
}

size_t Link::client_write(std::string_view bytes) {
  if (was_reset || up.ended) return 0;
  const size_t count = std::min(bytes.size(), up.space());
  if (count == 0) return 0;
  if (server_gone) {  // Bytes for a closed socket are answered by a reset.
    reset_by_server = true;
    world.reset(*this, "write to a closed server");
    return 0;
  }
  up.write(bytes.substr(0, count));
  moved(count);
  if (recv_op != no_op) recv_reactor->poke(recv_op);
  return count;
}

size_t Link::client_read(size_t bytes_max, std::string& into) {
  if (was_reset) return 0;
  const size_t count = std::min(bytes_max, down.size());
  if (count == 0) return 0;
  into.append(down.peek().substr(0, count));
  down.consume(count);
  moved(count);
  if (send_op != no_op) send_reactor->poke(send_op);
  return count;
}

void Link::client_shutdown() {
  if (was_reset) return;
  up.ended = true;
  wake_server();
}

void Link::client_close() {
  if (client_gone) return;
  client_gone = true;
  reset_after_bytes = SIZE_MAX;
  if (down.size() > 0) {
    world.reset(*this, "closed with bytes unread");
  } else {
    up.ended = true;
    wake_server();
  }
}

void Link::server_close() {
  server_gone = true;
  server_closed_at = world.now();
  descriptor = -1;
  down.ended = true;
  // Unread input makes the kernel answer with a reset, and what was on its way may be lost. A
  // server's last words must therefore not depend on it; half of the time they arrive all the same.
  if (up.size() > 0 && !was_reset && world.chance.percent(50)) {
    reset_by_server = true;
    world.reset(*this, "the server, with bytes unread");
  }
  if (!client_gone) client.on_link_changed();
}

}  // namespace peal::sim
