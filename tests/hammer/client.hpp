#pragma once

// A client's connection, as plain as it can be: one socket, one buffer each way, and a reader of
// what servers say. Knows the protocol; never what a scenario wants to prove.
//
// Nothing waits for ever: every wait ends with the scenario's deadline, or when another thread of
// the scenario has failed.

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hammer {

using Clock = std::chrono::steady_clock;

/// A promise that was not kept, or a server that did not answer.
struct Failure {
  std::string text;
};

[[noreturn]] void fail(std::string text);
void check(bool claim, std::string_view text);

/// What all connections of a scenario share. Outlives them.
struct Scene {
  uint16_t port = 0;
  pid_t server_pid = 0;  // 0: not told, so nothing about the process is checked.
  uint64_t seed = 1;
  double scale = 1;
  double secs = 5;
  int sockets = 2000;
  bool mixed = false;  // Every second connection speaks in frames.
  std::atomic<unsigned> connections = 0;
  int write_deadline_ms = 10'000;
  Clock::time_point deadline;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::string first_failure;  // Guarded by the mutex.

  void begin(double seconds);
  /// The first failure stands. All threads see `failed` wherever they wait, and stop.
  void stop(const std::string& why);
  int scaled(double count) const;
  double seconds_left() const;
  void check_time(std::string_view doing) const;
};

/// One MSG or HMSG. The views live until the connection reads on.
struct Message {
  std::string_view subject, sid, reply, headers, payload;
};

enum class Event { message, pong, error, closed, timeout };

struct ClientOptions {
  bool no_responders = false;
  bool echo = true;
  int receive_buffer_bytes = 0;  // 0: the kernel's choice.
};

/// One thread at a time.
class Client {
 public:
  explicit Client(Scene& scene, ClientOptions options = {});
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void subscribe(std::string_view subject, uint64_t sid, std::string_view queue = {});
  void unsubscribe(uint64_t sid, uint64_t messages_max = 0);
  void publish(std::string_view subject, std::string_view payload, std::string_view reply = {});
  void ping();
  /// Bytes as they are.
  void raw(std::string_view bytes) { out_ += bytes; }

  /// Sends what the calls above have gathered. Reads meanwhile, so that two full pipes can't lock.
  void flush();
  /// Sends at most this many bytes of it, for those who want to send in pieces.
  void flush_some(size_t bytes_max);
  size_t unsent_bytes() const { return out_.size() - sent_bytes_; }

  /// The next thing that the server says. Its own PINGs are answered and not shown.
  Event next(Message& message, double patience_s);
  /// As above, of what is here already; `timeout` if that is not whole.
  Event next_here(Message& message);
  /// Waits for a message and fails if anything else comes.
  Message expect_message(double patience_s = 10);

  /// A PING. Messages that come before its PONG go to `on_message`.
  template <typename OnMessage>
  void fence(OnMessage&& on_message, double patience_s = 20) {
    ping();
    flush();
    Message message;
    while (true) {
      const Event event = next(message, patience_s);
      if (event == Event::pong) return;
      if (event != Event::message) refuse(event);
      on_message(message);
    }
  }
  void fence() {
    fence([](const Message& message) { fail("unexpected " + std::string(message.subject)); });
  }

  int fd() const { return fd_; }
  uint16_t local_port() const;
  const std::string& error_text() const { return error_text_; }
  [[noreturn]] void refuse(Event event) const;
  void reset();
  void close();

 private:
  bool receive(int wait_ms);
  Event parse(Message& message);
  Event parse_frame(Message& message);
  Event next_of_batch(Message& message);
  void frame(uint8_t operation, uint64_t id, size_t subject_bytes, uint64_t last,
             std::initializer_list<std::string_view> body);
  Event take_message(std::string_view line, size_t line_end, bool has_headers, Message& message);
  void wait_for_events(short events, int wait_ms);

  Scene* scene_;
  int fd_ = -1;
  bool ended_ = false;
  std::string out_;
  size_t sent_bytes_ = 0;
  std::vector<char> in_;
  size_t begin_ = 0, end_ = 0;
  std::string error_text_;

  bool framed_ = false;
  bool in_frames_ = false;                      // The server has said that they follow.
  std::map<uint32_t, std::string> subscribed_;  // For messages that say no subject.
  std::map<std::string, uint32_t, std::less<>> aliases_;
  uint32_t batch_left_ = 0, batch_size_ = 0;
  std::string sid_, batch_subject_;
};

/// Numbers by chance, the same for the same seed.
class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t next();
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool one_in(uint64_t count) { return below(count) == 0; }

 private:
  uint64_t state_;
};

uint32_t crc32(std::string_view bytes);

/// Bytes that the server has not read of a connection; -1 when its side is gone.
long unread_by_server(const Scene& scene, uint16_t client_port);

double resident_mib(pid_t pid);

}  // namespace hammer
