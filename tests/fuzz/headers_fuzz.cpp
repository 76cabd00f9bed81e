// A name and a block of headers as a client may send it: any bytes. Held against a search line by
// line; and what a server writes itself is read back.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/headers.hpp"
#include "protocol/reply_parser.hpp"
#include "tests/fuzz/reader.hpp"

namespace {

namespace protocol = peal::protocol;

void expect(bool claim) {
  if (!claim) std::abort();
}

std::optional<std::string> naive_value(const std::string& block, const std::string& name) {
  std::string line;
  bool status = true;
  for (size_t i = 0; i < block.size(); i++) {
    line += block[i];
    if (line.size() < 2 || line.substr(line.size() - 2) != "\r\n") continue;
    line.resize(line.size() - 2);
    const std::string mark = name + ":";
    if (!status && line.compare(0, mark.size(), mark) == 0) {
      const size_t begin = line.find_first_not_of(" \t", mark.size());
      return begin == line.npos ? "" : line.substr(begin);
    }
    status = false;
    line.clear();
  }
  return {};
}

void check_no_responders(std::string_view subject) {
  const std::string_view reply = "_INBOX.a", sid = "1";
  std::string line(protocol::no_responders_message_bytes_max(reply, sid, subject) + 64, '\0');
  char* const end = protocol::write_no_responders(line.data(), reply, sid, subject);
  expect(end <= line.data() + line.size() - 64);
  line.resize(static_cast<size_t>(end - line.data()));
  protocol::ReplyParser parser;
  protocol::Reply message;
  const auto step = parser.next(line, message);
  expect(step.kind == protocol::StepKind::command && step.consumed_bytes == line.size());
  expect(message.kind == protocol::ReplyKind::hmsg && message.subject == reply);
  expect(message.header_bytes == protocol::no_responders_bytes(subject));
  // A subject has no line end and no blank in front, or it would be none.
  if (subject.find_first_of("\r\n \t") != subject.npos) return;
  const auto value = protocol::header_value(message.message, "Nats-Subject");
  expect(value == subject);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  peal::fuzz::Reader input(data, size);
  const std::string_view name = input.text_until('\n');
  const std::string_view block = input.rest();
  const auto value = protocol::header_value(block, name);
  const auto wanted = naive_value(std::string(block), std::string(name));
  // A line end inside a name can't be found line by line.
  if (name.find('\r') == name.npos) expect(value == wanted);
  if (value) expect(value->data() >= block.data() && value->end() <= block.end());
  check_no_responders(block);
  return 0;
}
