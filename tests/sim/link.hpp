#pragma once
// One connection: two bounded streams of bytes with a client at one end and a descriptor of the
// server at the other. It knows how a kernel's socket behaves when either end closes, and no more.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/faults.hpp"

namespace peal::sim {

class SimReactor;
class World;

inline constexpr uint32_t no_op = UINT32_MAX;

/// Bytes on their way, as many as the kernel's buffers hold.
class Stream {
 public:
  explicit Stream(size_t capacity) : capacity_(capacity) {}

  size_t space() const { return size() < capacity_ ? capacity_ - size() : 0; }
  size_t capacity() const { return capacity_; }
  size_t size() const { return bytes_.size() - head_; }
  std::string_view peek() const { return std::string_view(bytes_).substr(head_); }
  void widen(size_t capacity) {
    if (capacity > capacity_) capacity_ = capacity;
  }

  void write(std::string_view bytes) { bytes_.append(bytes); }
  void consume(size_t count) {
    head_ += count;
    if (head_ == bytes_.size()) {
      bytes_.clear();
      head_ = 0;
    } else if (head_ > 4096 && head_ > bytes_.size() / 2) {
      bytes_.erase(0, head_);
      head_ = 0;
    }
  }
  void clear() {
    bytes_.clear();
    head_ = 0;
  }

  bool ended = false;  // No more will be written.

 private:
  std::string bytes_;
  size_t head_ = 0;
  size_t capacity_;
};

/// Whoever holds the client's end.
class LinkClient {
 public:
  virtual ~LinkClient() = default;
  virtual void on_link_changed() = 0;  // Bytes to read, room to write, an end or a reset.
};

struct Link {
  Link(World& world_, uint32_t id_, LinkClient& client_, size_t up_bytes, size_t down_bytes)
      : world(world_), id(id_), client(client_), up(up_bytes), down(down_bytes) {}

  // ---- The client's calls.

  /// Takes what there is room for; nothing once the connection has been reset.
  size_t client_write(std::string_view bytes);
  size_t client_read(size_t bytes_max, std::string& into);
  /// Nothing more will come from the client; it still reads.
  void client_shutdown();
  /// The client is gone. With something unread left behind, the server sees a reset.
  void client_close();

  /// The server ended it, and nobody had done so before.
  bool ended_by_server() const {
    return (server_gone || shutdown_down) && (!was_reset || reset_by_server);
  }
  bool client_sees_end() const { return was_reset || (down.ended && down.size() == 0); }

  // ---- The server's, by way of its reactor.
  void server_close();

  /// Lets a reset that was to come at some byte come true.
  void moved(size_t bytes);

  World& world;
  const uint32_t id;
  LinkClient& client;
  Stream up;    // To the server.
  Stream down;  // To the client.

  int descriptor = -1;
  bool was_reset = false;
  bool client_gone = false;
  bool server_gone = false;
  bool reset_by_server = false;
  bool shutdown_down = false;  // The server has said that it sends no more.
  Time accepted_at = never;
  Time server_closed_at = never;
  Time send_asked = never;       // Since when the send in flight is, by its shard's clock.
  bool deadline_leapt = false;   // A leap went past that send's deadline, and it was given up then.
  bool admission_leapt = false;  // One came before it can be sure to have said who it is.

  size_t reset_after_bytes = SIZE_MAX;

  // Operations that the server has in flight: at most one of each.
  SimReactor* recv_reactor = nullptr;
  SimReactor* send_reactor = nullptr;
  uint32_t recv_op = no_op;
  uint32_t send_op = no_op;

  /// Something changed that the server's operations may have waited for.
  void wake_server();
};

}  // namespace peal::sim
