#pragma once
// The last route a stream of messages took: who, here and elsewhere, gets what is published on one
// subject, as long as no interest has changed. Most publishers stay with a subject for a while, and
// many with a size: then messages find their way by one comparison of bytes each, and are delivered
// by two copies: of the head that the message before had, and of what it says. It holds pointers
// into the interest index, good for the epoch that it names.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "core/same_bytes.hpp"
#include "protocol/writer.hpp"
#include "server/interest.hpp"
#include "server/subject_tokens.hpp"

namespace peal::server {

class RouteMemo {
 public:
  RouteMemo() = default;
  RouteMemo(const RouteMemo&) = delete;
  RouteMemo& operator=(const RouteMemo&) = delete;

  /// Whether plan() came from an earlier match of the same subject, and still holds.
  bool recalls(uint64_t epoch, AccountId account, std::string_view subject) const {
    return epoch == epoch_ && account == account_ &&
           core::same_bytes(subject, {subject_.data(), subject_bytes_});
  }
  /// Whether plan() holds for this subject as well, unless that is a literal filter: it differs
  /// from the remembered one in its last token alone, and that made no difference.
  bool covers(uint64_t epoch, AccountId account, std::string_view subject) const {
    const size_t before_last = last_token_at_;
    return epoch == epoch_ && account == account_ && plan_.for_any_last_token &&
           subject.size() > before_last && subject.size() <= subject_.size() &&
           core::same_bytes(subject.substr(0, before_last), {subject_.data(), before_last}) &&
           !has_dot(subject.substr(before_last));
  }
  /// From now on it is remembered for that subject. REQUIRES covers().
  void move_to(uint64_t version, std::string_view subject) {
    forget_line();
    head_message_bytes_ = no_size;
    version_ = version;
    subject_bytes_ = subject.size();
    std::memcpy(subject_.data() + last_token_at_, subject.data() + last_token_at_,
                subject.size() - last_token_at_);
  }
  /// Another route is asked for, which has this number. Nothing is remembered any more, and whether
  /// it is to be is answered: it was this one that was asked for before it. To remember takes
  /// longer than to find a plan in a cache, so who goes from one subject to the next does not do
  /// it.
  bool comes_again(uint64_t route) {
    forget_plan();
    return std::exchange(asked_, route) == route;
  }
  /// For who asks what it was last, where nothing is remembered.
  void name(std::string_view subject) {
    if (version() != 0 || subject.size() > subject_.size()) return;
    subject_bytes_ = subject.size();
    std::memcpy(subject_.data(), subject.data(), subject.size());
  }
  /// Nothing is remembered any more: it is to be of another subject.
  void forget() {
    forget_plan();
    forget_permitted();
  }
  /// The same for a subject that is known to be the remembered one.
  bool holds(uint64_t epoch) const { return epoch == epoch_; }
  const Plan& plan() const { return plan_; }
  std::string_view subject() const { return {subject_.data(), subject_bytes_}; }
  /// Told apart from all other memos of its shard, before and after: that of the subject in it. 0
  /// when there is none.
  uint64_t version() const { return epoch_ == no_epoch ? 0 : version_; }

  // ---- Whether the publisher may publish on it, where that is restricted.

  /// It has been found that it may, whatever interest there is.
  void permit(std::string_view subject) {
    if (is_permitted(subject) || subject.size() > permitted_.size()) return;
    permitted_bytes_ = subject.size();
    std::memcpy(permitted_.data(), subject.data(), subject.size());
  }
  void forget_permitted() { permitted_bytes_ = SIZE_MAX; }
  bool is_permitted(std::string_view subject) const {
    return permitted_bytes_ <= permitted_.size() &&
           core::same_bytes(subject, {permitted_.data(), permitted_bytes_});
  }

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

  /// From the beginning of such a line to that of what follows its message.
  size_t line_stride_bytes() const {
    return line_bytes_ + line_message_bytes_ + protocol::line_end_bytes;
  }

  /// Whether `input` may begin with that line: nothing that is long to find out speaks against it.
  bool may_repeat(std::string_view input) const {
    return line_bytes_ != 0 && input.size() >= line_stride_bytes() &&
           word(input.data() + line_bytes_ - 8) == word(line_.data() + line_bytes_ - 8);
  }
  /// How many times `input` has that line, one behind the other, each with all of its message and
  /// the CR LF behind it.
  size_t count_repeats(std::string_view input) const {
    if (!may_repeat(input)) return 0;
    const size_t stride_bytes = line_stride_bytes();
    const char* at = input.data();
    size_t left_bytes = input.size();
    size_t count = 0;
    while (left_bytes >= stride_bytes && is_line(at)) {
      at += stride_bytes;
      left_bytes -= stride_bytes;
      count++;
    }
    return count;
  }

  // ---- The head of the MSG to a subscription.

  /// Whether a head with this sid is short enough to be kept.
  bool keeps_head(std::string_view sid) const { return sid.size() <= head_sid_.size(); }
  /// For a message of this size, without reply and headers. Good until the next call. REQUIRES
  /// keeps_head(sid).
  std::string_view head(std::string_view sid, size_t message_bytes) {
    if (message_bytes != head_message_bytes_ || sid.size() != head_sid_bytes_ ||
        std::memcmp(sid.data(), head_sid_.data(), sid.size()) != 0) [[unlikely]] {
      make_head(sid, message_bytes);
    }
    return {head_.data(), head_bytes_};
  }

