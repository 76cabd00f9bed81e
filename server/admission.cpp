// How a connection becomes somebody: what it may say before, how what it says of itself is looked
// at, and what it may do after. The life of the connection around it is in connection.cpp.

#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "protocol/subject.hpp"
#include "server/connection.hpp"
#include "server/reserved_subjects.hpp"
#include "server/secret.hpp"
#include "server/shard.hpp"

namespace peal::server {
namespace {

// As in nats-server: 15 letters.
constexpr size_t nonce_bytes = 11;

// A queue name that nats-server keeps for itself.
constexpr std::string_view reserved_queue = "_sys_";

}  // namespace

// ---- Before it is known who it is.

void Connection::await_admission() {
  const Security& security = this->security();
  admitted_ = false;
  admission_ = std::make_unique<Admission>();
  if (security.wants_nonce()) admission_->nonce = random_base64(nonce_bytes);
}

// From when on it has the time to say who it is, or anything where it need not: when it can.
void Connection::start_admission_clock() {
  if (!admission_) return;
  admission_->due_ns = shard_.now_ns() + security().auth_timeout().count();
  check_later(admission_->due_ns);
}

// Who its certificate says it is, by the rules of now.
UserRef Connection::certificate_user() const {
  const bool shown = tls_ && tls_->stage == TlsLink::Stage::open;
  if (!shown || !security().maps_certificates()) return nullptr;
  return security().user_of_certificate(tls_->session->peer_names());
}

// The first letter tells: no command but CONNECT begins so. To wait for the whole of another would
// be to keep what a stranger sends. False when nothing more is to be read.
bool Connection::speaks_before_admission(char first) {
  if (first == 'C' || first == 'c') return true;
  const Attempt attempt = security().try_connect({}, {}, certificate_user());
  if (attempt.user != nullptr && attempt.proof == nullptr) return admit(attempt);
  refuse_admission();
  return false;
}

// Looks at what CONNECT says of who it is. False when that ends the connection, or is to be found
// out first: then on_proof() goes on.
bool Connection::identify(protocol::ConnectOptions& options) {
  const Security& security = this->security();
  if (!security.auth_required()) return true;
  // A second CONNECT changes only what it names: whoever was let in stays who he is.
  if (user_ != nullptr && !security.says_who(options)) return true;
  // He has signed already, and the nonce has gone.
  if (user_ != nullptr && user_->is_nkey && options.nkey == user_->name) return true;
  if (user_ != nullptr && options.user.empty() && options.nkey.empty()) options.user = user_->name;

  Attempt attempt =
      security.try_connect(options, admission_ ? admission_->nonce : std::string_view(),
                           user_ == nullptr ? certificate_user() : user_);
  if (attempt.proof == nullptr) {
    if (attempt.user != nullptr && admit(attempt)) return true;
    if (attempt.user == nullptr) refuse_admission(options);
    return false;
  }
  if (!admission_) admission_ = std::make_unique<Admission>();
  const auto kind = std::holds_alternative<PasswordProof>(*attempt.proof)
                        ? HelperPool::Kind::password
                        : HelperPool::Kind::signature;
  admission_->user = std::move(attempt.user);
  admission_->proof = std::move(attempt.proof);
  admission_->wishes = std::move(options);
  forget_secrets(admission_->wishes);
  admission_->room.take(shard_.state().rooms_behind_proofs, rooms_behind_proofs_max);
  pauses_ |= pause_proof;
  cancel_recv();
  const auto work = [wanted = std::weak_ptr(admission_->proof), slot = slot_,
                     generation = generation_,
                     &inbox = shard_.state().helper_inboxes[shard_.id()]] {
    const std::shared_ptr<const Proof> proof = wanted.lock();
    if (proof) inbox.put({slot, generation, HelperResult::Of::proof, holds(*proof)});
  };
  if (!shard_.state().helpers.submit(kind, work)) {
    refuse(protocol::Refusal::authentication_timeout);
  }
  return false;
}

void Connection::on_proof(bool holds) {
  if (!open() || (pauses_ & pause_proof) == 0) return;
  if (user_ == nullptr && !security().auth_required()) {
    protocol::ConnectOptions wishes = std::move(admission_->wishes);
    admit_anybody();
    accept_wishes(std::move(wishes));
    return resume(pause_proof);
  }
  Attempt proven;
  if (admission_->user != nullptr) {
    proven.user = security().find_again(*admission_->user);  // There may have been a reload.
  }
  if (!holds || proven.user == nullptr) return refuse_admission(admission_->wishes);
  protocol::ConnectOptions wishes = std::move(admission_->wishes);
  if (admit(proven)) accept_wishes(std::move(wishes));
  resume(pause_proof);
}

void Connection::refuse_admission(const protocol::ConnectOptions& said) {
  constexpr size_t name_bytes_max = 64;
  std::string who;
  if (!said.user.empty()) {
    who = fmt::format(" - User \"{}\"", said.user.substr(0, name_bytes_max));
  } else if (!said.nkey.empty()) {
    who = fmt::format(" - Nkey \"{}\"", said.nkey.substr(0, name_bytes_max));
  }
  shard_.on_refused_admission(*this, who);
  refuse(protocol::Refusal::authorization_violation);
}

// ---- From then on.

// False when its account takes no more, or when it was somebody else before: its subscriptions are
// of the account that it had.
bool Connection::admit(const Attempt& attempt) {
  const UserRef& user = attempt.user;
  assert(user != nullptr);
  came_by_default_ = attempt.by_default;
  if (user_ != nullptr) {
    admission_.reset();
    if (user_ == user) return true;
    refuse_admission();
    return false;
  }
  const Account& account = *user->account;
  user_ = user;
  account_ = account.id;
  const int64_t connections = account.use->connections.fetch_add(1, std::memory_order_relaxed);
  if (account.connections_max >= 0 && connections >= account.connections_max) {
    refuse(protocol::Refusal::account_connections_exceeded);
    return false;
  }
  admission_.reset();
  admitted_ = true;
  take_permissions();
  return true;
}

// A reload has left nobody to ask for.
void Connection::admit_anybody() {
  admission_.reset();
  admitted_ = true;
}

void Connection::take_permissions() {
  const Limits& limits = shard_.options().limits;
  const int64_t payload_bytes_max = user_->account->payload_bytes_max;
  payload_bytes_max_ = 0;
  if (payload_bytes_max >= 0 && payload_bytes_max < limits.payload_bytes_max) {
    payload_bytes_max_ = static_cast<uint32_t>(payload_bytes_max);
  }
  take_parser_limits();
  const Permissions* const permissions = this->permissions();
  restricted_ = permissions != nullptr && permissions->restricts_publish();
  reply_permits_.reset();
  if (permissions != nullptr && permissions->responses()) {
    reply_permits_ = std::make_unique<ReplyPermits>(*permissions->responses());
  }
}

void Connection::leave_account() {
  if (user_ == nullptr) return;
  user_->account->use->connections.fetch_sub(1, std::memory_order_relaxed);
}

// ---- After a reload.

// Who it is by the new rules; nullptr when it is nobody any more. Who came in without a word has
// nothing to show but that those are still let in.
UserRef Connection::user_now() const {
  const UserRef& by_default = security().default_user();
  if (user_ == nullptr) return by_default;
  UserRef user = security().find_again(*user_);
  return came_by_default_ && user != by_default ? nullptr : user;
}

// Who is still there goes on with what he may do now; who is not is let go.
void Connection::on_new_security() {
  const Security& security = this->security();
  if (has_unpinned_certificate()) return refuse_admission();
  if (!admitted_) {
    // It will be asked by the new rules, if they ask at all; on_proof() sees to who is being asked.
    if (!security.auth_required() && (pauses_ & pause_proof) == 0) admit_anybody();
    return;
  }
  if (user_ == nullptr && !security.auth_required()) return;
  const bool by_default = user_ == nullptr || came_by_default_;
  Attempt anew{.user = user_now(), .proof = nullptr, .by_default = by_default};
  if (anew.user == nullptr) return refuse_admission();
  if (user_ == nullptr) {
    // Its subscriptions are of the global account.
    if (anew.user->account->id != account_ || !admit(anew)) return refuse_admission();
  }
  user_ = std::move(anew.user);
  take_permissions();
  forget_permitted();
  prune_subscriptions();
}

// Whoever loses his pin is not to come in again, nor to stay.
bool Connection::has_unpinned_certificate() const {
  if (!tls_ || tls_->stage != TlsLink::Stage::open || tls_context() == nullptr) return false;
  const auto& shown = tls_->session->peer_certificates();
  return !tls_context()->options().admits(shown ? shown->front().key_sha256 : std::string());
}

void Connection::prune_subscriptions() {
  Interest& interest = shard_.interest();
  const Permissions* const permissions = this->permissions();
  for (uint32_t id = owned_; id != no_subscription;) {
    Subscription& subscription = *interest.at(id);
    id = Interest::next_owned(subscription);
    const std::string filter(interest.filter_of(subscription));
    const std::string queue(interest.queue_of(subscription));
    interest.set_filtered(subscription, permissions != nullptr && permissions->filters(filter));
    if (permissions == nullptr || permissions->may_subscribe(filter, queue)) continue;
    const std::string sid(subscription.sid());
    end_subscription(subscription);
    if (queue.empty()) {
      refuse(protocol::Refusal::subscription_revoked, {filter, sid});
    } else {
      refuse(protocol::Refusal::subscription_queue_revoked, {filter, queue, sid});
    }
  }
}

// ---- What it may do.

// What was permitted for one subject is remembered with its route, if that is, so that a stream of
// messages is looked at once. A reply that may be sent so many times is counted, and not
// remembered.
Connection::Verdict Connection::publish_if_permitted(const protocol::Command& command) {
  RouteMemo& memo = route_memo();
  const bool permitted = memo.is_permitted(command.subject) ||
                         shard_.verdicts().may_publish(*user_->permissions, command.subject);
  const bool permitted_once = !permitted && reply_permits_ != nullptr &&
                              reply_permits_->permits(command.subject, shard_.now_ns());
  if (!permitted && !permitted_once) {
    return deny_publish(command, protocol::Refusal::publish_denied, command.subject);
  }
  if (is_reserved_reply(command.reply)) {
    return deny_publish(command, protocol::Refusal::publish_reply_denied, command.reply);
  }
  if (!shard_.router().publish(*this, command, !binary())) return Verdict::parked;
  if (permitted_once) {
    reply_permits_->count(command.subject);
    return Verdict::apart;
  }
  if (memo.version() != 0) memo.permit(command.subject);
  return Verdict::done;
}

Connection::Verdict Connection::deny_publish(const protocol::Command& command,
                                             protocol::Refusal refusal, std::string_view denied) {
  shard_.stats().publishes_denied++;
  count_in(1, command.message.size());
  if (pedantic_ && !protocol::is_valid_literal(command.subject)) {
    refuse(protocol::Refusal::invalid_publish_subject);
  }
  refuse(refusal, {denied});
  return Verdict::apart;
}

bool Connection::may_subscribe(const protocol::Command& command) {
  const bool permitted =
      command.queue != reserved_queue &&
      (permissions() == nullptr || permissions()->may_subscribe(command.subject, command.queue));
  if (permitted) return true;
  shard_.stats().subscriptions_denied++;
  if (command.queue.empty()) {
    refuse(protocol::Refusal::subscribe_denied, {command.subject});
  } else {
    refuse(protocol::Refusal::subscribe_queue_denied, {command.subject, command.queue});
  }
  return false;
}

void Connection::permit_reply(std::string_view reply) {
  reply_permits_->grant(reply, shard_.now_ns());
}

}  // namespace peal::server
