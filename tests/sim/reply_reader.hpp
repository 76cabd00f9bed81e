#pragma once
// Cuts what a server sends into replies. Written apart from protocol/reply_parser, so that one
// mistake cannot hide another; it takes nothing but what NATS servers send.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/world.hpp"

namespace peal::sim {

struct Reply {
  enum class Kind : uint8_t { info, message, ping, pong, ok, error } kind;
  std::string_view text;  // The whole line, without its end.
  std::string_view subject, sid, reply, headers, payload;
};

class ReplyReader {
 public:
  std::string& bytes() { return bytes_; }  // To append to.

  /// What comes next is for another reader.
  void drop_taken() {
    bytes_.erase(0, head_);
    head_ = scanned_ = 0;
  }

  /// The next whole reply; its views live until the next call.
  std::optional<Reply> next() {
    const std::string_view all = std::string_view(bytes_).substr(head_);
    const size_t end = all.find("\r\n", scanned_);
    if (end == all.npos) {
      scanned_ = all.empty() ? 0 : all.size() - 1;
      return wait_for_more();
    }
    scanned_ = end;
    const std::string_view line = all.substr(0, end);
    size_t used = end + 2;
    Reply reply{};
    reply.text = line;
    if (line.starts_with("MSG ") || line.starts_with("HMSG ")) {
      if (!read_message(all, line, used, reply)) return wait_for_more();
    } else if (line == "PONG") {
      reply.kind = Reply::Kind::pong;
    } else if (line == "PING") {
      reply.kind = Reply::Kind::ping;
    } else if (line == "+OK") {
      reply.kind = Reply::Kind::ok;
    } else if (line.starts_with("INFO {")) {
      reply.kind = Reply::Kind::info;
    } else if (line.starts_with("-ERR ")) {
      reply.kind = Reply::Kind::error;
    } else {
      World::fail("bytes", "the server says \"" + std::string(line.substr(0, 60)) + "\"");
    }
    head_ += used;
    scanned_ = 0;
    return reply;
  }

 private:
  std::optional<Reply> wait_for_more() {
    bytes_.erase(0, head_);
    head_ = 0;
    return std::nullopt;
  }

  static bool read_message(std::string_view all, std::string_view line, size_t& used,
                           Reply& reply) {
    const bool with_headers = line.front() == 'H';
    std::array<std::string_view, 7> words;
    size_t count = 0;
    for (size_t at = 0; at <= line.size() && count < words.size(); count++) {
      const size_t space = std::min(line.find(' ', at), line.size());
      words[count] = line.substr(at, space - at);
      at = space + 1;
    }
    const size_t sizes = with_headers ? 2 : 1;
    if (count < 3 + sizes || count > 4 + sizes) {
      World::fail("bytes", "a message line: \"" + std::string(line) + "\"");
    }
    const size_t total = number(words[count - 1], line);
    const size_t header = with_headers ? number(words[count - 2], line) : 0;
    if (header > total) World::fail("bytes", "a message line: \"" + std::string(line) + "\"");
    if (all.size() < used + total + 2) return false;
    if (all.substr(used + total, 2) != "\r\n") {
      World::fail("bytes", "no end behind the message of \"" + std::string(line) + "\"");
    }
    reply.kind = Reply::Kind::message;
    reply.subject = words[1];
    reply.sid = words[2];
    if (count == 4 + sizes) reply.reply = words[3];
    reply.headers = all.substr(used, header);
    reply.payload = all.substr(used + header, total - header);
    used += total + 2;
    return true;
  }

  static size_t number(std::string_view text, std::string_view line) {
    size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      World::fail("bytes", "a message line: \"" + std::string(line) + "\"");
    }
    return value;
  }

  std::string bytes_;
  size_t head_ = 0;     // What is before it has been given out.
  size_t scanned_ = 0;  // Of what is behind it, no line's end.
};

}  // namespace peal::sim
