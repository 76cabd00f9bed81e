// What a command costs to parse when reads are full, which is when it matters: one read is 64 KiB
// of them. Sizes: nothing, a tick, a quote, a page. The subject has four tokens, as most of ours
// have.

#include <cstdlib>
#include <string>
#include <string_view>

#include "perf/bench.hpp"
#include "protocol/limits.hpp"
#include "protocol/parser.hpp"

namespace peal {
namespace {

using protocol::Command;
using protocol::Parser;
using protocol::Step;
using protocol::StepKind;

constexpr size_t read_bytes_min = 64 * 1024;

std::string pub(size_t payload_bytes) {
  return "PUB market.eu.eurex.fdax " + std::to_string(payload_bytes) + "\r\n" +
         std::string(payload_bytes, 'x') + "\r\n";
}

std::string pub_with_reply(size_t payload_bytes) {
  return "PUB market.eu.eurex.fdax _INBOX.hk2EcKtLvM3n9Rw.7 " + std::to_string(payload_bytes) +
         "\r\n" + std::string(payload_bytes, 'x') + "\r\n";
}

std::string hpub(size_t payload_bytes) {
  const std::string headers = "NATS/1.0\r\nTrace-Id: 9f3a1c\r\n\r\n";
  return "HPUB market.eu.eurex.fdax " + std::to_string(headers.size()) + " " +
         std::to_string(headers.size() + payload_bytes) + "\r\n" + headers +
         std::string(payload_bytes, 'x') + "\r\n";
}

Parser new_parser() {
  Parser parser{protocol::Limits{}};
  parser.allow_headers(true);
  return parser;
}

uint64_t checksum_of(uint64_t before, const Command& command) {
  return perf::mix(before, static_cast<uint64_t>(command.kind) + 8 * command.message.size());
}

void bench_whole(perf::Runner& run, const char* name, const std::string& commands) {
  if (!run.wants(name)) return run.bench(name, {});
  std::string read;
  while (read.size() < read_bytes_min) read += commands;
  run.bench(name,
            [&](perf::Sample& sample) {
              sample.measure([&] {
                perf::Work work;
                Parser parser = new_parser();
                Command command;
                for (uint64_t round = run.size(2, 2000); round > 0; round--) {
                  for (std::string_view rest = read; !rest.empty(); work.ops++) {
                    const Step step = parser.next(rest, command);
                    if (step.kind != StepKind::command) std::abort();
                    work.checksum = checksum_of(work.checksum, command);
                    rest.remove_prefix(step.consumed_bytes);
                  }
                }
                return work;
              });
            },
            {.allocations = perf::Allocations::forbidden});
}

/// Each command comes in several reads; `step_bytes` more each time, but for the rest of it.
void bench_cut(perf::Runner& run, const char* name, const std::string& text, size_t first_bytes,
               size_t step_bytes) {
  run.bench(name,
            [&](perf::Sample& sample) {
              sample.measure([&] {
                perf::Work work;
                Parser parser = new_parser();
                Command command;
                for (uint64_t round = run.size(100, 1'000'000); round > 0; round--, work.ops++) {
                  size_t bytes = first_bytes;
                  while (parser.next({text.data(), bytes}, command).kind != StepKind::command) {
                    if (bytes == text.size()) std::abort();
                    bytes = std::min(bytes + step_bytes, text.size());
                    work.checksum++;
                  }
                  work.checksum = checksum_of(work.checksum, command);
                }
                return work;
              });
            },
            {.allocations = perf::Allocations::forbidden});
}

}  // namespace
}  // namespace peal

int main(int argc, char** argv) {
  using namespace peal;
  perf::Runner run(argc, argv);
  bench_whole(run, "parser/pub/0B", pub(0));
  bench_whole(run, "parser/pub/16B", pub(16));
  bench_whole(run, "parser/pub/128B", pub(128));
  bench_whole(run, "parser/pub/1KiB", pub(1024));
  bench_whole(run, "parser/pub-reply/16B", pub_with_reply(16));
  bench_whole(run, "parser/hpub/16B", hpub(16));
  bench_whole(run, "parser/hpub/128B", hpub(128));
  bench_whole(run, "parser/sub", "SUB market.eu.*.fdax 1234\r\n");
  bench_whole(run, "parser/sub-queue", "SUB market.eu.*.fdax workers 1234\r\n");
  bench_whole(run, "parser/unsub", "UNSUB 1234 10\r\n");
  bench_whole(run, "parser/ping", "PING\r\n");
  bench_whole(run, "parser/mixed",
              pub(16) + "SUB market.eu.> 7\r\n" + pub(128) + hpub(128) + "PING\r\n" +
                  pub_with_reply(16) + "UNSUB 7\r\n" + pub(1024) + "PONG\r\n");
  bench_cut(run, "parser/cut/in-line", pub(128), 10, 1024);
  bench_cut(run, "parser/cut/in-payload", pub(128), 80, 1024);
  bench_cut(run, "parser/cut/byte-by-byte", pub(16), 1, 1);
  return run.finish();
}
