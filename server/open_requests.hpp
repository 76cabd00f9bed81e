#pragma once
// Requests that went out in several parts, to the plain subscriptions of a shard or to a queue
// group. Whoever finds nobody for a part says so, and who finds somebody says nothing: when all
// parts are lost, nobody has the request. It knows numbers; who asked, and what, it must never
// know.
//
// What is never lost is never heard of again, so the oldest give way to new ones: each shard
// remembers the last `open_max` of its own.
//
// One thread at a time: whoever runs the shard.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace peal::server {

class OpenRequests {
 public:
  static constexpr size_t open_max = 1024;

  /// A request in so many parts. Its number, which is never 0.
  uint32_t open(uint32_t parts) {
    if (++last_ == 0) last_ = 1;
    at(last_) = {last_, parts};
    return last_;
  }

  /// Nobody has so many parts of it. True when those were the last ones.
  bool lose(uint32_t number, uint32_t parts) {
    Request& request = at(number);
    if (request.number != number) return false;
    request.parts -= parts;
    return request.parts == 0;
  }

 private:
  struct Request {
    uint32_t number = 0;
    uint32_t parts = 0;  // That may have been taken.
  };

  Request& at(uint32_t number) { return requests_[number % open_max]; }

  uint32_t last_ = 0;
  std::vector<Request> requests_ = std::vector<Request>(open_max);
};

}  // namespace peal::server
