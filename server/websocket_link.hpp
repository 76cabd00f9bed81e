#pragma once
// Where a connection is with WebSocket: the upgrade, then frames in and out. It knows stages and
// bytes; websocket_transport.cpp moves it on.

#include <cstdint>
#include <memory>
#include <string>

#include "core/ledger.hpp"
#include "protocol/websocket_frame.hpp"
#include "server/carry.hpp"
#include "server/websocket_deflate.hpp"
#include "server/websocket_upgrade.hpp"

namespace peal::server {

struct WebSocketLink {
  enum class Stage : uint8_t { upgrade, open };

  Stage stage = Stage::upgrade;
  bool compresses = false;                 // Agreed on for both directions.
  bool said_close = false;                 // Our close frame is on its way, or has gone.
  std::unique_ptr<std::string> client_ip;  // Of whom a proxy came for, if it said so.
  bool connections_exceeded = false;  // It came as one too many, and is told so when it can read.
  int64_t due_ns = INT64_MAX;         // Of the upgrade.
  std::unique_ptr<UpgradeReader> request = std::make_unique<UpgradeReader>();
  protocol::websocket::CloseCode close_code = {};  // Of a fault in its frames.
  std::string_view close_text;
  std::string close_answer;  // To the close frame that came.

  // ---- In.
  protocol::websocket::FrameReader reader;
  Carry kept;                          // Frames that came while the connection was paused.
  std::string held;                    // Of a compressed message: what cannot be inflated yet.
  bool held_last = false;              // It is the message's last.
  bool inflating = false;              // There is more to come of the message at hand, as it is.
  bool message_ends = false;           // And then it ends.
  std::unique_ptr<Inflater> inflater;  // While a compressed message is under way.
  uint64_t inflated_bytes = 0;         // Of that message.

  // ---- Out. Of the outbox, `frame_left` bytes belong to a frame whose head has gone; then comes
  // what is `between`, of which the last is the head of a frame with `next_frame` bytes.
  std::string control;  // Frames that go between others, and the answer to the upgrade.
  std::string between;
  size_t between_sent = 0;
  size_t frame_left = 0;
  size_t next_frame = 0;
  std::string sending;  // Compressed, in the kernel's hands from sent_bytes on.
  size_t sent_bytes = 0;
  size_t plain_bytes = 0;  // Of the outbox, that `sending` has.

  bool has_read_all() const { return kept.empty() && held.empty(); }

  core::Charge charge{core::Purpose::links};  // But for what is kept, which has its own.
  void charge_memory() {
    charge.set(held.capacity() + sending.capacity() + (inflater ? Inflater::bytes_about : 0));
  }
};

static_assert(sizeof(WebSocketLink) <= 512, "there may be many: the allocator's next size is 640");

}  // namespace peal::server
