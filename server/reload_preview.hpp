#pragma once
// How one process asks a running server what a reload would change, and gets the answer: a signal
// with a mark on it one way, a datagram the other. Whoever may send that signal may read the
// answer, which has no secrets in it. It knows processes and sockets, and no option.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace peal::server {

/// What SIGHUP carries when it asks for a preview only.
inline constexpr int preview_mark = 0x5045414c;

/// Asks the server of this process id. Nothing if it has not answered within some seconds; else its
/// answer. `error` says why there is none.
std::optional<std::string> ask_preview(pid_t server, std::string& error);

/// Answers whoever asked.
void answer_preview(pid_t asker, std::string_view text);

}  // namespace peal::server
