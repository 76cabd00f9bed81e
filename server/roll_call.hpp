#pragma once
// Who of the shards has not answered for how long. Each call has a number, which a shard repeats in
// its next turn; whoever has not done so by the next call is silent since the one that it missed.
// It knows numbers and times; who calls, and how, it must never know.

#include <cstdint>
#include <vector>

namespace peal::server {

class RollCall {
 public:
  /// What is worth a line in the log.
  struct News {
    unsigned shard;
    int64_t silent_ns;  // So far.
    bool ended;         // It has answered after all.
  };

  explicit RollCall(unsigned shards) : shards_(shards) {}

  uint64_t number() const { return number_; }

  /// Before the next call: what has become of the last one. `answered` has the last number that
  /// each shard repeated. News of a silence comes when it is noticed, each time that it has doubled
  /// since, and at its end.
  std::vector<News> look(const std::vector<uint64_t>& answered, int64_t now_ns);

  /// Whether all had answered, at the last look.
  bool complete() const { return silent_ == 0; }

  /// The number of the call that is made now.
  uint64_t call(int64_t now_ns) {
    called_ns_ = now_ns;
    return ++number_;
  }

 private:
  struct Silence {
    int64_t since_ns = 0;  // 0: it answers.
    int64_t said_ns = 0;   // How long it was, when that was said.
  };

  std::vector<Silence> shards_;
  uint64_t number_ = 0;
  int64_t called_ns_ = 0;
  unsigned silent_ = 0;
};

}  // namespace peal::server
