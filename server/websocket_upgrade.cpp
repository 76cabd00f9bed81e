#include "server/websocket_upgrade.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <http_parser.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "protocol/letter_case.hpp"
#include "server/secret.hpp"

namespace peal::server {
namespace {

// RFC 6455, 1.3: what the key is joined with before it is digested.
constexpr std::string_view accept_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t key_bytes = 16;
constexpr size_t name_bytes_max = 32;  // Longer than any that is known.
constexpr size_t path_bytes_max = 16;

constexpr int switching_protocols = 101;
constexpr int bad_request = 400;
constexpr int forbidden = 403;
constexpr int not_found = 404;
constexpr int method_not_allowed = 405;
constexpr int request_timeout = 408;
constexpr int headers_too_large = 431;

std::string_view status_text(int status) {
  switch (status) {
    case forbidden:
      return "Forbidden";
    case not_found:
      return "Not Found";
    case method_not_allowed:
      return "Method Not Allowed";
    case request_timeout:
      return "Request Timeout";
    case headers_too_large:
      return "Request Header Fields Too Large";
    default:
      return "Bad Request";
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Calls `use` with each part between separators until it returns true.
template <typename Use>
bool any_part(std::string_view text, char separator, Use use) {
  for (;;) {
    const size_t end = text.find(separator);
    if (use(trimmed(text.substr(0, end)))) return true;
    if (end == text.npos) return false;
    text.remove_prefix(end + 1);
  }
}

bool has_token(std::string_view list, std::string_view wanted) {
  return any_part(list, ',',
                  [&](std::string_view part) { return protocol::lowered(part) == wanted; });
}

std::string accept_of(std::string_view key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_bytes = 0;
  const std::string joined = std::string(key).append(accept_guid);
  EVP_Digest(joined.data(), joined.size(), digest, &digest_bytes, EVP_sha1(), nullptr);
  unsigned char text[2 * EVP_MAX_MD_SIZE];
  const int bytes = EVP_EncodeBlock(text, digest, static_cast<int>(digest_bytes));
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(bytes)};
}

uint16_t port_of(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

// host, host:port or [v6]:port
std::optional<Origin> read_authority(std::string_view scheme, std::string_view text) {
  Origin origin{std::string(scheme), "", port_of(scheme)};
  const size_t colon = text.rfind(':');
  if (colon != text.npos && text.find(']', colon) == text.npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), origin.port);
    if (error != std::errc{} || stop != digits.data() + digits.size()) return {};
    text = text.substr(0, colon);
  }
  if (text.empty() || text.find_first_of(" \t@*\"\\") != text.npos) return {};
  origin.host = protocol::lowered(text);
  return origin;
}

/// A parameter of an offer of compression. The value may stand in quotes.
struct Parameter {
  std::string name;
  std::optional<std::string_view> value;
};

Parameter read_parameter(std::string_view text) {
  const size_t equals = text.find('=');
  Parameter parameter{protocol::lowered(trimmed(text.substr(0, equals))), {}};
  if (equals == text.npos) return parameter;
  std::string_view value = trimmed(text.substr(equals + 1));
  if (value.size() > 1 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  parameter.value = value;
  return parameter;
}

/// RFC 7692, 7.1: whether it is one that we can do. A window of the client's may be any size: ours
/// is large enough for all of them.
bool can_do(const Parameter& parameter) {
  static constexpr std::string_view windows[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
  const auto& [name, value] = parameter;
  if (name == "server_no_context_takeover" || name == "client_no_context_takeover") return !value;
  if (name == "client_max_window_bits") {
    return !value || std::ranges::find(windows, *value) != std::end(windows);
  }
  return name == "server_max_window_bits" && value == windows[std::size(windows) - 1];
}

// As nats-server: where it is one address, and no list of them.
std::string ip_of(std::string_view text) {
  const std::string ip(text);
  in6_addr address;
  if (inet_pton(AF_INET, ip.c_str(), &address) == 1) return ip;
  return inet_pton(AF_INET6, ip.c_str(), &address) == 1 ? "[" + ip + "]" : std::string();
}

}  // namespace

std::optional<Origin> read_origin(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == text.npos) return {};
  const std::string scheme = protocol::lowered(text.substr(0, colon));
  if (scheme != "http" && scheme != "https") return {};
  text.remove_prefix(colon + 3);
  return read_authority(scheme, text.substr(0, text.find_first_of("/?#")));
}

UpgradeRules::UpgradeRules(const WebSocketOptions& options)
    : compression(options.compression),
      same_origin(options.same_origin),
      has_origins(!options.allowed_origins.empty()),
      scheme(options.tls ? "https" : "http") {
  for (const std::string& text : options.allowed_origins) {
    if (auto origin = read_origin(text)) origins.push_back(*std::move(origin));
  }
  for (const Header& header : options.headers) {
    header_lines += fmt::format("{}: {}\r\n", header.name, header.value);
  }
}

// ---- Reading.

struct UpgradeReader::Callbacks {
  static UpgradeReader& of(http_parser* parser) {
    return *static_cast<UpgradeReader*>(parser->data);
  }

