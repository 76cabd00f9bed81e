#include "core/ledger.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace peal::core {
namespace {

TEST_CASE("ledger: keeps each purpose apart, and adds them up") {
  LedgerPage page;
  page.charge(Purpose::chunks, 100);
  page.charge(Purpose::chunks, 50);
  page.charge(Purpose::payload, 1000);
  page.set(Purpose::interest, 7);
  page.set(Purpose::interest, 9);
  page.release(Purpose::chunks, 30);
  CHECK(page.bytes(Purpose::chunks) == 120);
  CHECK(page.bytes(Purpose::payload) == 1000);
  CHECK(page.bytes(Purpose::interest) == 9);
  CHECK(page.total() == 1129);
}

TEST_CASE("ledger: a page may be negative, for what another thread has charged") {
  LedgerPage page;
  page.release(Purpose::payload, size_t{3} << 30);
  CHECK(page.bytes(Purpose::payload) == -(int64_t{3} << 30));
  CHECK(page.total() == -(int64_t{3} << 30));
}

TEST_CASE("ledger: a charge follows what its holder has, and goes with it") {
  const int64_t before = ledger().bytes(Purpose::links);
  {
    Charge charge(Purpose::links);
    charge.set(100);
    charge.set(70);
    CHECK(charge.bytes() == 70);
    CHECK(ledger().bytes(Purpose::links) == before + 70);
  }
  CHECK(ledger().bytes(Purpose::links) == before);
}

TEST_CASE("ledger: every thread has its own page") {
  const int64_t before = ledger().bytes(Purpose::chunks);
  ledger().charge(Purpose::chunks, 5);
  int64_t there = -1;
  std::thread([&] {
    ledger().charge(Purpose::chunks, 3);
    there = ledger().bytes(Purpose::chunks);
  }).join();
  CHECK(there == 3);
  CHECK(ledger().bytes(Purpose::chunks) == before + 5);
  ledger().release(Purpose::chunks, 5);
}

}  // namespace
}  // namespace peal::core
