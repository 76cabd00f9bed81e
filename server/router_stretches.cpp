// The router's way for messages that other shards are to have, as they lie one behind the other in
// what a client has sent: those are told where they lie, or given all of it in one copy, and find
// subjects and sizes themselves. See docs/decisions/0020-stretches.md.

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/copy.hpp"
#include "protocol/scan.hpp"
#include "server/message_record.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

/// Where its line begins, if that has one blank behind the verb; else nullptr.
const char* line_begin(const protocol::Command& command) {
  constexpr uint32_t pub = 'p' | 'u' << 8 | 'b' << 16 | ' ' << 24;
  constexpr uint32_t fold_three_letters = 0x00202020;
  const char* const pub_at = command.subject.data() - 4;
  if ((protocol::scan::load_u32(pub_at) | fold_three_letters) != pub) return nullptr;
  return command.kind == protocol::CommandKind::hpub ? pub_at - 1 : pub_at;
}

/// The parser is quick where it may read a block behind where a command begins; behind the last
/// lines there is none, and what is there may be written meanwhile. So those are copied.
class LastBlock {
 public:
  /// `rest` itself, or the same with zeros behind it. REQUIRES that it is what follows what was
  /// given before, once that has been short.
  std::string_view readable(std::string_view& rest) {
    if (rest.size() >= block_bytes) return rest;
    if (!copied_) {
      std::memcpy(bytes_.data(), rest.data(), rest.size());
      std::memset(bytes_.data() + rest.size(), 0, block_bytes);
      rest = {bytes_.data(), rest.size()};
      copied_ = true;
    }
    return {rest.data(), rest.size() + block_bytes};
  }

 private:
  static constexpr size_t block_bytes = protocol::Parser::block_bytes;
  std::array<char, 2 * block_bytes> bytes_;
  bool copied_ = false;
};

}  // namespace

// ---- From a client.

// The other shards hear of these later than of one that goes by itself, so a stretch ends before
// anything happens that they would have to hear of behind it.
//
// Whether the message is part of a stretch now. If it has to go by itself, the one before it has
// ended.
bool Router::stretch_over(Connection& publisher, const Plan& plan,
                          const protocol::Command& command) {
  const char* const begin = line_begin(command);
  const char* const end =
      command.message.data() + command.message.size() + protocol::line_end_bytes;
  const auto gets_it = [&](const Subscription* subscription) {
    return shard_.receiver_of(*subscription, &publisher) != nullptr;
  };
  const bool nobody_here = std::ranges::none_of(plan.plain, gets_it);
  const bool sole = nobody_here && plan.shards.size() == 1;
  // If nobody gets it, its publisher may have to hear so: its parts are counted.
  const bool in_parts = nobody_here && !sole && !command.reply.empty() && publisher.no_responders();
  if (in_parts) return false;
  if (!goes_on(plan.shards, begin, end, sole)) {
    end_stretch();
    if (!may_begin(publisher, plan.shards, begin, end)) return false;
    stretch_shards_.assign(plan.shards.begin(), plan.shards.end());
    stretch_ = {&publisher, begin, end, 0, sole};
  }
  stretch_.end = end;
  stretch_.messages++;
  for (const ShardId to : stretch_shards_) {
    shard_.budget().spend_elsewhere(shard_.link().price(to));
  }
  return true;
}

bool Router::goes_on(std::span<const ShardId> shards, const char* begin, const char* end,
                     bool sole) {
  if (stretch_.messages == 0 || stretch_.end != begin || stretch_.sole != sole ||
      static_cast<size_t>(end - stretch_.begin) > stretch_bytes_ ||
      !std::ranges::equal(shards, stretch_shards_)) {
    return false;
  }
  const size_t messages = stretch_.messages + 1;
  return std::ranges::all_of(
      shards, [&](ShardId to) { return shard_.link().credit(to, messages) >= messages; });
}

// There has to be room for all that it may become.
bool Router::may_begin(Connection& publisher, std::span<const ShardId> shards, const char* begin,
                       const char* end) {
  if (begin == nullptr || static_cast<size_t>(end - begin) > stretch_bytes_) return false;
  return std::ranges::all_of(shards, [&](ShardId to) {
    return !is_pressed(to, publisher) &&
           shard_.link().has_room(to, sizeof(MessageHead) + stretch_bytes_);
  });
}

void Router::hand_over_stretch() {
  const Stretch done = std::exchange(stretch_, {});
  const auto bytes = static_cast<uint32_t>(done.end - done.begin);
  ShardLink& link = shard_.link();
  core::BufferHold* const hold =
      bytes >= in_place_bytes_ ? shard_.reactor().hold(done.begin) : nullptr;
  for (const ShardId to : stretch_shards_) {
    if (hold != nullptr && to != stretch_shards_.front()) hold->begin();
    char* const record =
        link.append_lines(to, hold != nullptr ? sizeof(LinesPart) : bytes, done.messages);
    MessageHead& head =
        *new (record) MessageHead(head_of(*done.publisher, message_lines | message_plain));
    if (done.sole) head.flags |= message_sole;
    if (done.sole && done.publisher->no_responders()) head.flags |= message_request;
    char* const content = record + sizeof head;
    if (hold != nullptr) {
      head.flags |= message_in_place;
      link.told_much(to);
      const LinesPart part{hold, done.begin, bytes};
      put(content, &part, sizeof part);
    } else {
      core::copy_short(content, done.begin, bytes);
    }
  }
  shard_.stats().messages_to_shards += stretch_shards_.size();
}

// ---- From another shard.

size_t Router::on_lines(ShardId from, const MessageHead& head, std::string_view content) {
  const RecordedLines lines(head, content);
  RouteMemo& memo = lines_memos_[from];
  constexpr bool remembers = false;
  protocol::Command text;
  size_t messages = 0;
  bool held_for_sole = false;
  uint16_t hold_ms = 0;
  LastBlock last;
  for (std::string_view rest = lines.bytes(); !rest.empty(); messages++) {
    const protocol::Step step = lines_parser_.next(last.readable(rest), text);
    assert(step.kind == protocol::StepKind::command && protocol::publishes(text.kind));
    rest.remove_prefix(step.consumed_bytes);
    const Plan& plan = plan_for(memo, head.account, text.subject, remembers);
    const Message message{
        text, text.message.data(), text.message.size(), protocol::line_end_bytes, {}};
    const bool sole = is_sole(head, plan);
    const Given given = deliver_plain(plan, message, nullptr, sole);
    if (given.hold_ms > hold_ms) {
      hold_ms = given.hold_ms;
      held_for_sole = sole;
    }
    if (given.messages == 0 && !text.reply.empty() && (head.flags & message_request) != 0) {
      MessageExtension extension;
      extension.origin_shard = from;
      constexpr uint32_t parts = 1;
      report_lost(extension, head, message, parts);
    }
  }
  if (hold_ms > 0) hold_back(from, head, held_for_sole, hold_ms);
  return messages;
}

}  // namespace peal::server
