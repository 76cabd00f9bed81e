#pragma once
// The last route a stream of messages took: who, here and elsewhere, gets what is published on one
// subject, as long as no interest has changed. Most publishers stay with a subject for a while, and
// many with a size, and then a message finds its way by one comparison of bytes, and is delivered
// by two copies: of the head that the message before it had, and of what it says. It holds pointers
// into the interest index, good for the epoch that it names.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/writer.hpp"
#include "server/interest.hpp"

namespace peal::server {

class RouteMemo {
 public:
  RouteMemo() = default;
  RouteMemo(const RouteMemo&) = delete;
  RouteMemo& operator=(const RouteMemo&) = delete;

  /// Whether plan() came from an earlier match of the same subject, and still holds.
  bool recalls(uint64_t epoch, AccountId account, std::string_view subject) const {
    return epoch == epoch_ && account == account_ && subject.size() == subject_bytes_ &&
           std::memcmp(subject.data(), subject_.data(), subject.size()) == 0;
  }
  /// The same for a subject that is known to be the remembered one.
  bool holds(uint64_t epoch) const { return epoch == epoch_; }
  const Plan& plan() const { return plan_; }
  std::string_view subject() const { return {subject_.data(), subject_bytes_}; }
  /// Told apart from all other memos of its shard, before and after: that of the subject in it. 0
  /// when there is none.
  uint64_t version() const { return epoch_ == no_epoch ? 0 : version_; }

  // ---- The control line by which the publisher named it.

  /// The line `PUB subject size` was read, without a reply: the same bytes mean the same again.
  void remember_line(std::string_view line, size_t message_bytes) {
    if (epoch_ == no_epoch || line.size() > line_.size() || line.size() < 8) return;
    std::memcpy(line_.data(), line.data(), line.size());
    line_bytes_ = line.size();
    line_message_bytes_ = message_bytes;
  }
  void forget_line() { line_bytes_ = 0; }
  size_t line_bytes() const { return line_bytes_; }
  size_t line_message_bytes() const { return line_message_bytes_; }

  /// Whether `input` begins with that line, and has all of its message and the CR LF behind it.
  bool repeats_line(std::string_view input) const {
    const size_t bytes = line_bytes_;
    if (bytes == 0 || input.size() < bytes + line_message_bytes_ + 2) return false;
    const char* const from = input.data();
    const char* const line = line_.data();
    // Most lines have 16 to 24 bytes: three words, the last of which may overlap.
    uint64_t differ = word(from) ^ word(line);
    differ |= word(from + bytes - 8) ^ word(line + bytes - 8);
    if (bytes > 16) differ |= word(from + 8) ^ word(line + 8);
    return differ == 0 && (bytes <= 24 || std::memcmp(from + 16, line + 16, bytes - 24) == 0) &&
           from[bytes + line_message_bytes_] == '\r' &&
           from[bytes + line_message_bytes_ + 1] == '\n';
  }

  // ---- The head of the MSG to the only subscription.

  /// Whether it is short enough to be kept. REQUIRES a plan with a plain subscription.
  bool keeps_head() const {
    return protocol::msg_head_bytes_max(subject_bytes_, plan_.plain.front()->sid().size(), 0) <=
           head_.size();
  }
  /// For a message of this size, without reply and headers. REQUIRES keeps_head().
  std::string_view head(size_t message_bytes) {
    if (message_bytes != head_message_bytes_) [[unlikely]]
      make_head(message_bytes);
    return {head_.data(), head_bytes_};
  }

  /// Keeps it if it is simple enough.
  void remember(uint64_t epoch, uint64_t version, AccountId account, std::string_view subject,
                const Plan& plan) {
    epoch_ = no_epoch;
    forget_line();
    head_message_bytes_ = no_size;
    version_ = version;
    account_ = account;
    if (subject.size() > subject_.size() || plan.plain.size() > here_.size() ||
        plan.shards.size() > elsewhere_.size() || !plan.queues.empty()) {
      return;
    }
    epoch_ = epoch;
    subject_bytes_ = subject.size();
    std::memmove(subject_.data(), subject.data(), subject.size());  // It may be our own.
    std::copy(plan.plain.begin(), plan.plain.end(), here_.begin());
    std::copy(plan.shards.begin(), plan.shards.end(), elsewhere_.begin());
    plan_.plain = {here_.data(), plan.plain.size()};
    plan_.shards = {elsewhere_.data(), plan.shards.size()};
  }

 private:
  static constexpr uint64_t no_epoch = UINT64_MAX;
  static constexpr size_t no_size = SIZE_MAX;

  void make_head(size_t message_bytes) {
    const std::string_view sid = plan_.plain.front()->sid();
    head_message_bytes_ = message_bytes;
    const char* const end =
        protocol::write_msg_head(head_.data(), subject(), sid, {}, message_bytes);
    head_bytes_ = static_cast<size_t>(end - head_.data());
  }

  static uint64_t word(const char* from) {
    uint64_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  uint64_t epoch_ = no_epoch;
  size_t line_bytes_ = 0;
  size_t line_message_bytes_ = 0;
  size_t head_bytes_ = 0;
  size_t head_message_bytes_ = no_size;
  uint64_t version_ = 0;
  AccountId account_ = global_account;
  size_t subject_bytes_ = 0;
  Plan plan_;  // Of the arrays below.
  std::array<Subscription*, 4> here_;
  std::array<ShardId, 8> elsewhere_;
  std::array<char, 72> subject_;
  std::array<char, 88> line_;
  std::array<char, 104> head_;
};

}  // namespace peal::server
