// Both ends of a mailbox in one thread, by operations from bytes, held against a queue: records
// come out as they went in, in order, none before it was published; what fits an empty mailbox
// always does.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "core/mailbox.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

using peal::core::Mailbox;

void expect(bool claim) {
  if (!claim) std::abort();
}

class World {
 public:
  explicit World(size_t capacity_bytes) : mailbox_(capacity_bytes) {}

  void step(peal::fuzz::Reader& input) {
    const uint8_t choice = input.byte();
    const size_t bytes = input.byte() % (mailbox_.record_bytes_max() + 1);
    switch (choice % 6) {
      case 0:
      case 1:
        return append(bytes);
      case 2:
        return extend(bytes);
      case 3:
        published_ = written_.size();
        return mailbox_.publish();
      case 4:
        return take();
      default:
        mailbox_.release();
        return;
    }
  }

  void drain() {
    mailbox_.publish();
    published_ = written_.size();
    while (!written_.empty()) take();
    mailbox_.release();
    expect(mailbox_.drained());
    expect(mailbox_.has_room(mailbox_.record_bytes_max()));
  }

 private:
  std::string next_bytes(size_t count) {
    std::string bytes(count, '\0');
    for (char& byte : bytes) byte = static_cast<char>(next_++);
    return bytes;
  }

  void append(size_t bytes) {
    const bool room = mailbox_.has_room(bytes);
    char* at = mailbox_.try_append(bytes);
    if (at != nullptr) expect(room);
    if (at == nullptr && room) at = mailbox_.append(bytes);
    if (at == nullptr) return;
    written_.push_back(next_bytes(bytes));
    std::memcpy(at, written_.back().data(), bytes);
  }

  void extend(size_t bytes) {
    if (written_.size() == published_) {
      expect(mailbox_.extension_bytes_max() == 0);
      return;
    }
    char* const at = mailbox_.try_extend(bytes);
    expect((at != nullptr) == (bytes <= mailbox_.extension_bytes_max() || at != nullptr));
    if (at == nullptr) return;
    const std::string more = next_bytes(bytes);
    std::memcpy(at, more.data(), bytes);
    written_.back() += more;
  }

  void take() {
    const auto record = mailbox_.peek(mailbox_.head());
    expect((record.data() == nullptr) == (published_ == 0));
    if (record.data() == nullptr) return;
    expect(std::string_view(record.data(), record.size()) == written_.front());
    mailbox_.pop(record);
    written_.pop_front();
    published_--;
  }

  Mailbox mailbox_;
  std::deque<std::string> written_;
  size_t published_ = 0;  // Of them, from the front.
  uint8_t next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  peal::fuzz::Reader input(data, size);
  World world(size_t{64} << input.byte() % 4);
  while (!input.ended()) world.step(input);
  world.drain();
  return 0;
}
