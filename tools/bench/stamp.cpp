#include "tools/bench/stamp.hpp"

#include <zlib.h>

#include <cassert>

namespace peal::bench {
namespace {

constexpr size_t due_at = 8;
constexpr size_t stream_at = 16;
constexpr size_t crc_at = 20;

// Over everything but the sum itself.
uint32_t sum_of(const char* payload, size_t payload_bytes) {
  const auto* bytes = reinterpret_cast<const Bytef*>(payload);
  const uLong head = crc32(0, bytes, uInt(crc_at));
  return uint32_t(crc32(head, bytes + seal_bytes, uInt(payload_bytes - seal_bytes)));
}

}  // namespace

void seal(char* payload, size_t payload_bytes, const Seal& seal) {
  assert(payload_bytes >= seal_bytes);
  std::memcpy(payload, &seal.number, sizeof seal.number);
  std::memcpy(payload + due_at, &seal.due_ns, sizeof seal.due_ns);
  std::memcpy(payload + stream_at, &seal.stream, sizeof seal.stream);
  const uint32_t sum = sum_of(payload, payload_bytes);
  std::memcpy(payload + crc_at, &sum, sizeof sum);
}

std::optional<Seal> read_seal(std::string_view payload) {
  if (payload.size() < seal_bytes) return {};
  uint32_t sum;
  std::memcpy(&sum, payload.data() + crc_at, sizeof sum);
  if (sum != sum_of(payload.data(), payload.size())) return {};
  Seal seal;
  std::memcpy(&seal.number, payload.data(), sizeof seal.number);
  std::memcpy(&seal.due_ns, payload.data() + due_at, sizeof seal.due_ns);
  std::memcpy(&seal.stream, payload.data() + stream_at, sizeof seal.stream);
  return seal;
}

}  // namespace peal::bench
