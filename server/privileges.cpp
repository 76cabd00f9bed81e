#include "server/privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

#include "core/error_text.hpp"

#ifdef PEAL_HAS_SECCOMP
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <iterator>
#endif

namespace peal::server {
namespace {

template <typename Id>
std::optional<Id> number_of(std::string_view text) {
  Id id = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), id);
  if (error != std::errc{} || end != text.end()) return {};
  return id;
}

struct Identity {
  std::string name;
  uid_t user = 0;
  gid_t group = 0;
};

std::optional<std::string> look_up(const std::string& who, Identity& identity) {
  const size_t colon = who.find(':');
  const std::string user = who.substr(0, colon);
  const auto number = number_of<uid_t>(user);
  const passwd* const entry = number ? getpwuid(*number) : getpwnam(user.c_str());
  if (entry == nullptr) return fmt::format("run_as {}: there is no user {}", who, user);
  identity = {entry->pw_name, entry->pw_uid, entry->pw_gid};
  if (colon == who.npos) return {};
  const std::string group = who.substr(colon + 1);
  const auto group_number = number_of<gid_t>(group);
  const struct group* const group_entry =
      group_number ? getgrgid(*group_number) : getgrnam(group.c_str());
  if (group_entry == nullptr) return fmt::format("run_as {}: there is no group {}", who, group);
  identity.group = group_entry->gr_gid;
  return {};
}

}  // namespace

std::optional<std::string> become_user(const std::string& who) {
  Identity identity;
  if (auto error = look_up(who, identity)) return error;
  if (identity.user == 0) return fmt::format("run_as {}: that is root; name another user", who);
  if (geteuid() != 0) {
    return fmt::format(
        "run_as {}: only root can become another user; start as root, or leave it out", who);
  }
  // Groups first: without root they could not be changed any more.
  if (initgroups(identity.name.c_str(), identity.group) != 0 ||
      setresgid(identity.group, identity.group, identity.group) != 0 ||
      setresuid(identity.user, identity.user, identity.user) != 0) {
    return fmt::format("run_as {}: {}", who, core::error_text(errno));
  }
  if (setuid(0) == 0) return fmt::format("run_as {}: root could be had back", who);
  return {};
}

#ifdef PEAL_HAS_SECCOMP

bool forbid_system_calls() {
  static constexpr sock_filter instructions[] = {
#include "server/system_call_filter.inc"
  };
  const sock_fprog filter{std::size(instructions), const_cast<sock_filter*>(instructions)};
  // The kernel wants this of who is not root. The threads that are there already are bound as well.
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

#else

bool forbid_system_calls() { return false; }

#endif

}  // namespace peal::server
