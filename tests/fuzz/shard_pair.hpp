#pragma once
// Two clients of a simulated server who do all that is asked of clients, whatever others do beside
// them: one publishes, the other has subscribed to that. Their subject is nobody else's, so each
// message must come, once, whole and in order, and neither may be refused or closed.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "tests/sim/reply_reader.hpp"
#include "tests/sim/world.hpp"

namespace peal::fuzz {

/// One client: writes what it has to say, reads all there is, answers PINGs.
class PairEnd : public sim::Actor, public sim::LinkClient {
 public:
  using OnMessage = std::function<void(const sim::Reply&)>;

  PairEnd(sim::World& world, OnMessage on_message)
      : world_(world), on_message_(std::move(on_message)) {}

  bool connect(int listener) {
    link_ = world_.connect(listener, *this, link_bytes, link_bytes);
    return link_ != nullptr;
  }
  void say(std::string_view text) {
    out_ += text;
    on_link_changed();
  }
  /// From now on the server may close it.
  void let_go() { may_end_ = true; }
  void close() {
    let_go();
    link_->client_close();
  }
  bool ended() const { return link_->client_sees_end(); }
  uint64_t pongs() const { return pongs_; }

  void on_link_changed() override { world_.schedule(world_.now() + world_.delay(), *this, 0); }
  void run(uint32_t, uint64_t) override {
    if (link_->client_gone) return;
    link_->client_read(SIZE_MAX, replies_.bytes());
    while (const auto reply = replies_.next()) take(*reply);
    out_.erase(0, link_->client_write(out_));
    if (link_->client_sees_end() && !may_end_) {
      sim::World::fail("closed", "a client that had given the server no reason");
    }
  }

 private:
  static constexpr size_t link_bytes = 64 * 1024;

  void take(const sim::Reply& reply) {
    switch (reply.kind) {
      case sim::Reply::Kind::ping:
        return say("PONG\r\n");
      case sim::Reply::Kind::pong:
        pongs_++;
        return;
      case sim::Reply::Kind::message:
        return on_message_(reply);
      case sim::Reply::Kind::error:
        if (!may_end_) sim::World::fail("refused", std::string(reply.text));
        return;
      case sim::Reply::Kind::info:
      case sim::Reply::Kind::ok:
        return;
    }
  }

  sim::World& world_;
  OnMessage on_message_;
  sim::Link* link_ = nullptr;
  sim::ReplyReader replies_;
  std::string out_;
  bool may_end_ = false;
  uint64_t pongs_ = 0;
};

class Pair {
 public:
  /// `secret` makes the subject theirs: no input can know what is computed from all of it.
  Pair(sim::World& world, uint64_t secret)
      : subject_("pair." + std::to_string(secret)),
        publisher_(world,
                   [](const sim::Reply&) {
                     sim::World::fail("loss", "a message for who has no subscription");
                   }),
        subscriber_(world, [this](const sim::Reply& reply) { take(reply); }) {}

  bool connect(int listener) {
    if (!publisher_.connect(listener) || !subscriber_.connect(listener)) return false;
    publisher_.say("CONNECT {\"verbose\":false}\r\nPING\r\n");
    subscriber_.say("CONNECT {\"verbose\":false}\r\nSUB " + subject_ + " 1\r\nPING\r\n");
    return true;
  }
  bool ready() const { return publisher_.pongs() > 0 && subscriber_.pongs() > 0; }

  /// The next message, unless too many are on their way: whoever floods others is not behaved.
  void publish() {
    if (published_ - received_ >= on_their_way_max) return;
    const std::string payload = payload_of(published_++);
    publisher_.say("PUB " + subject_ + " " + std::to_string(payload.size()) + "\r\n" + payload +
                   "\r\n");
  }
  uint64_t published() const { return published_; }
  bool all_came() const { return received_ == published_; }

  void let_go() {
    publisher_.let_go();
    subscriber_.let_go();
  }
  void close() {
    publisher_.close();
    subscriber_.close();
  }
  bool ended() const { return publisher_.ended() || subscriber_.ended(); }

 private:
  static constexpr uint64_t on_their_way_max = 4;

  // Of many lengths, and none is another's beginning.
  static std::string payload_of(uint64_t number) {
    return std::to_string(number) + std::string(number * 37 % 600, '.') + "!";
  }

  void take(const sim::Reply& reply) {
    if (reply.subject != subject_ || reply.payload != payload_of(received_)) {
      sim::World::fail("loss", "instead of message " + std::to_string(received_) + " came " +
                                   std::string(reply.text));
    }
    received_++;
  }

  std::string subject_;
  uint64_t published_ = 0;
  uint64_t received_ = 0;
  PairEnd publisher_;
  PairEnd subscriber_;
};

}  // namespace peal::fuzz
