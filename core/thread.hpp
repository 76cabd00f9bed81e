#pragma once
// What a thread is to the machine: a name that tools show, and a core of its own.

#include <string>
#include <vector>

namespace peal::core {

/// At most fifteen bytes are shown.
void name_thread(const std::string& name);

/// The processors that this process may run on, in order.
std::vector<int> allowed_processors();

/// Keeps the calling thread on one processor. What the kernel refuses is left alone.
void pin_thread(int processor);

}  // namespace peal::core
