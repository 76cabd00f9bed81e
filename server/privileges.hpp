#pragma once
// Giving up what the process does not need once its ports are bound and its files are open: root,
// and the system calls that serve nobody but an intruder. It knows users and system calls, and
// nothing of what is served.

#include <optional>
#include <string>

namespace peal::server {

/// Becomes another user for good; all threads do. `who` is USER or USER:GROUP, by name or number;
/// without a group it is the user's own. The error is one sentence.
std::optional<std::string> become_user(const std::string& who);

/// From now on all threads are refused starting programs, tracing others, loading kernel code,
/// changing users or mounts. False where this was built without libseccomp, or the kernel refuses:
/// the server runs all the same.
bool forbid_system_calls();

}  // namespace peal::server
