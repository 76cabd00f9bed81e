#pragma once
// The HTTP request by which a WebSocket begins: read piece by piece, of which only what decides is
// kept, held against the operator's rules, and answered. It knows HTTP; it must never know a
// connection, nor what is said after.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/websocket_options.hpp"

struct http_parser;

namespace peal::server {

/// Where a page comes from. The port is there where the scheme's own was meant.
struct Origin {
  std::string scheme, host;  // In small letters.
  uint16_t port = 0;
  bool operator==(const Origin&) const = default;
};
/// From http://host[:port] or https://..., with a path or without.
std::optional<Origin> read_origin(std::string_view text);

/// The rules, made once for all requests.
struct UpgradeRules {
  explicit UpgradeRules(const WebSocketOptions& options);

  bool compression = false;
  bool same_origin = false;
  bool has_origins = false;
  std::string_view scheme;  // Of a page of this very server.
  std::vector<Origin> origins;
  std::string header_lines;  // Of the answer.
};

class UpgradeReader {
 public:
  /// A request of more is refused; a browser's with all its cookies is less.
  static constexpr size_t request_bytes_max = 32 * 1024;
  /// Of one value that is kept.
  static constexpr size_t value_bytes_max = 512;

  UpgradeReader();
  ~UpgradeReader();
  UpgradeReader(const UpgradeReader&) = delete;
  UpgradeReader& operator=(const UpgradeReader&) = delete;

  /// False when more has to come.
  bool read(std::string_view bytes);

  /// Of a request that is complete or refused.
  struct Answer {
    int status = 0;  // 101: it is a WebSocket from now on.
    bool compression = false;
    std::string text;          // To be sent.
    std::string_view refusal;  // For the log.
    std::string client_ip;     // As a proxy in front of us says; for the log as well.
  };
  Answer answer(const UpgradeRules& rules) const;

 private:
  enum Field : uint8_t {
    host,
    upgrade,
    connection,
    key,
    version,
    origin,
    extensions,
    forwarded_for,
    other
  };
  static constexpr size_t fields_kept = other;
  struct Callbacks;

  void begin_value();
  void end_header();
  std::string_view value(Field field) const;
  std::string_view fault(const UpgradeRules& rules, int& status) const;
  bool allows_origin(const UpgradeRules& rules) const;
  std::string extension_line() const;

  std::unique_ptr<http_parser> parser_;
  size_t read_bytes_ = 0;
  bool complete_ = false;
  int status_ = 0;  // Of a refusal while it was read.
  std::string_view refusal_;
  bool in_value_ = false;
  std::string path_;  // Its end.
  std::string name_;  // Of the header at hand.
  Field field_ = other;
  std::array<std::string, fields_kept> values_;
  std::array<bool, fields_kept> seen_{};
};

/// A refusal, as HTTP has it.
std::string http_refusal(int status);

}  // namespace peal::server