  static int on_url(http_parser* parser, const char* text, size_t bytes) {
    std::string& path = of(parser).path_;
    for (const char letter : std::string_view(text, bytes)) {
      if (path.ends_with('?')) break;
      if (path.size() == path_bytes_max) path.erase(0, 1);
      path += letter;
    }
    return 0;
  }

  static int on_name(http_parser* parser, const char* text, size_t bytes) {
    UpgradeReader& reader = of(parser);
    if (reader.in_value_) reader.end_header();
    reader.name_.append(text, std::min(bytes, name_bytes_max - reader.name_.size()));
    return 0;
  }

  static int on_value(http_parser* parser, const char* text, size_t bytes) {
    UpgradeReader& reader = of(parser);
    if (!std::exchange(reader.in_value_, true)) reader.begin_value();
    if (reader.status_ != 0) return 1;
    if (reader.field_ == other) return 0;
    std::string& value = reader.values_[reader.field_];
    // Of no importance, so its length is no reason to refuse: one so long is no address.
    if (reader.field_ == forwarded_for) bytes = std::min(bytes, value_bytes_max - value.size());
    if (value.size() + bytes > value_bytes_max) {
      reader.status_ = headers_too_large;
      reader.refusal_ = "a header is too long";
      return 1;
    }
    value.append(text, bytes);
    return 0;
  }

  static int on_end(http_parser* parser) {
    of(parser).end_header();
    of(parser).complete_ = true;
    http_parser_pause(parser, 1);
    return 1;  // No body is read, whatever the headers say.
  }

