#include "server/helper_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>

namespace peal::server {
namespace {

using Kind = HelperPool::Kind;

Kind kind_of(char letter) {
  return letter == 'h' ? Kind::handshake : letter == 's' ? Kind::signature : Kind::password;
}

/// The only helper of a pool is busy with work of this kind until the end.
class BusyHelper {
 public:
  BusyHelper(HelperPool& pool, Kind kind) {
    REQUIRE(pool.submit(kind, [state = state_] {
      state->began = true;
      state->began.notify_one();
      state->may_end.wait(false);
    }));
    state_->began.wait(false);
  }
  ~BusyHelper() { end(); }
  void end() {
    state_->may_end = true;
    state_->may_end.notify_one();
  }

 private:
  struct State {
    std::atomic<bool> began{false}, may_end{false};
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// One helper, whose first work takes until something of each kind waits behind it: `h` for a
/// handshake, `s` for a signature, any other letter for a password. In what order it was done.
std::string order_behind(Kind first, const std::string& waiting) {
  std::string order;
  std::atomic<size_t> done{0};
  HelperPool pool(1);
  BusyHelper helper(pool, first);
  for (const char each : waiting) {
    REQUIRE(pool.submit(kind_of(each), [&, each] {
      order += each;
      done++;
      done.notify_one();
    }));
  }
  helper.end();
  for (size_t seen = 0; seen < waiting.size(); seen = done) done.wait(seen);
  return order;
}

TEST_CASE("helper pool: a handshake does not wait for all the hashes before it") {
  CHECK(order_behind(Kind::password, "ppph").front() == 'h');
}

TEST_CASE("helper pool: a hash does not wait for all the handshakes before it") {
  CHECK(order_behind(Kind::handshake, "hhhp").front() == 'p');
}

TEST_CASE("helper pool: a signature does not wait for all the hashes before it") {
  CHECK(order_behind(Kind::password, "ppps").front() == 's');
}

// Those who have waited long are the next to give up.
TEST_CASE("helper pool: of hashes the newest comes first") {
  CHECK(order_behind(Kind::handshake, "abc") == "cba");
}

TEST_CASE("helper pool: each kind has a bound of its own") {
  HelperPool pool(1);
  const BusyHelper helper(pool, Kind::password);
  size_t taken = 0;
  while (taken <= HelperPool::waiting_max && pool.submit(Kind::password, [] {})) taken++;
  CHECK(taken == HelperPool::waiting_max);
  CHECK(pool.submit(Kind::handshake, [] {}));
}

}  // namespace
}  // namespace peal::server
