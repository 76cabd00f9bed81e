// What each command of a client does. The life of the connection around them is in connection.cpp.

#include <algorithm>
#include <utility>

#include "protocol/binary_frame.hpp"
#include "protocol/connect.hpp"
#include "protocol/subject.hpp"
#include "protocol/writer.hpp"
#include "server/connection.hpp"
#include "server/reserved_subjects.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"

namespace peal::server {
namespace {

// nats-server pings a newcomer early, to know the round trip.
constexpr int64_t first_ping_ns = 2'000'000'000;
constexpr uint32_t ping_jitter_percent = 20;

// To make a subscription or to end it takes as long as to give a message to so many.
constexpr uint64_t work_of_subscription = 16;

std::string_view subject_of(const protocol::Command& command) {
  const bool has_one =
      protocol::publishes(command.kind) || command.kind == protocol::CommandKind::sub;
  return has_one ? command.subject : std::string_view();
}

}  // namespace

Connection::Verdict Connection::apply(const protocol::Command& command) {
  using protocol::CommandKind;
  if (shard_.tracing() && shard_.traces(*this, subject_of(command))) {
    const Options& options = shard_.options();
    trace_command(shard_.log(), label(), command,
                  {options.traced_message_bytes_max, options.trace_headers});
  }
  switch (command.kind) {
    case CommandKind::pub:
    case CommandKind::hpub:
      if (is_reserved_subject(command.subject)) [[unlikely]] {
        return deny_publish(command, protocol::Refusal::publish_denied, command.subject);
      }
      if (restricted_) return publish_if_permitted(command);
      if (is_reserved_reply(command.reply)) [[unlikely]] {
        return deny_publish(command, protocol::Refusal::publish_reply_denied, command.reply);
      }
      return shard_.router().publish(*this, command, !binary()) ? Verdict::done : Verdict::parked;
    case CommandKind::sub:
      on_sub(command);
      break;
    case CommandKind::unsub:
      on_unsub(command);
      break;
    case CommandKind::ping:
      on_ping();
      break;
    case CommandKind::pong:
      on_pong();
      break;
    case CommandKind::connect:
      on_connect(command);
      break;
    case CommandKind::ignored:
      break;
  }
  return Verdict::done;
}

void Connection::acknowledge() {
  if (verbose_) send_line(protocol::ok_line);
}

// Comes before the message is delivered to anyone, so that +OK stands before our own copy of it.
void Connection::on_published(const protocol::Command& command) {
  count_in(1, command.message.size());
  if (pedantic_ && !protocol::is_valid_literal(command.subject)) {
    refuse(protocol::Refusal::invalid_publish_subject);
  }
  acknowledge();
}

void Connection::on_connect(const protocol::Command& command) {
  protocol::ConnectOptions options;
  // A second CONNECT changes only what it names.
  options.verbose = verbose_;
  options.pedantic = pedantic_;
  options.echo = echo_;
  options.headers = headers_;
  options.no_responders = no_responders_;
  options.protocol = async_info_ ? 1 : 0;
  if (!protocol::merge_connect(command.document, options)) {
    return refuse(protocol::Refusal::protocol_violation);
  }
  if (options.new_account || !options.account.empty()) return refuse_admission();
  if (!identify(options)) return;
  forget_secrets(options);
  accept_wishes(std::move(options));
}

// Of a client that is known to be who it says.
void Connection::accept_wishes(protocol::ConnectOptions&& options) {
  using protocol::Refusal;
  if (options.protocol < 0 || options.protocol > 1) {
    return refuse(Refusal::invalid_client_protocol);
  }
  if (!may_have_framing(options.framing)) return;
  if (!options.name.empty() || !options.lang.empty() || !options.version.empty()) {
    client_name_ = std::make_unique<ClientName>(
        ClientName{std::move(options.name), std::move(options.lang), std::move(options.version)});
  }
  verbose_ = options.verbose;
  pedantic_ = options.pedantic;
  echo_ = options.echo;
  headers_ = options.headers && shard_.settings().info.headers;
  no_responders_ = options.no_responders;
  async_info_ = options.protocol == 1;
  parser_.allow_headers(headers_);
  if (binary_) binary_->parser.allow_headers(headers_);
  if (no_responders_ && !headers_) return refuse(Refusal::no_responders_requires_headers);

  if (!connected_) {
    connected_ = true;
    const int64_t soon_ns = std::min(shard_.options().ping_interval.count(), first_ping_ns);
    const int64_t jitter_ns = soon_ns / 100 * shard_.random().below(ping_jitter_percent);
    ping_due_ns_ = shard_.now_ns() + soon_ns + jitter_ns;
    check_later(ping_due_ns_);
  }
  if (options.framing == protocol::binary_framing && !binary()) return begin_frames();
  acknowledge();
}

void Connection::on_sub(const protocol::Command& command) {
  using protocol::Refusal;
  const Limits& limits = shard_.options().limits;
  if (!may_subscribe(command)) return;
  if (limits.subscription_tokens_max != 0 &&
      protocol::count_tokens(command.subject) > limits.subscription_tokens_max) {
    return refuse(Refusal::subscribe_tokens_denied, {command.subject});
  }
  if (limits.subscriptions_max != 0 && subscriptions_ >= limits.subscriptions_max) {
    return refuse(Refusal::subscriptions_exceeded);
  }
  if (shard_.state().full_indexes.load(std::memory_order_relaxed) > 0) {
    return refuse(Refusal::subscriptions_exceeded);
  }
  const int64_t account_max = shard_.security().account(account_)->subscriptions_max;
  if (account_max >= 0 && subscriptions_ >= account_max) {
    return refuse(Refusal::subscriptions_exceeded);
  }
  Interest& interest = shard_.interest();
  // A sid that is taken keeps its subscription, whatever else was asked for; nats-server says
  // nothing of it either.
  if (interest.find(slot_, command.sid) != nullptr) return acknowledge();
  if (!protocol::is_valid_filter(command.subject)) return refuse(Refusal::invalid_subject);

  const bool filtered = permissions() != nullptr && permissions()->filters(command.subject);
  if (const Subscription* const added = interest.subscribe(
          account(), slot_, owned_, command.sid, command.subject, command.queue, filtered)) {
    subscriptions_++;
    subscription_bytes_ += interest.bytes_about(*added);
    shard_.stats().subscriptions_total++;
  }
  on_interest_changed();
  acknowledge();
}

void Connection::on_unsub(const protocol::Command& command) {
  Interest& interest = shard_.interest();
  if (Subscription* subscription = interest.find(slot_, command.sid)) {
    if (command.max > subscription->delivered) {
      subscription->delivered_max = command.max;
    } else {
      end_subscription(*subscription);
    }
  }
  on_interest_changed();
  acknowledge();
}

// What other shards have not been told stands before every message to them, whoever's it is: so
// there is a bound to that, and who goes beyond it waits until it is told.
void Connection::on_interest_changed() {
  last_activity_ns_ = shard_.now_ns();
  interest_epoch_ = shard_.interest().change_epoch();
  shard_.budget().spend(work_of_subscription);
  if (shard_.budget().share_is_full()) wait_for_share();
  if (shard_.link().on_interest_changed() || (pauses_ & pause_interest) != 0) return;
  pauses_ |= pause_interest;
  shard_.wait_to_tell(*this);
}

void Connection::end_subscription(Subscription& subscription) {
  subscriptions_--;
  subscription_bytes_ -= shard_.interest().bytes_about(subscription);
  shard_.interest().unsubscribe(subscription, owned_);
}

// The PONG may have to wait until other shards know of our subscriptions, and until what they have
// for us stands before it. Until then nothing more is read: answers keep the order of the
// questions.
void Connection::on_ping() {
  if (shard_.fences().reached_already(interest_epoch_)) return send_pong();
  pauses_ |= pause_fence;
  shard_.stats().fences_waited++;
  shard_.fences().add(slot_, generation_, interest_epoch_);
}

void Connection::on_fence_reached() {
  if (open() && (pauses_ & pause_fence) != 0) send_pong();
  resume(pause_fence);
}

void Connection::send_pong() {
  send_line(protocol::pong_line);
  if (ponged_) return;
  ponged_ = true;
  // The first estimate, as nats-server makes it: who asks does so right after CONNECT.
  if (rtt_ns_ == 0) rtt_ns_ = std::max<int64_t>(1, shard_.now_ns() - since_ns_);
  if (async_info_) send_info(true);
}

void Connection::on_pong() {
  if (pings_out_ > 0) rtt_ns_ = std::max<int64_t>(1, shard_.now_ns() - ping_sent_ns_);
  pings_out_ = 0;
}

}  // namespace peal::server
