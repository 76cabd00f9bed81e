#include "tools/bench/link.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "protocol/binary_writer.hpp"
#include "protocol/json.hpp"
#include "protocol/utf8.hpp"
#include "tools/bench/clock.hpp"
#include "tools/bench/version.hpp"

namespace peal::bench {
namespace {

// How long one send waits. It is short, for one that brings a part of its bytes under way has
// waited in vain for so long, and does not say so.
constexpr int send_wait_s = 1;

std::string connect_line(const ServerUrl& url, bool binary) {
  protocol::JsonWriter json;
  json.begin_object();
  json.key("verbose").value(false).key("pedantic").value(false);
  json.key("headers").value(true).key("no_responders").value(true);
  json.key("name").value(program_name).key("lang").value("C++").key("version").value(version);
  json.key("protocol").value(1);
  if (binary) json.key("framing").value(protocol::binary_framing);
  if (!url.user.empty() && !url.password.empty()) {
    json.key("user").value(url.user).key("pass").value(url.password);
  } else if (!url.user.empty()) {
    json.key("auth_token").value(url.user);
  }
  json.end_object();
  return fmt::format("CONNECT {}\r\n", json.text());
}

void set_timeout(int fd, int which, int ms) {
  const timeval time{ms / 1000, (ms % 1000) * 1000};
  setsockopt(fd, SOL_SOCKET, which, &time, sizeof time);
}

std::string unanswered() { return fmt::format("it did not answer a PING in {} s", patience_s); }

// INFO is flat where we look, and its texts hold no escapes.
std::string info_field(std::string_view info, std::string_view name) {
  const std::string key = fmt::format("\"{}\":\"", name);
  const size_t at = info.find(key);
  if (at == info.npos) return {};
  const std::string_view rest = info.substr(at + key.size());
  return protocol::utf8_text(rest.substr(0, rest.find('"')));
}

// INFO comes first, then CONNECT and PING go out and PONG comes back.
std::optional<std::string> shake_hands(Link& link, const Server& server) {
  while (link.replies().info().empty()) {
    switch (link.replies().receive(link.fd(), 0, [](const auto&) {})) {
      case Received::bytes:
        break;
      case Received::nothing:
        return fmt::format("it said no INFO in {} s: is it a NATS server?", patience_s);
      case Received::closed:
        return link.why_gone();
    }
    if (!link.replies().error().empty()) return link.replies().error();
  }
  if (server.tls != nullptr) {
    if (auto error = link.begin_tls(server)) return error;
  } else if (link.replies().info().find("\"tls_required\":true") != std::string::npos) {
    return "it requires TLS: ask for it by tls:// or --tls";
  }
  if (server.binary) {
    const std::string offer = fmt::format("\"{}\"", protocol::binary_framing);
    if (link.replies().info().find(offer) == std::string::npos) {
      return fmt::format("it does not offer the framing {}", protocol::binary_framing);
    }
    link.replies().expect_frames();
  }
  if (!link.send_all(server.connect)) return link.why_gone();
  while (server.binary && !link.binary()) {
    if (link.replies().receive(link.fd(), 0, [](const auto&) {}) != Received::bytes) {
      return link.why_gone();
    }
    if (!link.replies().error().empty()) return link.replies().error();
  }
  return link.barrier();
}

}  // namespace

std::variant<std::vector<Server>, std::string> resolve(const std::vector<ServerUrl>& urls,
                                                       const TlsChoice& tls, bool binary) {
  std::vector<Server> servers;
  std::shared_ptr<const TlsContext> context;
  if (tls.wanted) {
    auto made = TlsContext::make(tls);
    if (auto* error = std::get_if<std::string>(&made)) return *std::move(error);
    context = std::get<0>(std::move(made));
  }
  for (const ServerUrl& url : urls) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failure =
        getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
    if (failure != 0) {
      return fmt::format("{} is no host name or address: {}", url.host, gai_strerror(failure));
    }
    Server server;
    std::memcpy(&server.address, found->ai_addr, found->ai_addrlen);
    server.address_bytes = found->ai_addrlen;
    const bool ipv6 = url.host.find(':') != std::string::npos;
    server.shown = fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), url.host, url.port);
    server.host = url.host;
    server.tls = context;
    server.connect = connect_line(url, binary);
    server.binary = binary;
    servers.push_back(std::move(server));
    freeaddrinfo(found);
  }
  return servers;
}

Link::~Link() {
  if (fd_ >= 0) ::close(fd_);
}

Link::Link(Link&& from) noexcept
    : fd_(std::exchange(from.fd_, -1)),
      takes_nothing_(from.takes_nothing_),
      tls_(std::move(from.tls_)),
      replies_(std::move(from.replies_)) {}

std::optional<std::string> Link::begin_tls(const Server& server) {
  tls_ = std::make_unique<TlsStream>(server.tls);
  replies_.decrypt_by(tls_.get());
  return tls_->begin(fd_, server.host);
}

