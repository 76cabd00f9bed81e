#pragma once
// TLS on a blocking socket, in the shape of send and recv. It knows OpenSSL, and is the only part
// of the bench that does; what is said through it it must never know.

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>

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

  /// As send and recv, with errno. Of `flags` MSG_DONTWAIT counts, and then only a record that is
  /// half there, or half taken, is waited for. At most one record is sent or received.
  ssize_t send(const char* bytes, size_t count, int flags);
  ssize_t receive(char* bytes, size_t count, int flags);

  /// Bytes that were decrypted and not received: the socket does not show them.
  bool has_rest() const;

 private:
  bool wants_more(int result) const;
  ssize_t failure(int result) const;

  std::shared_ptr<const TlsContext> context_;
  void* session_ = nullptr;
  int fd_ = -1;
};

}  // namespace peal::bench