  /// Keeps it if it is simple enough; the subject in any case, if it is of subject_bytes_max.
  void remember(uint64_t epoch, uint64_t version, AccountId account, std::string_view subject,
                const Plan& plan) {
    forget_plan();
    head_message_bytes_ = no_size;
    version_ = version;
    account_ = account;
    if (subject.size() > subject_.size()) return;
    subject_bytes_ = subject.size();
    std::memmove(subject_.data(), subject.data(), subject.size());  // It may be our own.
    const bool group_alone = plan.queues.size() == 1 && plan.plain.empty() && plan.shards.empty();
    if (!plan.queues.empty() && !(group_alone && keep_group(plan.queues.front()))) return;
    if (plan.plain.size() > here_max || plan.shards.size() > elsewhere_.size()) return;
    epoch_ = epoch;
    last_token_at_ = this->subject().rfind('.') + 1;  // 0 without a dot.
    if (!group_alone) here_.assign(plan.plain.begin(), plan.plain.end());
    std::copy(plan.shards.begin(), plan.shards.end(), elsewhere_.begin());
    plan_.plain = {here_.data(), plan.plain.size()};
    plan_.queues = {&group_, plan.queues.size()};
    plan_.shards = {elsewhere_.data(), plan.shards.size()};
    plan_.for_any_last_token = plan.for_any_last_token;
  }

 private:
  static constexpr uint64_t no_epoch = UINT64_MAX;
  static constexpr size_t no_size = SIZE_MAX;
  // Subscriptions here that are remembered; with more of them, the match is the smaller part of
  // what a message costs.
  static constexpr size_t here_max = 1024;
  static constexpr size_t group_here_max = 256;
  static constexpr size_t elsewhere_max = 8;
  static constexpr size_t group_name_bytes_max = 32;
  static constexpr size_t subject_bytes_max = 72;
  static constexpr size_t sid_bytes_max = 16;

  // `PUB` with its blank and a subject, a size of nine digits, and CR LF.
  static constexpr size_t line_bytes_max = 88;
  static_assert(line_bytes_max >= 4 + subject_bytes_max + 1 + 9 + 2);

  void forget_plan() {
    epoch_ = no_epoch;
    plan_ = {};
    forget_line();
  }

  bool keep_group(const QueuePlan& group) {
    if (group.here.size() > group_here_max || group.elsewhere.size() > members_elsewhere_.size() ||
        group.name.size() > group_name_.size()) {
      return false;
    }
    here_.assign(group.here.begin(), group.here.end());
    std::copy(group.elsewhere.begin(), group.elsewhere.end(), members_elsewhere_.begin());
    std::copy(group.name.begin(), group.name.end(), group_name_.begin());
    group_ = {{group_name_.data(), group.name.size()},
              here_,
              {members_elsewhere_.data(), group.elsewhere.size()},
              group.members_elsewhere};
    return true;
  }

  bool is_line(const char* from) const {
    const size_t bytes = line_bytes_;
    const char* const line = line_.data();
    // Most lines have 16 to 24 bytes: three words, the last of which may overlap.
    uint64_t differ = word(from) ^ word(line);
    differ |= word(from + bytes - 8) ^ word(line + bytes - 8);
    if (bytes > 16) differ |= word(from + 8) ^ word(line + 8);
    return differ == 0 && (bytes <= 24 || std::memcmp(from + 16, line + 16, bytes - 24) == 0) &&
           from[bytes + line_message_bytes_] == '\r' &&
           from[bytes + line_message_bytes_ + 1] == '\n';
  }

  void make_head(std::string_view sid, size_t message_bytes) {
    head_sid_bytes_ = sid.size();
    std::memcpy(head_sid_.data(), sid.data(), sid.size());
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
  uint64_t asked_ = 0;  // The route that was asked for last.
  size_t line_bytes_ = 0;
  size_t line_message_bytes_ = 0;
  size_t head_bytes_ = 0;
  size_t head_message_bytes_ = no_size;
  uint64_t version_ = 0;
  AccountId account_ = global_account;
  size_t subject_bytes_ = 0;
  size_t last_token_at_ = 0;
  Plan plan_;  // Of the arrays below.
  std::vector<Subscription*> here_;
  std::array<ShardId, elsewhere_max> elsewhere_;
  QueuePlan group_;  // Of here_ and the next two, where it is alone.
  std::array<QueuePlan::Elsewhere, elsewhere_max> members_elsewhere_;
  std::array<char, group_name_bytes_max> group_name_;
  std::array<char, subject_bytes_max> subject_;
  std::array<char, line_bytes_max> line_;
  size_t head_sid_bytes_ = 0;
  std::array<char, sid_bytes_max> head_sid_;
  std::array<char, protocol::msg_head_bytes_max(subject_bytes_max, sid_bytes_max, 0)> head_;
  size_t permitted_bytes_ = SIZE_MAX;  // None is.
  std::array<char, subject_bytes_max> permitted_;
};

}  // namespace peal::server
