#pragma once
// The server as a process among others: the files that say where it is, and the signals by which it
// is told what to do. It knows process ids, paths and signal numbers, and nothing of what is
// served.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/own_file.hpp"

namespace peal::server {

/// What another process, or our own server, wants of the main thread.
enum class Wish {
  stop,
  terminate,
  lame_duck,
  reopen_log,
  reload,
  preview_reload,
  server_stopped,
  nothing,  // Time was up.
};

struct WishFrom {
  Wish wish;
  pid_t sender;
};

/// To be called before the first thread starts, so that all inherit it: from then on a signal comes
/// to nobody but await_wish().
void block_signals();

/// Where standard input, output or error came to us closed: opens them on nothing, so that no
/// socket of ours takes their place, and no line of the log goes to a client. Before anything else
/// is opened.
void hold_standard_descriptors();

/// Waits for the next signal, at most so long; zero is for ever.
WishFrom await_wish(std::chrono::nanoseconds patience = {});

/// Makes await_wish() return server_stopped; from any thread.
void announce_server_stopped();

/// The processes that `target` means: a process id, several as "12*", a pid file, or, if empty, the
/// only other process of this program. The error is one sentence.
std::variant<std::vector<pid_t>, std::string> signal_targets(const std::string& target);

/// Sends `name` (stop, quit, term, ldm, reopen or reload) to them. The error is one sentence.
std::optional<std::string> send_signal(std::string_view name, const std::string& target);

/// Writes a file with a fact about this process. It appears whole, and is ours to remove, unless
/// something that is no file of ours was there: that is written to, and stays.
std::variant<core::OwnFile, std::string> write_process_file(const std::string& path,
                                                            const std::string& text, mode_t mode);

/// Who may read them, before the umask: nats-server's choice.
inline constexpr mode_t pid_file_mode = 0600;
inline constexpr mode_t ports_file_mode = 0644;

/// Our process id, as nats-server writes it: digits and nothing else.
std::string pid_file_text();

/// "<program>_<pid>.ports", and what stands in it.
std::string ports_file_name();
std::string ports_file_text(const std::vector<std::string>& clients,
                            const std::vector<std::string>& monitoring = {},
                            const std::vector<std::string>& websocket = {});

/// The addresses at which a listener is found: one, or one for each interface if the host is a
/// wildcard.
std::vector<std::string> urls_of(std::string_view scheme, const std::string& host, uint16_t port);

}  // namespace peal::server
