#include "core/owner.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <system_error>

namespace peal::core {

namespace {

template <typename Id>
std::optional<Id> number_of(const std::string& text) {
  Id id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return id;
}

}  // namespace

std::variant<Owner, std::string> find_owner(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  const std::string group = colon == text.npos ? "" : text.substr(colon + 1);
  Owner owner;
  if (!user.empty()) {
    const auto number = number_of<uid_t>(user);
    const passwd* const entry = number ? ::getpwuid(*number) : ::getpwnam(user.c_str());
    if (entry == nullptr) return fmt::format("there is no user {}", user);
    owner.user = {entry->pw_name, entry->pw_uid, entry->pw_gid};
  }
  if (!group.empty()) {
    const auto number = number_of<gid_t>(group);
    const ::group* const entry = number ? ::getgrgid(*number) : ::getgrnam(group.c_str());
    if (entry == nullptr) return fmt::format("there is no group {}", group);
    owner.group = entry->gr_gid;
  }
  return owner;
}

}  // namespace peal::core
