#include "server/privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#ifdef PEAL_HAS_SECCOMP
#include <seccomp.h>
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
    return fmt::format("run_as {}: {}", who, std::strerror(errno));
  }
  if (setuid(0) == 0) return fmt::format("run_as {}: root could be had back", who);
  return {};
}

#ifdef PEAL_HAS_SECCOMP

// A list of what is forbidden and not of what is allowed: the C library's choice of calls changes
// with its version, and a server that dies of one that nobody thought of serves nobody.
bool forbid_system_calls() {
  constexpr int forbidden[] = {
      SCMP_SYS(execve),
      SCMP_SYS(execveat),
      SCMP_SYS(fork),
      SCMP_SYS(vfork),
      SCMP_SYS(ptrace),
      SCMP_SYS(process_vm_readv),
      SCMP_SYS(process_vm_writev),
      SCMP_SYS(pidfd_getfd),
      SCMP_SYS(kcmp),
      SCMP_SYS(bpf),
      SCMP_SYS(perf_event_open),
      SCMP_SYS(userfaultfd),
      SCMP_SYS(init_module),
      SCMP_SYS(finit_module),
      SCMP_SYS(delete_module),
      SCMP_SYS(kexec_load),
      SCMP_SYS(kexec_file_load),
      SCMP_SYS(reboot),
      SCMP_SYS(mount),
      SCMP_SYS(umount2),
      SCMP_SYS(fsopen),
      SCMP_SYS(fsconfig),
      SCMP_SYS(fsmount),
      SCMP_SYS(fspick),
      SCMP_SYS(move_mount),
      SCMP_SYS(open_tree),
      SCMP_SYS(mount_setattr),
      SCMP_SYS(pivot_root),
      SCMP_SYS(chroot),
      SCMP_SYS(unshare),
      SCMP_SYS(setns),
      SCMP_SYS(swapon),
      SCMP_SYS(swapoff),
      SCMP_SYS(acct),
      SCMP_SYS(add_key),
      SCMP_SYS(request_key),
      SCMP_SYS(keyctl),
      SCMP_SYS(open_by_handle_at),
      SCMP_SYS(setuid),
      SCMP_SYS(setgid),
      SCMP_SYS(setreuid),
      SCMP_SYS(setregid),
      SCMP_SYS(setresuid),
      SCMP_SYS(setresgid),
      SCMP_SYS(setgroups),
      SCMP_SYS(setfsuid),
      SCMP_SYS(setfsgid),
      SCMP_SYS(personality),
      SCMP_SYS(settimeofday),
      SCMP_SYS(clock_settime),
      SCMP_SYS(sethostname),
      SCMP_SYS(setdomainname),
      SCMP_SYS(iopl),
      SCMP_SYS(ioperm),
      SCMP_SYS(syslog),
  };
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  // The threads that are there already are bound as well.
  bool good = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
  for (const int call : forbidden) {
    // One that this processor does not have needs no rule.
    const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
    good = good && (result == 0 || result == -EDOM);
  }
  good = good && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return good;
}

#else

bool forbid_system_calls() { return false; }

#endif

}  // namespace peal::server
