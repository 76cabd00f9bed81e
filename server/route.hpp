#pragma once
// The last route a stream of messages took: who, here and elsewhere, gets what is published on one
// subject, as long as no interest has changed. Most publishers stay with a subject for a while, and
// then a message finds its way by one comparison of bytes. It holds pointers into the interest index,
// good for the epoch that it names.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

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
  /// Told apart from all other memos of its shard, before and after: that of the subject in it. 0 when
  /// there is none.
  uint64_t version() const { return epoch_ == no_epoch ? 0 : version_; }

  /// Keeps it if it is simple enough.
  void remember(uint64_t epoch, uint64_t version, AccountId account, std::string_view subject,
                const Plan& plan) {
    epoch_ = no_epoch;
    version_ = version;
    account_ = account;
    if (subject.size() > subject_.size() || plan.plain.size() > here_.size() ||
        plan.shards.size() > elsewhere_.size() || !plan.queues.empty()) {
      return;
    }
    epoch_ = epoch;
    subject_bytes_ = subject.size();
    std::memcpy(subject_.data(), subject.data(), subject.size());
    std::copy(plan.plain.begin(), plan.plain.end(), here_.begin());
    std::copy(plan.shards.begin(), plan.shards.end(), elsewhere_.begin());
    plan_.plain = {here_.data(), plan.plain.size()};
    plan_.shards = {elsewhere_.data(), plan.shards.size()};
  }

 private:
  static constexpr uint64_t no_epoch = UINT64_MAX;

  uint64_t epoch_ = no_epoch;
  uint64_t version_ = 0;
  AccountId account_ = global_account;
  size_t subject_bytes_ = 0;
  Plan plan_;  // Of the arrays below.
  std::array<Subscription*, 4> here_;
  std::array<ShardId, 8> elsewhere_;
  std::array<char, 72> subject_;
};

}  // namespace peal::server
