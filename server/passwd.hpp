#pragma once
// `peal-server passwd`: reads a password, writes its bcrypt hash, for the configuration file. The
// password comes from the terminal or from standard input, never from the command line, where
// everybody on the machine could read it.

#include <optional>
#include <string>

namespace peal::server {

/// The arguments after the word passwd. The error is one sentence.
std::optional<std::string> run_passwd(int argc, const char* const* argv);

}  // namespace peal::server
