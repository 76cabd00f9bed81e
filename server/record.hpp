#pragma once
// What shards say to each other, as bytes in a mailbox: a fixed head, then texts. It knows layouts;
// what a record does on arrival is shard_link's.
//
// Records never leave the process, so heads are plain structures, copied in and out.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/buffer_hold.hpp"
#include "core/frame.hpp"
#include "protocol/limits.hpp"
#include "server/interest.hpp"
#include "server/message_run.hpp"

namespace peal::server {

enum class RecordKind : uint8_t {
  message,        // Data lane.
  interest,       // Control lane, as all that follow.
  interest_mark,  // Everything up to an epoch has been said.
  connection,     // A newcomer for the target.
  stall,          // A publisher of the target's is too fast for a subscriber here.
  no_responders,  // A request of a connection of the target's reached nobody, or a part of it did.
};

/// What most messages need to say; small, because every byte of it crosses between cores.
struct MessageHead {
  RecordKind kind = RecordKind::message;
  uint16_t flags = 0;
  AccountId account = global_account;
  uint32_t subject_bytes = 0;
  uint32_t message_bytes = 0;
  uint32_t origin_slot = 0;
  uint32_t origin_generation = 0;
};

enum MessageFlag : uint16_t {
  message_plain = 1,          // For the plain subscriptions there.
  message_same_subject = 2,   // That which was named in the lane last, and not repeated.
  message_extended = 4,       // A MessageExtension follows the head.
  message_by_reference = 8,   // A ReferencePart stands in place of the bytes.
  message_sole = 16,          // Nobody else was given it.
  message_request = 32,       // By one who wants to know when nobody takes it, and nobody has yet.
  message_in_place = 64,      // An InPlacePart stands in place of the bytes.
  message_bare = 128,         // There is no CR LF behind it: its publisher speaks in frames.
  message_names_route = 256,  // Records on the same subject may follow, which do not repeat it.
  message_lines = 512,        // PUBs and HPUBs as they came, or a LinesPart in place of the bytes.
  message_run = 1024,         // Behind all else stands message behind message, or where they lie.
};

/// Whether a data record is on the route that was named last in its lane, or names another, or is
/// on one that nobody will repeat.
enum class RouteRepeat : uint8_t { none, begins, same };

inline uint16_t flags_of(RouteRepeat repeat) {
  switch (repeat) {
    case RouteRepeat::same:
      return message_same_subject;
    case RouteRepeat::begins:
      return message_names_route;
    case RouteRepeat::none:
      return 0;
  }
  __builtin_unreachable();
}

/// Messages to plain subscriptions, on the subject of the record before them: behind the head there
/// is message behind message, each with its CR LF if they have one, or the place where they lie;
/// and nothing else.
inline constexpr uint16_t run_flags = message_plain | message_same_subject;
inline bool is_run(const MessageHead& head) {
  return (head.flags & ~(message_sole | message_in_place | message_bare)) == run_flags;
}

/// Whether its only receiver is one that gets its messages alone.
inline bool is_sole(const MessageHead& head, const Plan& plan) {
  return (head.flags & message_sole) != 0 && plan.plain.size() + plan.queues.size() == 1;
}

/// How much stands behind each of its messages.
inline size_t tail_bytes_of(const MessageHead& head) {
  return (head.flags & message_bare) != 0 ? 0 : protocol::line_end_bytes;
}

/// Follows the head of a message that has any of this.
struct MessageExtension {
  uint32_t reply_bytes = 0;
  uint32_t header_bytes = 0;
  uint32_t groups_bytes = 0;  // Each group: four bytes of length, then its name.
  ShardId origin_shard = 0;
  uint32_t hops = 0;     // How often a queue message was sent on.
  uint32_t request = 0;  // Its number among the origin's OpenRequests; 0 when it is in one part.
};

/// Instead of the bytes, when they cross by reference. The block's count travels with it.
struct ReferencePart {
  core::Block* block;
  const char* begin;
};

/// Instead of the bytes of a run: it stays in the receive buffer that it came in, which is held for
/// whoever reads this record.
struct InPlacePart {
  core::BufferHold* hold;
  const char* first;
  uint32_t stride_bytes;
  uint32_t count;
};

/// Instead of the bytes of a message_lines, in the same manner.
struct LinesPart {
  core::BufferHold* hold;
  const char* first;
  uint32_t bytes;
};

struct InterestHead {
  RecordKind kind = RecordKind::interest;
  AccountId account = 0;
  uint32_t filter_bytes = 0;
  uint32_t queue_bytes = 0;
  uint32_t members = 0;
  uint64_t epoch = 0;
};

struct ConnectionRecord {
  RecordKind kind = RecordKind::connection;
  Door door = Door::plain;
  int descriptor = -1;
  uint64_t cid = 0;
};

struct StallRecord {
  RecordKind kind = RecordKind::stall;
  bool sole = false;  // For a subscriber that gets its messages alone.
  uint16_t stall_ms = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
};

struct NoRespondersHead {
  RecordKind kind = RecordKind::no_responders;
  uint32_t subject_bytes = 0;
  uint32_t reply_bytes = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t request = 0;  // As in MessageExtension.
  uint32_t parts = 0;    // Of it, that nobody has.
};

inline char* put(char* out, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(out, from, bytes);  // Of nothing, `from` may be null.
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

/// The head of a record where it lies: mailboxes align records to its words, and a copy would wait
/// for each of the stores that have just written it.
inline const MessageHead& message_head(std::string_view record) {
  return *reinterpret_cast<const MessageHead*>(record.data());
}

/// The messages of a record that is_run(), without its head; and the hold on where they lie, for as
/// long as they are read.
class RecordedRun {
 public:
  RecordedRun(const MessageHead& head, std::string_view content) {
    const size_t tail_bytes = tail_bytes_of(head);
    if ((head.flags & message_in_place) == 0) {
      const size_t each_bytes = head.message_bytes + tail_bytes;
      run_ = {content.data(), each_bytes, head.message_bytes, content.size() / each_bytes,
              tail_bytes};
      return;
    }
    const auto part = take_head<InPlacePart>(content);
    run_ = {part.first, part.stride_bytes, head.message_bytes, part.count, tail_bytes};
    hold_ = part.hold;
  }
  ~RecordedRun() {
    if (hold_ != nullptr) hold_->end();
  }
  RecordedRun(const RecordedRun&) = delete;
  RecordedRun& operator=(const RecordedRun&) = delete;

  const MessageRun& messages() const { return run_; }

 private:
  MessageRun run_;
  core::BufferHold* hold_ = nullptr;
};

/// The lines of a record that has them, without its head; and the hold on where they lie.
class RecordedLines {
 public:
  RecordedLines(const MessageHead& head, std::string_view content) : bytes_(content) {
    if ((head.flags & message_in_place) == 0) return;
    const auto part = take_head<LinesPart>(content);
    bytes_ = {part.first, part.bytes};
    hold_ = part.hold;
  }
  ~RecordedLines() {
    if (hold_ != nullptr) hold_->end();
  }
  RecordedLines(const RecordedLines&) = delete;
  RecordedLines& operator=(const RecordedLines&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
  core::BufferHold* hold_ = nullptr;
};

/// Lets go of the memory that a message record which will not be delivered refers to.
inline void release_reference(std::string_view record) {
  const MessageHead& head = message_head(record);
  if ((head.flags & message_lines) != 0) {
    const RecordedLines last(head, record.substr(sizeof head));
    return;
  }
  if ((head.flags & message_in_place) != 0) {
    const RecordedRun last(head, record.substr(record.size() - sizeof(InPlacePart)));
    return;
  }
  if ((head.flags & message_by_reference) == 0) return;
  record.remove_prefix(record.size() - sizeof(ReferencePart));
  const core::BlockRef last(take_head<ReferencePart>(record).block);
}

}  // namespace peal::server
