// Run while the server is built: prints the filter of system calls that the server gives itself, as
// the instructions that the kernel takes. The library that makes them goes round for ever when an
// allocation of its own fails (libseccomp 2.5.4), so it has no part in a start.

#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

// A list of what is forbidden and not of what is allowed: the C library's choice of calls changes
// with its version, and a server that dies of one that nobody thought of serves nobody.
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

// One that this processor does not have needs no rule.
bool is_added(int result) { return result == 0 || result == -EDOM; }

// A thread may begin, and nothing else: no process, and no namespace of one. The flags of clone3
// lie in memory, where no filter sees them; who is told that it is not there uses clone.
bool forbid_processes(scmp_filter_ctx filter) {
  constexpr scmp_datum_t thread = CLONE_THREAD;
  constexpr scmp_datum_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                         CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
  const auto forbid = [filter](scmp_datum_t mask, scmp_datum_t flags) {
    return is_added(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                     SCMP_A0(SCMP_CMP_MASKED_EQ, mask, flags)));
  };
  bool done = is_added(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  done = done && forbid(thread, 0);
  for (const scmp_datum_t flag : namespaces) done = done && forbid(flag, flag);
  return done;
}

bool print_filter() {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  for (const int call : forbidden) {
    if (!is_added(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0))) return false;
  }
  if (!forbid_processes(filter)) return false;
  std::FILE* const made = std::tmpfile();
  if (made == nullptr || seccomp_export_bpf(filter, ::fileno(made)) != 0) return false;
  std::rewind(made);
  sock_filter instruction;
  while (std::fread(&instruction, sizeof instruction, 1, made) == 1) {
    std::printf("{%u, %u, %u, %uU},\n", unsigned{instruction.code}, unsigned{instruction.jt},
                unsigned{instruction.jf}, instruction.k);
  }
  return true;
}

}  // namespace

int main() { return print_filter() ? 0 : 1; }
