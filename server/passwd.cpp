#include "server/passwd.hpp"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <string_view>

#include "server/secret.hpp"

namespace peal::server {
namespace {

constexpr unsigned cost_default = 11;  // As nats has it: about a tenth of a second.
constexpr unsigned cost_min = 4;
constexpr unsigned cost_max = 20;          // More would take minutes for each connection.
constexpr size_t password_bytes_max = 72;  // bcrypt looks at no more.

/// Typed letters are not shown while this lives.
class SilentTerminal {
 public:
  SilentTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~SilentTerminal() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string ask(std::string_view question) {
  const bool terminal = isatty(STDIN_FILENO) != 0;
  if (terminal) fmt::print(stderr, "{}", question);
  std::string answer;
  {
    const SilentTerminal silent;
    std::getline(std::cin, answer);
  }
  if (terminal) fmt::print(stderr, "\n");
  return answer;
}

}  // namespace

std::optional<std::string> run_passwd(int argc, const char* const* argv) {
  unsigned cost = cost_default;
  if (argc == 2 &&
      (std::string_view(argv[0]) == "--cost" || std::string_view(argv[0]) == "-cost")) {
    const std::string_view digits = argv[1];
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), cost);
    if (error != std::errc{} || end != digits.end() || cost < cost_min || cost > cost_max) {
      return fmt::format("passwd: --cost {} is not between {} and {}", digits, cost_min, cost_max);
    }
  } else if (argc != 0) {
    return "passwd: takes nothing but --cost N; the password is asked for, or read from standard "
           "input";
  }
  std::string password = ask("Password: ");
  if (password.empty()) return "passwd: the password is empty";
  if (password.size() > password_bytes_max) {
    return fmt::format("passwd: the password has {} bytes, and bcrypt looks at {}", password.size(),
                       password_bytes_max);
  }
  if (isatty(STDIN_FILENO) != 0 && !same_secret(password, ask("Again: "))) {
    return "passwd: these were two different passwords";
  }
  const auto hash = hash_password(password, cost);
  forget_secret(password);
  if (!hash) return "passwd: this system's libcrypt has no bcrypt";
  fmt::print("{}\n", *hash);
  return {};
}

}  // namespace peal::server
