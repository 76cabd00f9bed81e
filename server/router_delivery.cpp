// One message to one client, in whichever way it is spoken to.

#include <algorithm>
#include <string>

#include "core/copy.hpp"
#include "protocol/binary_writer.hpp"
#include "protocol/writer.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"

namespace peal::server {
namespace {

/// The head of a message as a line, to memory that has room for it.
inline char* write_line_head(char* out, const protocol::Command& text, std::string_view sid,
                             const Content& content) {
  return content.header_bytes > 0
             ? protocol::write_hmsg_head(out, text.subject, sid, text.reply, content.header_bytes,
                                         content.size)
             : protocol::write_msg_head(out, text.subject, sid, text.reply, content.size);
}

size_t line_head_bytes_max(const protocol::Command& text, std::string_view sid) {
  return protocol::hmsg_head_bytes_max(text.subject.size(), sid.size(), text.reply.size());
}

/// The line that a frame would have been, for a log that reads the same for all clients.
std::string line_head(const protocol::Command& text, std::string_view sid, const Content& content) {
  std::string line(line_head_bytes_max(text, sid), '\0');
  const char* const end = write_line_head(line.data(), text, sid, content);
  line.resize(static_cast<size_t>(end - line.data()));
  return line;
}

void trace(Shard& shard, const Connection& receiver, const Message& message,
           std::string_view line) {
  if (shard.traces(receiver, message.text.subject)) {
    trace_sent(shard.log(), receiver.label(), line);
  }
}

void append_line(Shard& shard, Connection& receiver, std::string_view sid, const Message& message,
                 const Content& content, bool by_reference) {
  const size_t content_bytes = content.size + message.tail_bytes;
  const size_t room_bytes = line_head_bytes_max(message.text, sid) +
                            (by_reference ? 0 : content.size + protocol::line_end_bytes);
  core::ChunkPool& pool = shard.pool();
  Outbox& outbox = receiver.outbox();
  char* const begin = outbox.reserve(pool, room_bytes);
  char* end = write_line_head(begin, message.text, sid, content);
  if (shard.tracing()) [[unlikely]]
    trace(shard, receiver, message, {begin, static_cast<size_t>(end - begin)});
  if (by_reference) [[unlikely]] {
    outbox.commit(static_cast<size_t>(end - begin));
    outbox.append_reference(pool, message.block, {content.begin, content_bytes});
    if (message.tail_bytes == 0) outbox.append(pool, protocol::line_end_text);
    return;
  }
  end = core::copy_short(end, content.begin, content_bytes);
  if (message.tail_bytes == 0) [[unlikely]]
    end = protocol::write_line_end(end);
  outbox.commit(static_cast<size_t>(end - begin));
}

[[gnu::noinline]] void append_frame(Shard& shard, Connection& receiver,
                                    const Subscription& subscription, const Message& message,
                                    const Content& content, bool by_reference) {
  const std::string_view reply = message.text.reply;
  const std::string_view sid = subscription.sid();
  const std::string_view subject = subscription.literal ? std::string_view() : message.text.subject;
  const size_t head_bytes_max = protocol::message_head_bytes_max(subject.size(), reply.size());

  core::ChunkPool& pool = shard.pool();
  Outbox& outbox = receiver.outbox();
  char* const begin = outbox.reserve(pool, head_bytes_max + (by_reference ? 0 : content.size));
  char* end = protocol::write_message_head(begin, protocol::Operation::msg,
                                           {.id = protocol::subscription_number(sid),
                                            .subject = subject,
                                            .reply = reply,
                                            .header_bytes = content.header_bytes,
                                            .message_bytes = content.size});
  if (shard.tracing()) {
    trace(shard, receiver, message, line_head(message.text, sid, content));
  }
  if (!by_reference) end = core::copy_short(end, content.begin, content.size);
  outbox.commit(static_cast<size_t>(end - begin));
  if (by_reference) outbox.append_reference(pool, message.block, {content.begin, content.size});
}

}  // namespace

Router::Given Router::deliver_plain(const Plan& plan, const Message& message,
                                    const Connection* publisher, bool sole) {
  Given given;
  for (Subscription* subscription : plan.plain) {
    Connection* const receiver = shard_.receiver_of(*subscription, publisher);
    if (receiver != nullptr) deliver(*receiver, *subscription, message, sole, given);
  }
  return given;
}

void Router::deliver(Connection& receiver, Subscription& subscription, const Message& message,
                     bool sole, Given& given) {
  given.messages++;
  subscription.count_delivered(1);
  shard_.budget().spend(work_of(message.size));
  const Outbox& outbox = receiver.outbox();
  const size_t pending_before = outbox.pending_bytes();
  if (!message.text.reply.empty()) receiver.on_request(message.text.reply);
  Content content{message.begin, message.size, message.text.header_bytes};
  if (content.header_bytes > 0 && !receiver.headers()) content = content.without_headers();
  const bool by_reference = message.block && content.size >= reference_bytes_;
  if (receiver.binary()) [[unlikely]] {
    append_frame(shard_, receiver, subscription, message, content, by_reference);
  } else {
    append_line(shard_, receiver, subscription.sid(), message, content, by_reference);
  }
  receiver.flush_later();
  receiver.count_out(1, content.size);
  if (shard_.is_slow(receiver)) [[unlikely]] {
    const size_t bytes = outbox.pending_bytes() - pending_before;
    given.hold_ms = std::max(given.hold_ms, settle(receiver, sole, bytes));
  }
  if (subscription.delivered_max != 0 && subscription.delivered >= subscription.delivered_max) {
    end_stretch();  // It was published before this changes interest.
    receiver.end_subscription(subscription);
  }
}

}  // namespace peal::server
