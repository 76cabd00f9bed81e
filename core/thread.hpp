#pragma once
// What a thread is to the machine: a thing that may not be had, a name that tools show, and a core
// of its own.

#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace peal::core {

/// Nothing where the system has no thread left for this process.
template <typename Body>
std::optional<std::thread> start_thread(Body body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error&) {
    return {};
  }
}

/// At most fifteen bytes are shown.
void name_thread(const std::string& name);

/// The processors that this process may run on, in order.
std::vector<int> allowed_processors();

/// Keeps the calling thread on one processor. What the kernel refuses is left alone.
void pin_thread(int processor);

}  // namespace peal::core
