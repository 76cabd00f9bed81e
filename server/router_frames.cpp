// One message to a client that speaks in frames; those to one that speaks in lines are in
// router.cpp.

#include <string>

#include "core/copy.hpp"
#include "protocol/binary_writer.hpp"
#include "protocol/writer.hpp"
#include "server/router.hpp"
#include "server/shard.hpp"
#include "server/trace.hpp"

namespace peal::server {
namespace {

/// The line that it would have been, for a log that reads the same for all clients.
std::string line_of(const Message& message, std::string_view sid, uint32_t header_bytes,
                    size_t size) {
  const std::string_view subject = message.text.subject;
  const std::string_view reply = message.text.reply;
  std::string line(protocol::hmsg_head_bytes_max(subject.size(), sid.size(), reply.size()), '\0');
  const char* const end =
      header_bytes > 0
          ? protocol::write_hmsg_head(line.data(), subject, sid, reply, header_bytes, size)
          : protocol::write_msg_head(line.data(), subject, sid, reply, size);
  line.resize(static_cast<size_t>(end - line.data()));
  return line;
}

}  // namespace

Router::Delivery Router::append_frame(Connection& receiver, const Subscription& subscription,
                                      const Message& message, bool sole) {
  const char* bytes = message.begin;
  size_t size = message.size;
  uint32_t header_bytes = message.text.header_bytes;
  if (header_bytes > 0 && !receiver.headers()) {
    bytes += header_bytes;
    size -= header_bytes;
    header_bytes = 0;
  }
  const std::string_view reply = message.text.reply;
  if (!reply.empty()) receiver.on_request(reply);
  const std::string_view sid = subscription.sid();
  const std::string_view subject = subscription.literal ? std::string_view() : message.text.subject;
  const bool by_reference = message.block && size >= reference_bytes_;
  const size_t head_bytes_max = protocol::message_head_bytes_max(subject.size(), reply.size());

  core::ChunkPool& pool = shard_.pool();
  Outbox& outbox = receiver.outbox();
  char* const begin = outbox.reserve(pool, head_bytes_max + (by_reference ? 0 : size));
  char* end = protocol::write_message_head(begin, protocol::Operation::msg,
                                           {.id = protocol::subscription_number(sid),
                                            .subject = subject,
                                            .reply = reply,
                                            .header_bytes = header_bytes,
                                            .message_bytes = size});
  if (shard_.traces(receiver, message.text.subject)) {
    trace_sent(shard_.log(), receiver.label(), line_of(message, sid, header_bytes, size));
  }
  if (!by_reference) end = core::copy_short(end, bytes, size);
  outbox.commit(static_cast<size_t>(end - begin));
  if (by_reference) outbox.append_reference(pool, message.block, {bytes, size});
  receiver.flush_later();
  receiver.count_out(1, size);
  return settle(receiver, sole, head_bytes_max + size);
}

}  // namespace peal::server