  static const http_parser_settings& settings() {
    static const http_parser_settings made = [] {
      http_parser_settings fresh;
      http_parser_settings_init(&fresh);
      fresh.on_url = on_url;
      fresh.on_header_field = on_name;
      fresh.on_header_value = on_value;
      fresh.on_headers_complete = on_end;
      return fresh;
    }();
    return made;
  }
};

UpgradeReader::UpgradeReader() : parser_(std::make_unique<http_parser>()) {
  http_parser_init(parser_.get(), HTTP_REQUEST);
  parser_->data = this;
}
UpgradeReader::~UpgradeReader() = default;

void UpgradeReader::begin_value() {
  static constexpr std::string_view names[fields_kept] = {"host",
                                                          "upgrade",
                                                          "connection",
                                                          "sec-websocket-key",
                                                          "sec-websocket-version",
                                                          "origin",
                                                          "sec-websocket-extensions",
                                                          "x-forwarded-for"};
  const auto* const place = std::ranges::find(names, protocol::lowered(name_));
  field_ = static_cast<Field>(place - std::begin(names));
  if (field_ == other) return;
  const bool is_list = field_ == upgrade || field_ == connection || field_ == extensions;
  if (!std::exchange(seen_[field_], true)) return;
  if (is_list) {
    values_[field_] += ',';
  } else if (field_ == forwarded_for) {
    field_ = other;  // The first counts.
  } else {
    status_ = bad_request;
    refusal_ = "a header is there twice";
  }
}

void UpgradeReader::end_header() {
  name_.clear();
  in_value_ = false;
}

bool UpgradeReader::read(std::string_view bytes) {
  const size_t consumed =
      http_parser_execute(parser_.get(), &Callbacks::settings(), bytes.data(), bytes.size());
  read_bytes_ += consumed;
  if (read_bytes_ > request_bytes_max) {
    status_ = headers_too_large;
    refusal_ = "the request is too long";
    return true;
  }
  if (complete_) {
    // The parser stands on the last byte. Nobody may go on before he has our answer.
    if (consumed + 1 < bytes.size() && status_ == 0) {
      status_ = bad_request;
      refusal_ = "bytes behind the request";
    }
    return true;
  }
  if (status_ != 0) return true;
  if (HTTP_PARSER_ERRNO(parser_.get()) != HPE_OK) {
    status_ = bad_request;
    refusal_ = "no HTTP request";
    return true;
  }
  return false;
}

// ---- Judging.

std::string_view UpgradeReader::value(Field field) const { return trimmed(values_[field]); }

// In nats-server's order, with its words.
std::string_view UpgradeReader::fault(const UpgradeRules& rules, int& status) const {
  if (status_ != 0) return status = status_, refusal_;
  status = not_found;
  const std::string_view path = std::string_view(path_).substr(0, path_.find('?'));
  if (path.ends_with("/mqtt") || path.ends_with("/leafnode")) return "nothing of that is here";
  status = method_not_allowed;
  if (parser_->method != HTTP_GET) return "request method must be GET";
  status = bad_request;
  if (value(host).empty()) return "'Host' missing in request";
  if (!has_token(value(upgrade), "websocket")) return "invalid value for header 'Upgrade'";
  if (!has_token(value(connection), "upgrade")) return "invalid value for header 'Connection'";
  const auto decoded = decode_base64(value(key));
  if (!decoded || decoded->size() != key_bytes) return "invalid key";
  if (value(version) != "13") return "invalid version";
  status = forbidden;
  if (!allows_origin(rules)) return "origin not allowed";
  status = switching_protocols;
  return {};
}

// No browser is without, so who names none is none.
bool UpgradeReader::allows_origin(const UpgradeRules& rules) const {
  if (value(origin).empty() || (!rules.same_origin && !rules.has_origins)) return true;
  const auto from = read_origin(value(origin));
  if (!from) return false;
  if (rules.same_origin) {
    const auto here = read_authority(rules.scheme, value(host));
    if (!here || *here != *from) return false;
  }
  return !rules.has_origins || std::ranges::find(rules.origins, *from) != rules.origins.end();
}

// The first offer that has nothing we cannot do; none. What it says of our window has to be said
// again.
std::string UpgradeReader::extension_line() const {
  std::string line;
  any_part(value(extensions), ',', [&line](std::string_view offer) {
    bool first = true;
    bool limits_window = false;
    std::vector<std::string> names;
    const bool refused = any_part(offer, ';', [&](std::string_view part) {
      if (std::exchange(first, false)) return protocol::lowered(part) != "permessage-deflate";
      const Parameter parameter = read_parameter(part);
      const bool twice = std::ranges::find(names, parameter.name) != names.end();
      limits_window |= parameter.name == "server_max_window_bits";
      names.push_back(parameter.name);
      return twice || !can_do(parameter);
    });
    if (refused) return false;
    line = fmt::format(
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
        "client_no_context_takeover{}\r\n",
        limits_window ? "; server_max_window_bits=15" : "");
    return true;
  });
  return line;
}

UpgradeReader::Answer UpgradeReader::answer(const UpgradeRules& rules) const {
  Answer answer;
  answer.refusal = fault(rules, answer.status);
  if (answer.status != switching_protocols) {
    answer.text = http_refusal(answer.status);
    return answer;
  }
  const std::string extension = rules.compression ? extension_line() : std::string();
  answer.compression = !extension.empty();
  answer.client_ip = ip_of(value(forwarded_for));
  answer.text = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: {}\r\n{}{}\r\n",
      accept_of(value(key)), extension, rules.header_lines);
  return answer;
}

std::string http_refusal(int status) {
  const std::string_view text = status_text(status);
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nSec-Websocket-Version: 13\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}\n",
      status, text, text.size() + 1, text);
}

}  // namespace peal::server
