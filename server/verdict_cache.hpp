#pragma once
// What users were found to be allowed to publish on, of late: rules are tried one by one, and who
// goes from subject to subject would have them tried for each message. Verdicts of permissions that
// are no more are never found again, because no others have their number.
//
// One thread at a time: whoever runs the shard. A table of fixed size that fits in L2, made when it
// is first needed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/hash.hpp"
#include "core/same_bytes.hpp"
#include "server/permissions.hpp"

namespace peal::server {

class VerdictCache {
 public:
  static constexpr size_t entries_max = 1024;

  explicit VerdictCache(uint64_t seed) : hasher_(seed) {}

  /// As permissions.may_publish().
  bool may_publish(const Permissions& permissions, std::string_view subject) {
    if (entries_ == nullptr) entries_ = std::make_unique<Entry[]>(entries_max);
    Entry& entry = entries_[hasher_(subject, permissions.number()) % entries_max];
    if (entry.permissions == permissions.number() &&
        core::same_bytes(subject, {entry.subject.data(), entry.subject_bytes})) {
      return true;
    }
    if (!permissions.may_publish(subject)) return false;
    if (subject.size() <= entry.subject.size()) {
      entry.permissions = permissions.number();
      entry.subject_bytes = static_cast<uint8_t>(subject.size());
      std::memcpy(entry.subject.data(), subject.data(), subject.size());
    }
    return true;
  }

 private:
  struct alignas(64) Entry {
    uint64_t permissions = 0;  // None have that number.
    uint8_t subject_bytes = 0;
    std::array<char, 55> subject;
  };
  static_assert(sizeof(Entry) == 64);

  const core::Hasher hasher_;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace peal::server
