#pragma once
// What shards say to each other, as bytes in a mailbox: a fixed head, then texts. It knows layouts; what
// a record does on arrival is shard_link's.
//
// Records never leave the process, so heads are plain structures, copied in and out.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/frame.hpp"
#include "server/interest.hpp"

namespace peal::server {

enum class RecordKind : uint8_t {
  message,        // Data lane.
  interest,       // Control lane, as all that follow.
  interest_mark,  // Everything up to an epoch has been said.
  connection,     // A newcomer for the target.
  stall,          // A publisher of the target's is too fast for a subscriber here.
  no_responders,  // A request of a connection of the target's reached nobody.
};

/// Begins every record.
struct MessageHead {
  RecordKind kind = RecordKind::message;
  uint8_t hops = 0;  // How often a queue message was sent on.
  bool plain = false;   // For the plain subscriptions there.
  bool sole = false;    // Nobody else was given it, so if nobody takes it, nobody has it.
  bool wants_no_responders = false;
  bool by_reference = false;
  AccountId account = 0;
  ShardId origin_shard = 0;
  uint16_t subject_bytes = 0;
  uint32_t reply_bytes = 0;
  uint32_t groups_bytes = 0;  // Each group: two bytes of length, then its name.
  uint32_t header_bytes = 0;
  uint32_t message_bytes = 0;
  uint32_t origin_slot = 0;
  uint32_t origin_generation = 0;
};

/// The head of a record where it lies: mailboxes align records, and heads have no invariants that a
/// constructor would have to set up. Copied field by field in a vector register at once it would have
/// to wait for each of the stores that have just written it.
inline const MessageHead& message_head(const char* record) {
  return *reinterpret_cast<const MessageHead*>(record);
}

/// Instead of the bytes, when they cross by reference. The block's count travels with it.
struct ReferencePart {
  core::Block* block;
  const char* begin;
};

struct InterestHead {
  RecordKind kind = RecordKind::interest;
  AccountId account = 0;
  uint16_t filter_bytes = 0;
  uint32_t queue_bytes = 0;
  uint32_t members = 0;
  uint64_t epoch = 0;
};

struct ConnectionRecord {
  RecordKind kind = RecordKind::connection;
  int descriptor = -1;
  uint64_t cid = 0;
};

struct StallRecord {
  RecordKind kind = RecordKind::stall;
  uint32_t slot = 0;
  uint32_t generation = 0;
};

struct NoRespondersHead {
  RecordKind kind = RecordKind::no_responders;
  uint16_t subject_bytes = 0;
  uint32_t reply_bytes = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
};

/// The longest text that a head above can name; max_control_line is held to it.
inline constexpr uint32_t record_text_bytes_max = UINT16_MAX;

inline char* put(char* out, const void* from, size_t bytes) {
  std::memcpy(out, from, bytes);
  return out + bytes;
}
inline char* put(char* out, std::string_view text) { return put(out, text.data(), text.size()); }

/// The next `bytes` of a record, which moves on.
inline std::string_view take(std::string_view& record, size_t bytes) {
  const std::string_view text = record.substr(0, bytes);
  record.remove_prefix(bytes);
  return text;
}

template <typename Head>
Head take_head(std::string_view& record) {
  Head head;
  std::memcpy(&head, record.data(), sizeof head);
  record.remove_prefix(sizeof head);
  return head;
}

/// Lets go of the block of a message record that will not be delivered.
inline void release_reference(std::string_view record) {
  const MessageHead& head = message_head(record.data());
  if (!head.by_reference) return;
  record.remove_prefix(sizeof head + head.groups_bytes + head.subject_bytes + head.reply_bytes);
  const core::BlockRef last(take_head<ReferencePart>(record).block);
}

}  // namespace peal::server