ssize_t Link::send_some(std::string_view bytes, int flags) {
  if (tls_) return tls_->send(bytes.data(), bytes.size(), flags);
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
}

bool Link::send_all(std::string_view bytes) {
  int waited_s = 0;
  while (!bytes.empty()) {
    const ssize_t sent = send_some(bytes, 0);
    if (sent <= 0) {
      if (errno == EINTR) continue;
      takes_nothing_ = errno == EAGAIN;
      waited_s += send_wait_s;
      if (takes_nothing_ && waited_s < patience_s) continue;
      return false;
    }
    waited_s = 0;
    takes_nothing_ = false;
    bytes.remove_prefix(size_t(sent));
  }
  return true;
}

std::string Link::why_gone() {
  replies_.receive(fd_, MSG_DONTWAIT, [](const auto&) {});  // It may have said why.
  if (!replies_.error().empty()) return replies_.error();
  if (takes_nothing_) return took_nothing();
  return "the server closed the connection";
}

bool Link::send_word(std::string_view line, protocol::Operation operation) {
  if (!binary()) return send_all(line);
  std::array<char, protocol::frame_head_bytes> frame;
  protocol::write_text_frame(frame.data(), operation);
  return send_all({frame.data(), frame.size()});
}

std::string Link::sub_bytes(std::string_view filter, std::string_view queue, uint32_t sid) const {
  if (!binary()) {
    return fmt::format("SUB {} {}{}{}\r\n", filter, queue, queue.empty() ? "" : " ", sid);
  }
  std::string frame(protocol::sub_bytes_max(filter.size(), queue.size()), '\0');
  frame.resize(size_t(protocol::write_sub(frame.data(), sid, filter, queue) - frame.data()));
  return frame;
}

bool Link::answer_pings() {
  for (uint32_t pings = replies_.take_pings(); pings > 0; pings--) {
    if (!send_pong()) return false;
  }
  return true;
}

std::optional<std::string> Link::barrier() {
  const uint64_t pongs = replies_.pongs();
  if (!send_ping()) return why_gone();
  while (replies_.pongs() == pongs) {
    switch (replies_.receive(fd_, 0, [](const auto&) {})) {
      case Received::bytes:
        break;
      case Received::nothing:
        return unanswered();
      case Received::closed:
        return why_gone();
    }
    if (!answer_pings()) return why_gone();
    if (!replies_.error().empty()) return replies_.error();
  }
  return {};
}

void Link::ask() {
  const int64_t now = now_ns();
  if (asked_ns_ != 0 && now < asked_ns_ + patience_s * second_ns) return;
  if (asked_ns_ != 0 && replies_.pongs() == pongs_before_) {
    replies_.fail(unanswered());
    return shut_down();
  }
  asked_ns_ = now;
  pongs_before_ = replies_.pongs();
  send_ping();
}

void Link::shut_down() { ::shutdown(fd_, SHUT_RDWR); }

void Link::set_receive_timeout(int ms) { set_timeout(fd_, SO_RCVTIMEO, ms); }

std::variant<Link, std::string> dial(const Server& server, size_t buffer_bytes) {
  const int fd = ::socket(server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fmt::format("no socket for {}: {}", server.shown, std::strerror(errno));
  Link link(fd, buffer_bytes);
  set_timeout(fd, SO_SNDTIMEO, patience_s * 1000);
  set_timeout(fd, SO_RCVTIMEO, patience_s * 1000);
  const auto* address = reinterpret_cast<const sockaddr*>(&server.address);
  if (::connect(fd, address, server.address_bytes) != 0) {
    const int error = errno;
    if (error == EADDRNOTAVAIL) {
      return fmt::format("cannot connect to {}: this machine has no ports left for it",
                         server.shown);
    }
    return fmt::format("cannot connect to {}: {}", server.shown,
                       error == EINPROGRESS ? "no answer" : std::strerror(error));
  }
  set_timeout(fd, SO_SNDTIMEO, send_wait_s * 1000);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (auto error = shake_hands(link, server)) {
    return fmt::format("the server at {} refused us: {}", server.shown, *error);
  }
  return link;
}

std::optional<std::string> check_payload(const Link& link, size_t message_bytes) {
  constexpr std::string_view key = "\"max_payload\":";
  const std::string_view info = link.replies().info();
  const size_t at = info.find(key);
  if (at == info.npos) return {};
  size_t limit_bytes = 0;
  const char* const digits = info.data() + at + key.size();
  const auto [stop, error] = std::from_chars(digits, info.data() + info.size(), limit_bytes);
  if (error != std::errc{} || message_bytes <= limit_bytes) return {};
  return fmt::format(
      "--size: {} bytes, headers included, are more than the server takes: its max_payload is {}",
      message_bytes, limit_bytes);
}

std::string took_nothing() { return fmt::format("the server took nothing for {} s", patience_s); }

std::string shown_server(std::string_view info) {
  const std::string peal = info_field(info, "peal_version");
  if (!peal.empty()) return "peal " + peal;
  return "nats-server " + info_field(info, "version");
}

}  // namespace peal::bench
