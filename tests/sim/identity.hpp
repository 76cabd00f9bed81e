#pragma once
// Who simulated clients are, where a server asks: the users, whose account each is, and what may be
// denied to one of them. Ann and Rex share an account, Bob has his own; a reload may deny Rex all
// subjects that begin with `p.`, and Gus comes and goes.

#include <cstdint>
#include <string_view>

namespace peal::sim {

enum class User : uint8_t { ann, rex, gus, bob };

constexpr std::string_view name_of(User user) {
  constexpr std::string_view names[] = {"ann", "rex", "gus", "bob"};
  return names[static_cast<size_t>(user)];
}
constexpr std::string_view account_of(User user) { return user == User::bob ? "B" : "A"; }

inline constexpr std::string_view denied_filter = "p.>";
constexpr bool may_be_denied(std::string_view subject) { return subject.starts_with("p."); }

}  // namespace peal::sim
