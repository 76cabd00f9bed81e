#include "server/listener.hpp"

#include <algorithm>
#include <cerrno>

#include "core/error_text.hpp"
#include "server/shard.hpp"

namespace peal::server {

Listener::Listener(Shard& shard, int descriptor, uint32_t index, Door door)
    : shard_(shard), descriptor_(descriptor), token_{core::OpKind::accept, index, 0}, door_(door) {}

void Listener::arm() {
  retry_ns_ = INT64_MAX;
  for (; accepts_ < accepts_max; accepts_++) shard_.reactor().accept(descriptor_, token_);
}

void Listener::on_accept(const core::Completion& done) {
  accepts_--;
  if (done.result >= 0) {
    pause_ns_ = retry_min_ns;
    if (stopping_) {
      shard_.reactor().close(done.result);
    } else {
      place(done.result);
    }
  } else if (done.result != -ECANCELED) {
    const bool first = retry_ns_ == INT64_MAX;  // Of several in flight: it speaks for all.
    if (first) shard_.stats().accept_errors++;
    switch (-done.result) {
      case ECONNABORTED:  // The newcomer left before we looked.
      case EINTR:
      case EAGAIN:
        break;
      case EINVAL:  // Nobody can come any more: the server is about to leave.
        retry_ns_ = shard_.now_ns() + pause_ns_;
        break;
      default:  // EMFILE and its kind: it will not be better at once.
        if (!first) break;
        shard_.log().error("accept: {}; trying again in {} ms", core::error_text(-done.result),
                           pause_ns_ / core::millisecond_ns);
        retry_ns_ = shard_.now_ns() + pause_ns_;
        pause_ns_ = std::min(pause_ns_ * 2, retry_max_ns);
        break;
    }
  }
  if (stopping_) {
    retry_ns_ = INT64_MAX;  // Or the shard would not sleep until it ends.
    return close_if_idle();
  }
  if (retry_ns_ == INT64_MAX) arm();
}

void Listener::on_turn(int64_t now_ns) {
  if (!stopping_ && now_ns >= retry_ns_) arm();
}

void Listener::place(int descriptor) {
  const ShardId to = least_loaded();
  last_placed_ = to;
  ServerState& state = shard_.state();
  ServerState::ShardWords& words = state.shard_words[to];
  words.connections.fetch_add(1, std::memory_order_relaxed);
  words.open.fetch_add(1, std::memory_order_relaxed);
  const ConnectionRecord record{RecordKind::connection, door_, descriptor,
                                state.next_cid.fetch_add(1, std::memory_order_relaxed)};
  if (to == shard_.id()) return shard_.on_newcomer(record);
  const std::string_view bytes{reinterpret_cast<const char*>(&record), sizeof record};
  if (shard_.link().send_control(to, bytes)) return;
  // The other shard has not listened for so long that there is no room to tell it.
  words.connections.fetch_sub(1, std::memory_order_relaxed);
  words.open.fetch_sub(1, std::memory_order_relaxed);
  shard_.stats().side_list_dropped++;
  shard_.reactor().close(descriptor);
}

// The first of the least loaded, counting from behind the last choice: equals take turns.
ShardId Listener::least_loaded() {
  const auto& words = shard_.state().shard_words;
  const auto shards = static_cast<ShardId>(words.size());
  ShardId best = 0;
  uint32_t best_connections = UINT32_MAX;
  for (ShardId i = 1; i <= shards; i++) {
    const auto candidate = static_cast<ShardId>((last_placed_ + i) % shards);
    const uint32_t connections = words[candidate].connections.load(std::memory_order_relaxed);
    if (connections < best_connections) {
      best = candidate;
      best_connections = connections;
    }
  }
  return best;
}

void Listener::stop() {
  if (stopping_) return;
  stopping_ = true;
  retry_ns_ = INT64_MAX;
  shard_.state().accepting.store(false, std::memory_order_release);
  if (accepts_ > 0) {
    shard_.reactor().cancel(token_);
  } else {
    close_if_idle();
  }
}

void Listener::close_if_idle() {
  if (accepts_ > 0 || closed_) return;
  closed_ = true;
  shard_.reactor().close(descriptor_);
}

}  // namespace peal::server
