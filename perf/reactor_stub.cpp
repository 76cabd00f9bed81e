#include "perf/reactor_stub.hpp"

#include <time.h>

#include <vector>

#include "core/reactor.hpp"

namespace peal::perf {
namespace {

struct Descriptor {
  core::Token recv{};
  bool recv_armed = false;
  core::Reactor* reactor = nullptr;
  std::string_view fed;
  uint64_t sent_bytes = 0;
};

std::vector<Descriptor>& descriptors() {
  static std::vector<Descriptor> all(1024);
  return all;
}

}  // namespace

void feed(int descriptor, std::string_view bytes) {
  descriptors()[static_cast<size_t>(descriptor)].fed = bytes;
}
uint64_t sent_bytes(int descriptor) {
  return descriptors()[static_cast<size_t>(descriptor)].sent_bytes;
}

}  // namespace peal::perf

namespace peal::core {

using perf::descriptors;

struct Reactor::Impl {
  std::vector<Completion> completions;
  std::vector<Completion> sends;
  std::vector<int> owned;
  ReactorStats stats;
  BufferHold hold;  // One for all: what is fed stays where it is.
  int64_t now_ns = 0;
};

std::variant<std::unique_ptr<Reactor>, std::string> Reactor::create(const ReactorConfig&) {
  return std::unique_ptr<Reactor>(new Reactor(std::make_unique<Impl>()));
}
Reactor::Reactor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reactor::~Reactor() = default;

void Reactor::accept(int, Token) {}
void Reactor::recv(int descriptor, Token token) {
  auto& entry = descriptors()[static_cast<size_t>(descriptor)];
  if (entry.reactor == nullptr) impl_->owned.push_back(descriptor);
  entry.reactor = this;
  entry.recv = token;
  entry.recv_armed = true;
}
bool Reactor::ends_recv_at_cap() const { return true; }
void Reactor::recv_once(int descriptor, Token token) { recv(descriptor, token); }
void Reactor::send(int descriptor, std::span<const iovec> parts, Token token) {
  size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  descriptors()[static_cast<size_t>(descriptor)].sent_bytes += bytes;
  impl_->sends.push_back({token, static_cast<int32_t>(bytes), false, {}});
}
void Reactor::cancel(Token) {}
uint32_t Reactor::unsent_bytes(int) const { return 0; }
void Reactor::shutdown_send(int) {}
void Reactor::close(int) {}
PeerAddress Reactor::adopt(int) { return {"127.0.0.1", 1}; }
int Reactor::handle() const { return 0; }
void Reactor::wake(int) {}
void Reactor::notify() {}

std::span<const Completion> Reactor::wait(int64_t, Baton* baton) {
  if (baton != nullptr) baton->take_back();
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  impl_->now_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  impl_->completions.swap(impl_->sends);
  for (const int descriptor : impl_->owned) {
    auto& entry = descriptors()[static_cast<size_t>(descriptor)];
    if (!entry.recv_armed || entry.fed.empty()) continue;
    impl_->completions.push_back(
        {entry.recv, static_cast<int32_t>(entry.fed.size()), true, entry.fed});
    entry.fed = {};
  }
  return impl_->completions;
}

// Nobody sleeps here, so nothing is lent.
void Reactor::begin_loan() {}
std::span<const Completion> Reactor::loan_completions() { return {}; }
bool Reactor::end_loan() { return false; }

void Reactor::give_back() { impl_->completions.clear(); }
BufferHold* Reactor::hold(const char*) {
  impl_->hold.begin();
  return &impl_->hold;
}
unsigned Reactor::receive_buffers() const { return 1; }
int64_t Reactor::now_ns() const { return impl_->now_ns; }
const ReactorStats& Reactor::stats() const { return impl_->stats; }

}  // namespace peal::core
