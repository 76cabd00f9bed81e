// The message that tells a requester that nobody listens on a subject, of any bytes: it stays
// within the room that is asked for, and is read back as what it was made of.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/headers.hpp"
#include "protocol/reply_parser.hpp"

namespace {

void expect(bool claim) {
  if (!claim) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace protocol = peal::protocol;
  const std::string_view subject(reinterpret_cast<const char*>(data), size);
  const std::string_view reply = "_INBOX.a", sid = "1";
  const size_t bytes_max = protocol::no_responders_message_bytes_max(reply, sid, subject);
  constexpr std::string_view untouched = "untouched";
  std::string line(bytes_max, '\0');
  line += untouched;
  const char* const end = protocol::write_no_responders(line.data(), reply, sid, subject);
  expect(line.ends_with(untouched));
  line.resize(static_cast<size_t>(end - line.data()));
  expect(line.size() <= bytes_max);

  protocol::ReplyParser parser;
  protocol::Reply message;
  const auto step = parser.next(line, message);
  expect(step.kind == protocol::StepKind::command && step.consumed_bytes == line.size());
  expect(message.kind == protocol::ReplyKind::hmsg && message.subject == reply);
  expect(message.header_bytes == protocol::no_responders_bytes(subject));
  expect(message.message == "NATS/1.0 503\r\nNats-Subject: " + std::string(subject) + "\r\n\r\n");
  return 0;
}
