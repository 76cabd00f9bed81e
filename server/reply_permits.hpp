#pragma once
// Which replies one connection may publish to although its permissions name them nowhere: the reply
// subjects of messages that it was sent, so often and so long as `allow_responses` says. It knows
// subjects, counts and times. One thread at a time.
//
// Bounded: the oldest permit goes when there is no room for another, and a client that is sent more
// requests than that before it answers the first will see that answer refused.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/ledger.hpp"
#include "server/security_options.hpp"

namespace peal::server {

class ReplyPermits {
 public:
  static constexpr size_t permits_max = 8192;
  /// Of the text of their subjects: whoever asks chooses how long those are.
  static constexpr size_t subject_bytes_max = 1024 * 1024;

  explicit ReplyPermits(const ResponseRules& rules) : rules_(rules) {}

  /// The connection is sent a message with this reply subject.
  void grant(std::string_view reply, int64_t now_ns);

  /// Whether `subject` may be published to now. Counts nothing.
  bool permits(std::string_view subject, int64_t now_ns) const;

  /// It has been published to.
  void count(std::string_view subject);

  size_t size() const { return permits_.size(); }
  size_t bytes() const { return charge_.bytes(); }

 private:
  struct Permit {
    int64_t left;
    int64_t until_ns;
    uint64_t number;  // Of its place in order_.
  };
  struct Granted {
    std::string reply;
    uint64_t number;
  };

  bool is_full() const {
    return order_.size() >= permits_max || subject_bytes_ > subject_bytes_max;
  }
  void forget_oldest(int64_t now_ns);

  const ResponseRules rules_;
  std::deque<Granted> order_;                             // Oldest first. Some have gone already.
  size_t subject_bytes_ = 0;                              // Of those.
  std::unordered_map<std::string_view, Permit> permits_;  // The text is that in order_.
  uint64_t granted_ = 0;
  core::Charge charge_{core::Purpose::links};
};

}  // namespace peal::server
