// Any bytes as a configuration file: read, applied to options, and checked as a whole, as `-t`
// does. A refusal is one sentence that says where; a good file is read the same again.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_file.hpp"
#include "server/config_parser.hpp"

namespace {

namespace server = peal::server;

// An include would read whatever file of this machine its name says.
bool reads_other_files(std::string_view text) {
  for (size_t at = 0; (at = text.find("nclude", at)) != text.npos; at++) return true;
  return text.find("NCLUDE") != text.npos;
}

std::string path_of(std::string_view text) {
  static const int file = ::memfd_create("config", 0);
  if (file < 0 || ::ftruncate(file, 0) != 0 ||
      ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    std::abort();
  }
  return "/proc/self/fd/" + std::to_string(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 8192 || reads_other_files(text)) return 0;
  const std::string path = path_of(text);
  std::vector<std::string> warnings, warnings_again;
  server::Options options, again;
  const auto refusal = server::apply_config(path, options, warnings);
  if (server::apply_config(path, again, warnings_again) != refusal) std::abort();
  if (warnings != warnings_again) std::abort();
  if (refusal) {
    if (refusal->empty() || refusal->find(':') == refusal->npos) std::abort();
    return 0;
  }
  const auto contradiction = server::contradiction_in(options);
  if (contradiction != server::contradiction_in(again)) std::abort();
  if (contradiction && contradiction->empty()) std::abort();
  return 0;
}
