#pragma once
// TLS on a blocking socket, in the shape of send and recv. It knows OpenSSL, and is the only part
// of the bench that does; what is said through it it must never know.

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace peal::bench {

struct TlsChoice {
  bool wanted = false;
  std::string ca_file;    // Empty: the system's authorities.
  std::string cert_file;  // Of ours, with its key.
  std::string key_file;
  bool insecure = false;  // Whoever answers is believed.

  bool operator==(const TlsChoice&) const = default;
};

/// What all connections of a run share.
class TlsContext {
 public:
  /// The error is one sentence.
  static std::variant<std::shared_ptr<const TlsContext>, std::string> make(const TlsChoice& choice);
  ~TlsContext();

 private:
  friend class TlsStream;
  explicit TlsContext(void* context, bool insecure) : context_(context), insecure_(insecure) {}
  void* const context_;
  const bool insecure_;
};

/// One connection's. Belongs to the thread that sends and receives.
class TlsStream {
 public:
  explicit TlsStream(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// Shakes hands on a connected socket. The error is one sentence.
  std::optional<std::string> begin(int fd, const std::string& host);

  /// As send and recv, with errno. Of `flags` MSG_DONTWAIT counts; a send then waits for no more
  /// than the end of one record. A receive that brings something asks the socket once.
  ssize_t send(const char* bytes, size_t count, int flags);
  ssize_t receive(char* bytes, size_t count, int flags);

  /// Why either said EPROTO.
  const std::string& reason() const { return reason_; }

  /// The last receive had no room for all that has come: the socket does not show the rest.
  bool has_rest() const { return has_rest_; }

 private:
  struct Method;
  bool fill();
  bool flush(int flags);
  ssize_t failure();

  std::shared_ptr<const TlsContext> context_;
  void* session_ = nullptr;
  int fd_ = -1;
  std::vector<char> in_;  // [in_begin_, in_end_) is from the network, and not decrypted yet.
  size_t in_begin_ = 0;
  size_t in_end_ = 0;
  std::string out_;  // For the network.
  int receive_flags_ = 0;
  bool may_receive_ = true;
  bool ended_ = false;
  bool has_rest_ = false;
  std::string reason_;  // Why TLS itself has failed.
};

}  // namespace peal::bench
