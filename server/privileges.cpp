#include "server/privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <variant>

#include "core/error_text.hpp"
#include "core/owner.hpp"

#ifdef PEAL_HAS_SECCOMP
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <iterator>
#endif

namespace peal::server {

std::optional<std::string> become_user(const std::string& who) {
  const auto found = core::find_owner(who);
  if (const auto* error = std::get_if<std::string>(&found)) {
    return fmt::format("run_as {}: {}", who, *error);
  }
  const auto& [user, chosen_group] = std::get<core::Owner>(found);
  if (!user) return fmt::format("run_as {}: that names no user", who);
  if (user->id == 0) return fmt::format("run_as {}: that is root; name another user", who);
  if (geteuid() != 0) {
    return fmt::format(
        "run_as {}: only root can become another user; start as root, or leave it out", who);
  }
  // Groups first: without root they could not be changed any more.
  const gid_t group = chosen_group.value_or(user->group);
  if (initgroups(user->name.c_str(), group) != 0 || setresgid(group, group, group) != 0 ||
      setresuid(user->id, user->id, user->id) != 0) {
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
