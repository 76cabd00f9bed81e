#include "protocol/headers.hpp"

#include <algorithm>

#include "protocol/binary_writer.hpp"
#include "protocol/writer.hpp"

namespace peal::protocol {
namespace {

constexpr std::string_view no_responders_status = "NATS/1.0 503\r\nNats-Subject: ";
constexpr std::string_view line_end = "\r\n";

char* write_block(char* out, std::string_view subject) {
  out = write_text(out, no_responders_status);
  out = write_text(out, subject);
  out = write_line_end(out);   // The header's.
  return write_line_end(out);  // The block's.
}

}  // namespace

size_t no_responders_bytes(std::string_view subject) {
  return no_responders_status.size() + subject.size() + 2 * line_end.size();
}

size_t no_responders_message_bytes_max(std::string_view reply, std::string_view sid,
                                       std::string_view subject) {
  return std::max(hmsg_head_bytes_max(reply.size(), sid.size(), 0) + line_end.size(),
                  message_head_bytes_max(reply.size(), 0)) +
         no_responders_bytes(subject);
}

char* write_no_responders(char* out, std::string_view reply, std::string_view sid,
                          std::string_view subject) {
  const size_t bytes = no_responders_bytes(subject);
  out = write_hmsg_head(out, reply, sid, {}, bytes, bytes);
  return write_line_end(write_block(out, subject));
}

char* write_no_responders_frame(char* out, std::string_view reply, std::string_view sid,
                                bool literal, std::string_view subject) {
  const size_t bytes = no_responders_bytes(subject);
  out = write_message_head(out, Operation::msg,
                           {.id = subscription_number(sid),
                            .subject = literal ? std::string_view() : reply,
                            .header_bytes = static_cast<uint32_t>(bytes),
                            .message_bytes = bytes});
  return write_block(out, subject);
}

}  // namespace peal::protocol
