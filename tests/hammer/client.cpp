// A client's connection: reading and writing, and a few things about processes and sockets that
// only the kernel knows.

#include "client.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <utility>

namespace hammer {

namespace {

constexpr size_t in_bytes_first = 4096;  // Thousands of sockets are open at a time.
constexpr size_t in_bytes_room = 1024;
constexpr int poll_slice_ms = 100;  // How soon a thread sees that another has failed.
// Of the framing binary/1.
constexpr size_t frame_head_bytes = 16;
constexpr size_t aliases_max = 256;
enum Operation : uint8_t {
  operation_pub = 2,
  operation_pub_batch = 3,
  operation_sub = 4,
  operation_unsub = 5,
  operation_ping = 6,
  operation_pong = 7,
  operation_info = 16,
  operation_msg = 17,
  operation_msg_batch = 18,
  operation_ok = 19,
  operation_err = 20,
};
constexpr int tcp_established = 1;  // The kernel's number; <netinet/tcp.h> hides it in an enum.

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    fail("no number: " + std::string(text));
  }
  return value;
}

std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

}  // namespace

void fail(std::string text) { throw Failure{std::move(text)}; }

void check(bool claim, std::string_view text) {
  if (!claim) fail(std::string(text));
}

void Scene::begin(double seconds) {
  failed = false;
  first_failure.clear();
  deadline = Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void Scene::stop(const std::string& why) {
  const std::lock_guard lock(mutex);
  if (!failed.exchange(true)) first_failure = why;
}

int Scene::scaled(double count) const { return std::max(1, int(count * scale)); }

double Scene::seconds_left() const {
  return std::chrono::duration<double>(deadline - Clock::now()).count();
}

void Scene::check_time(std::string_view doing) const {
  if (failed) fail("another thread failed");
  if (seconds_left() <= 0) fail("time is up while " + std::string(doing));
}

Client::Client(Scene& scene, ClientOptions options) : scene_(&scene), in_(in_bytes_first) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(fd_ >= 0, std::string("socket: ") + strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.receive_buffer_bytes > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(scene.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd_);
    fail(std::string("connect: ") + strerror(error));
  }
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  raw(R"(CONNECT {"verbose":false,"pedantic":false,"headers":true,"echo":)");
  raw(options.echo ? "true" : "false");
  raw(options.no_responders ? ",\"no_responders\":true" : "");
  framed_ = scene.mixed && scene.connections++ % 2 == 1;
  raw(framed_ ? ",\"framing\":\"binary/1\"}\r\n" : "}\r\n");
  try {
    fence();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Client::~Client() { close(); }

Client::Client(Client&& other) noexcept
    : scene_(other.scene_),
      fd_(std::exchange(other.fd_, -1)),
      ended_(other.ended_),
      out_(std::move(other.out_)),
      sent_bytes_(other.sent_bytes_),
      in_(std::move(other.in_)),
      begin_(other.begin_),
      end_(other.end_),
      error_text_(std::move(other.error_text_)),
      framed_(other.framed_),
      in_frames_(other.in_frames_),
      subscribed_(std::move(other.subscribed_)),
      aliases_(std::move(other.aliases_)),
      batch_left_(other.batch_left_),
      batch_size_(other.batch_size_),
      sid_(std::move(other.sid_)),
      batch_subject_(std::move(other.batch_subject_)) {}

void Client::ping() {
  if (framed_) return frame(operation_ping, 0, 0, 0, {});
  raw("PING\r\n");
}

void Client::subscribe(std::string_view subject, uint64_t sid, std::string_view queue) {
  if (framed_) {
    subscribed_[uint32_t(sid)] = subject;
    return frame(operation_sub, sid, subject.size(), queue.size(), {subject, queue});
  }
  out_ += "SUB ";
  out_ += subject;
  if (!queue.empty()) (out_ += ' ') += queue;
  (out_ += ' ') += std::to_string(sid);
  out_ += "\r\n";
}

void Client::unsubscribe(uint64_t sid, uint64_t messages_max) {
  if (framed_) return frame(operation_unsub, sid, 0, messages_max, {});
  (out_ += "UNSUB ") += std::to_string(sid);
  if (messages_max > 0) (out_ += ' ') += std::to_string(messages_max);
  out_ += "\r\n";
}

void Client::publish(std::string_view subject, std::string_view payload, std::string_view reply) {
  if (framed_) {
    const auto known = aliases_.find(subject);
    uint32_t alias = known == aliases_.end() ? 0 : known->second;
    const std::string_view said = alias != 0 ? std::string_view{} : subject;
    if (alias == 0 && aliases_.size() < aliases_max) {
      alias = uint32_t(aliases_.size()) + 1;
      aliases_.emplace(subject, alias);
    }
    const bool batch = reply.empty() && !payload.empty();
    return frame(batch ? operation_pub_batch : operation_pub, alias, said.size(),
                 batch ? payload.size() : reply.size(), {said, reply, payload});
  }
  (out_ += "PUB ") += subject;
  if (!reply.empty()) (out_ += ' ') += reply;
  (out_ += ' ') += std::to_string(payload.size());
  ((out_ += "\r\n") += payload) += "\r\n";
}

void Client::flush() { flush_some(unsent_bytes()); }

void Client::flush_some(size_t bytes_max) {
  size_t left = std::min(bytes_max, unsent_bytes());
  while (left > 0) {
    const ssize_t sent = send(fd_, out_.data() + sent_bytes_, left, MSG_NOSIGNAL);
    if (sent >= 0) {
      sent_bytes_ += size_t(sent);
      left -= size_t(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) break;  // The server closed. Whoever reads next will see it.
    scene_->check_time("sending");
    wait_for_events(POLLOUT | POLLIN, poll_slice_ms);
    if (!ended_) receive(0);
  }
  if (sent_bytes_ < out_.size() && left == 0) return;
  out_.clear();
  sent_bytes_ = 0;
}

void Client::wait_for_events(short events, int wait_ms) {
  pollfd entry{fd_, events, 0};
  poll(&entry, 1, wait_ms);
}

bool Client::receive(int wait_ms) {
  if (ended_) return false;
  if (begin_ == end_) begin_ = end_ = 0;
  if (in_.size() - end_ < in_bytes_room) {
    if (begin_ > in_.size() / 2) {
      memmove(in_.data(), in_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      in_.resize(in_.size() * 2);
    }
  }
  while (true) {
    const ssize_t count = recv(fd_, in_.data() + end_, in_.size() - end_, 0);
    if (count > 0) {
      end_ += size_t(count);
      return true;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count == 0 || errno != EAGAIN) {
      ended_ = true;
      return false;
    }
    if (wait_ms == 0) return false;
    wait_for_events(POLLIN, wait_ms);
    wait_ms = 0;
  }
}

Event Client::next_here(Message& message) {
  while (true) {
    const Event event = parse(message);
    if (event != Event::timeout) return event;
    if (!receive(0)) return ended_ ? Event::closed : Event::timeout;
  }
}

Event Client::next(Message& message, double patience_s) {
  Clock::time_point end{};
  while (true) {
    const Event event = next_here(message);
    if (event != Event::timeout) return event;
    const Clock::time_point now = Clock::now();
    if (end == Clock::time_point{}) {
      end = now +
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(patience_s));
    }
    if (now >= end) return Event::timeout;
    scene_->check_time("waiting for a message");
    receive(poll_slice_ms);
  }
}

void Client::frame(uint8_t operation, uint64_t id, size_t subject_bytes, uint64_t last,
                   std::initializer_list<std::string_view> body) {
  uint64_t body_bytes = 0;
  for (const std::string_view part : body) body_bytes += part.size();
  const auto put = [this](uint64_t number, size_t bytes) {
    for (size_t at = 0; at < bytes; at++) out_ += char(number >> 8 * at);
  };
  put(body_bytes, 4);
  put(operation, 1);
  put(0, 1);
  put(subject_bytes, 2);
  put(id, 4);
  put(last, 4);
  for (const std::string_view part : body) out_ += part;
}

// As parse(), for what docs/binary-protocol.md says that comes.
Event Client::parse_frame(Message& message) {
  while (true) {
    if (batch_left_ > 0) return next_of_batch(message);
    if (end_ - begin_ < frame_head_bytes) return Event::timeout;
    const char* const head = in_.data() + begin_;
    const auto number = [head](size_t at, size_t bytes) {
      uint32_t value = 0;
      for (size_t i = 0; i < bytes; i++) value |= uint32_t(uint8_t(head[at + i])) << 8 * i;
      return value;
    };
    const size_t body_bytes = number(0, 4), subject_bytes = number(6, 2);
    const uint32_t operation = number(4, 1), id = number(8, 4);
    check(number(5, 1) == 0, "a flag that nobody needs");
    if (operation == operation_msg_batch) {
      batch_size_ = number(12, 4);
      check(batch_size_ > 0 && subject_bytes < body_bytes &&
                (body_bytes - subject_bytes) % batch_size_ == 0,
            "a batch that does not come out even");
      if (end_ - begin_ < frame_head_bytes + subject_bytes) return Event::timeout;
      batch_left_ = uint32_t((body_bytes - subject_bytes) / batch_size_);
      sid_ = std::to_string(id);
      batch_subject_ = subject_bytes == 0 ? subscribed_[id]
                                          : std::string(head + frame_head_bytes, subject_bytes);
      begin_ += frame_head_bytes + subject_bytes;
      continue;
    }
    if (end_ - begin_ < frame_head_bytes + body_bytes) return Event::timeout;
    const std::string_view body(head + frame_head_bytes, body_bytes);
    begin_ += frame_head_bytes + body_bytes;
    switch (operation) {
      case operation_ping:
        frame(operation_pong, 0, 0, 0, {});
        flush();
        break;
      case operation_pong:
        return Event::pong;
      case operation_err:
        error_text_ = body;
        return Event::error;
      case operation_msg: {
        const size_t reply_bytes = number(12, 2), header_bytes = number(14, 2);
        check(subject_bytes + reply_bytes + header_bytes <= body_bytes, "parts beyond their frame");
        sid_ = std::to_string(id);
        message.sid = sid_;
        message.subject =
            subject_bytes == 0 ? std::string_view(subscribed_[id]) : body.substr(0, subject_bytes);
        message.reply = body.substr(subject_bytes, reply_bytes);
        message.headers = body.substr(subject_bytes + reply_bytes, header_bytes);
        message.payload = body.substr(subject_bytes + reply_bytes + header_bytes);
        return Event::message;
      }
      case operation_ok:
      case operation_info:
        break;
      default:
        fail("the server says operation " + std::to_string(operation));
    }
  }
}

Event Client::next_of_batch(Message& message) {
  if (end_ - begin_ < batch_size_) return Event::timeout;
  message = {batch_subject_, sid_, {}, {}, {in_.data() + begin_, batch_size_}};
  begin_ += batch_size_;
  batch_left_--;
  return Event::message;
}

Event Client::parse(Message& message) {
  if (in_frames_) return parse_frame(message);
  while (begin_ < end_) {
    const char* front = in_.data() + begin_;
    const void* newline = memchr(front, '\n', end_ - begin_);
    if (newline == nullptr) return Event::timeout;
    const size_t line_bytes = size_t(static_cast<const char*>(newline) - front);
    const size_t line_end = begin_ + line_bytes + 1;
    check(line_bytes > 0 && front[line_bytes - 1] == '\r', "a line that ends without CR");
    const std::string_view line(front, line_bytes - 1);
    if (line.starts_with("MSG ")) return take_message(line.substr(4), line_end, false, message);
    if (line.starts_with("HMSG ")) return take_message(line.substr(5), line_end, true, message);
    begin_ = line_end;
    if (line == "PONG") return Event::pong;
    if (line == "+OK" && framed_) {
      in_frames_ = true;
      return parse_frame(message);
    }
    if (line == "PING") {
      raw("PONG\r\n");
      flush();
    } else if (line.starts_with("-ERR")) {
      error_text_ = line;
      return Event::error;
    } else if (line != "+OK" && !line.starts_with("INFO {")) {
      fail("the server says: " + std::string(line.substr(0, 80)));
    }
  }
  return Event::timeout;
}

Event Client::take_message(std::string_view line, size_t line_end, bool has_headers,
                           Message& message) {
  std::array<std::string_view, 5> words;
  size_t count = 0;
  while (!line.empty()) {
    check(count < words.size(), "a MSG line of too many words");
    words[count++] = take_word(line);
  }
  const size_t sizes = has_headers ? 2 : 1;
  check(count == 2 + sizes || count == 3 + sizes, "a MSG line of the wrong number of words");
  const uint64_t total = number(words[count - 1]);
  const uint64_t header_bytes = has_headers ? number(words[count - 2]) : 0;
  check(header_bytes <= total, "headers longer than the message");
  if (end_ - line_end < total + 2) return Event::timeout;
  const std::string_view body(in_.data() + line_end, total + 2);
  check(body.ends_with("\r\n"), "a payload that does not end in CR LF");
  message.subject = words[0];
  message.sid = words[1];
  message.reply = count == 3 + sizes ? words[2] : std::string_view{};
  message.headers = body.substr(0, header_bytes);
  message.payload = body.substr(header_bytes, total - header_bytes);
  begin_ = line_end + total + 2;
  return Event::message;
}

Message Client::expect_message(double patience_s) {
  Message message;
  const Event event = next(message, patience_s);
  if (event != Event::message) refuse(event);
  return message;
}

void Client::refuse(Event event) const {
  switch (event) {
    case Event::message:
      fail("a message that should not come");
    case Event::pong:
      fail("a PONG where a message should come");
    case Event::error:
      fail("the server says " + error_text_);
    case Event::closed:
      fail("the server closed a connection");
    case Event::timeout:
      fail("what should come did not");
  }
  __builtin_unreachable();
}

uint16_t Client::local_port() const {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes);
  return ntohs(address.sin_port);
}

void Client::reset() {
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  ended_ = true;
}

uint64_t Chance::next() {
  state_ += 0x9e3779b97f4a7c15;  // splitmix64: every seed is a good one.
  uint64_t mixed = state_;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t at = 0; at < entries.size(); at++) {
      uint32_t value = at;
      for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
      entries[at] = value;
    }
    return entries;
  }();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = table[(crc ^ uint8_t(byte)) & 0xff] ^ crc >> 8;
  return ~crc;
}

long unread_by_server(const Scene& scene, uint16_t client_port) {
  struct Request {
    nlmsghdr header;
    inet_diag_req_v2 body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  request.body.id.idiag_sport = htons(scene.port);
  request.body.id.idiag_dport = htons(client_port);
  request.body.id.idiag_src[0] = request.body.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  check(fd >= 0, "no sock_diag");
  alignas(nlmsghdr) char answer[4096];
  ssize_t count = send(fd, &request, sizeof request, 0);
  if (count > 0) count = recv(fd, answer, sizeof answer, 0);
  ::close(fd);
  check(count > 0, "sock_diag does not answer");
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return -1;
  const auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  return socket->idiag_state == tcp_established ? long(socket->idiag_rqueue) : -1;
}

double resident_mib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  long total_pages = 0, resident_pages = 0;
  file >> total_pages >> resident_pages;
  return double(resident_pages) * double(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace hammer
