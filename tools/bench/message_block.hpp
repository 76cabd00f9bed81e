#pragma once
// Many PUBs of one shape, built once and sent again and again; what differs from one to the next is
// written in place. In frames they are one batch, if they can be. It knows the bytes of a PUB; when
// they are sent it must never know.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace peal::bench {

struct MessageShape {
  std::string subject;     // With room for the leaf at its end, if it has one.
  std::string reply = {};  // Empty: none.
  size_t payload_bytes = 0;
  uint32_t headers = 0;
  bool binary = false;  // A frame, and no lines.
  bool leaves = false;  // The subject's end differs from message to message.
};

/// The NATS/1.0 block of so many headers; empty for none.
std::string header_block(uint32_t headers);

/// One whole PUB or HPUB. The payload is printable.
std::string pub_bytes(const MessageShape& shape);

/// What a subscriber receives of it, in bytes.
size_t msg_bytes(const MessageShape& shape, size_t sid_bytes);

class MessageBlock {
 public:
  /// As many messages as fit `block_bytes`, one at least.
  MessageBlock(const MessageShape& shape, size_t block_bytes);

  size_t messages() const { return messages_; }
  size_t payload_bytes() const { return payload_bytes_; }
  char* payload(size_t index) { return at(index) + payload_at_; }
  /// The last digits of its subject.
  char* leaf(size_t index) { return at(index) + leaf_at_; }
  /// The bytes of the first so many. The block is the caller's alone.
  std::string_view first(size_t count);

 private:
  char* at(size_t index) { return bytes_.data() + batch_head_.size() + index * message_bytes_; }

  MessageShape shape_;
  std::string batch_head_;  // In front of all, where they are one batch.
  std::string bytes_;
  size_t messages_;
  size_t message_bytes_;
  size_t payload_bytes_;
  size_t payload_at_;
  size_t leaf_at_;
};

}  // namespace peal::bench
