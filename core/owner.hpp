#pragma once
// Users and groups of this system, as an operator names them. It knows the system's lists of them;
// what they are wanted for it must never know.

#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>

namespace peal::core {

struct User {
  std::string name;
  uid_t id;
  gid_t group;  // The user's own.
};

/// What was not named is not there.
struct Owner {
  std::optional<User> user;
  std::optional<gid_t> group;
};

/// "user", "user:group" or ":group", each by name or number. The error is a clause: "there is no
/// user peal".
std::variant<Owner, std::string> find_owner(const std::string& text);

}  // namespace peal::core
