#pragma once
// Subjects: tokens between dots, and the two wildcards. It knows text; who may use a subject, and
// who listens to it, it must never know. How subjects are matched at speed is the server's
// interest; the matcher here is the plain definition that it is tested against.
//
// A wildcard counts only when it is a whole token: in `a.b*` the star is text.

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace peal::protocol {

/// The tokens of a subject, first to last. An empty subject is one empty token.
class Tokens {
 public:
  explicit Tokens(std::string_view subject) : rest_(subject) {}

  /// False when there is none left.
  bool next(std::string_view& token) {
    if (ended_) return false;
    const size_t dot = rest_.find('.');
    token = rest_.substr(0, dot);
    ended_ = dot == rest_.npos;
    if (!ended_) rest_.remove_prefix(dot + 1);
    return true;
  }

  /// Whether the token that was read was the last.
  bool ended() const { return ended_; }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

inline size_t count_tokens(std::string_view subject) {
  return static_cast<size_t>(std::ranges::count(subject, '.')) + 1;
}

/// What may be subscribed to: no token is empty, and `>` is the last if it is there.
bool is_valid_filter(std::string_view filter);

/// What a pedantic client may publish to: no token is empty, and none is a wildcard.
bool is_valid_literal(std::string_view subject);

bool has_wildcard(std::string_view filter);

bool has_empty_token(std::string_view subject);

/// Whether a subscription to `filter`, which is valid, gets what is published to `subject`.
/// Wildcards in the subject are text. A subject with an empty token is heard by nobody, not even by
/// `>`.
bool matches(std::string_view filter, std::string_view subject);

/// Whether whatever `narrow` matches is matched by `wide` as well. Both are valid filters.
bool covers(std::string_view wide, std::string_view narrow);

/// Whether some subject is matched by both. Both are valid filters.
bool overlap(std::string_view one, std::string_view other);

}  // namespace peal::protocol
