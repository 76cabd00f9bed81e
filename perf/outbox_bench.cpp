// What it costs to let bytes wait for a client: lines of a turn appended, gathered for one send and
// taken off when the kernel has them; the same from a backlog; and large payloads by reference.

#include <sys/uio.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/chunk_pool.hpp"
#include "core/frame.hpp"
#include "perf/bench.hpp"
#include "server/outbox.hpp"

namespace peal {
namespace {

using server::Outbox;

constexpr size_t parts_max = 16;
constexpr size_t send_bytes_max = 256 * 1024;
constexpr size_t turn_bytes = 32 * 1024;  // What one full receive buffer turns into, roughly.
constexpr size_t backlog_bytes = 1 << 20;

/// One send that the kernel takes whole; returns what it took.
size_t send_some(Outbox& outbox, core::ChunkPool& pool, size_t bytes_max) {
  std::array<iovec, parts_max> parts;
  const size_t count = outbox.gather(parts, bytes_max);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += parts[i].iov_len;
  if (bytes == 0) std::abort();
  outbox.advance(pool, bytes);
  return bytes;
}

void bench_turn(perf::Runner& run, const char* name, size_t message_bytes) {
  const std::string message(message_bytes, 'x');
  const size_t messages = turn_bytes / message_bytes;
  run.bench(name,
            [&](perf::Sample& sample) {
              core::ChunkPool pool;
              Outbox outbox;
              const auto turns = [&](uint64_t count) {
                perf::Work work;
                for (; count > 0; count--) {
                  for (size_t i = 0; i < messages; i++) outbox.append(pool, message);
                  work.ops += messages;
                  while (!outbox.empty()) {
                    work.checksum =
                        perf::mix(work.checksum, send_some(outbox, pool, send_bytes_max));
                  }
                }
                return work;
              };
              turns(100);  // The pool has its chunks, and the outbox knows what size it needs.
              sample.measure([&] { return turns(run.size(10, 20'000)); });
              outbox.clear(pool);
            },
            {.allocations = perf::Allocations::forbidden});
}

/// One short line a turn, which is what most connections get.
void bench_trickle(perf::Runner& run, const char* name) {
  const std::string message(40, 'x');
  run.bench(name,
            [&](perf::Sample& sample) {
              core::ChunkPool pool;
              Outbox outbox;
              outbox.append(pool, message);
              send_some(outbox, pool, send_bytes_max);
              sample.measure([&] {
                perf::Work work;
                for (uint64_t turns = run.size(100, 10'000'000); turns > 0; turns--, work.ops++) {
                  outbox.append(pool, message);
                  work.checksum = perf::mix(work.checksum, send_some(outbox, pool, send_bytes_max));
                }
                return work;
              });
              outbox.clear(pool);
            },
            {.allocations = perf::Allocations::forbidden});
}

/// The client is behind: what leaves are 64 KiB at a time, and as much comes.
void bench_backlog(perf::Runner& run, const char* name) {
  const std::string message(128, 'x');
  constexpr size_t socket_bytes = 64 * 1024;
  run.bench(name, [&](perf::Sample& sample) {
    core::ChunkPool pool;
    Outbox outbox;
    while (outbox.pending_bytes() < backlog_bytes) outbox.append(pool, message);
    sample.measure([&] {
      perf::Work work;
      for (uint64_t turns = run.size(10, 20'000); turns > 0; turns--) {
        for (size_t bytes = 0; bytes < socket_bytes; bytes += message.size(), work.ops++) {
          outbox.append(pool, message);
        }
        work.checksum = perf::mix(work.checksum, send_some(outbox, pool, socket_bytes));
      }
      return work;
    });
    outbox.clear(pool);
  });
}

void bench_reference(perf::Runner& run, const char* name, size_t payload_bytes) {
  const std::string line = "MSG market.eu.eurex.fdax 1 65536\r\n";
  run.bench(name,
            [&](perf::Sample& sample) {
              core::ChunkPool pool;
              Outbox outbox;
              core::BlockRef block = core::make_payload_block(payload_bytes);
              std::memset(block->bytes(), 'x', payload_bytes);
              const auto turns = [&](uint64_t count) {
                perf::Work work;
                for (; count > 0; count--, work.ops++) {
                  outbox.append(pool, line);
                  outbox.append_reference(pool, block, {block->bytes(), payload_bytes});
                  while (!outbox.empty()) {
                    work.checksum =
                        perf::mix(work.checksum, send_some(outbox, pool, send_bytes_max));
                  }
                }
                return work;
              };
              turns(10);
              sample.measure([&] { return turns(run.size(10, 2'000'000)); });
              outbox.clear(pool);
            },
            {.allocations = perf::Allocations::forbidden});
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  bench_turn(run, "outbox/turn/40B", 40);
  bench_turn(run, "outbox/turn/160B", 160);
  bench_turn(run, "outbox/turn/1KiB", 1024);
  bench_trickle(run, "outbox/trickle/40B");
  bench_backlog(run, "outbox/backlog/128B");
  bench_reference(run, "outbox/reference/64KiB", 64 * 1024);
  return run.finish();
}
