#include "core/crash_report.hpp"

#include <assert.h>
#include <cxxabi.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <exception>
#include <typeinfo>

namespace peal::core {
namespace {

// A sanitizer has a report of its own.
#ifdef PEAL_SANITIZED
constexpr bool leaves_it_to_sanitizer = true;
#else
constexpr bool leaves_it_to_sanitizer = false;
#endif

constexpr std::array fatal_signals = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
constexpr size_t stack_bytes = 64 * 1024;
constexpr size_t recorders_max = 256;
constexpr size_t report_bytes_max = 64 * 1024;
constexpr int addresses_max = 64;
constexpr size_t operations_elsewhere = 4;  // Of threads that did not crash.

// Text into memory that is there, cut at its end.
class Text {
 public:
  explicit Text(std::span<char> out) : out_(out) {}
  Text& operator<<(std::string_view text) {
    const size_t bytes = std::min(text.size(), out_.size() - used_);
    // Of nothing, the address may be null.
    if (bytes > 0) std::memcpy(out_.data() + used_, text.data(), bytes);
    used_ += bytes;
    return *this;
  }
  Text& operator<<(const char* text) { return *this << std::string_view(text); }
  Text& operator<<(int64_t number) { return add(number, 10); }
  Text& operator<<(uint64_t number) { return add(number, 10); }
  Text& operator<<(uint32_t number) { return add(number, 10); }
  Text& operator<<(int32_t number) { return add(number, 10); }
  Text& address(uintptr_t address) { return *this << "0x", add(address, 16); }
  size_t used() const { return used_; }

 private:
  template <typename Number>
  Text& add(Number number, int base) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    return *this << std::string_view(digits, static_cast<size_t>(end - digits));
  }

  std::span<char> out_;
  size_t used_ = 0;
};

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGABRT:
      return "SIGABRT";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
  }
  return "a signal";
}

std::atomic<const FlightRecorder*> recorders[recorders_max];
thread_local const FlightRecorder* own_recorder = nullptr;

bool installed = false;
char program_name[64];
char log_path[PATH_MAX];
std::atomic<pid_t> reporter{0};  // The thread that crashed first.

// What went wrong, where the program knows it. Of the thread that says so first.
std::atomic<bool> failure_taken{false};
char failure[512];

void say_failure(std::initializer_list<std::string_view> parts) {
  if (failure_taken.exchange(true)) return;
  Text text({failure, sizeof failure - 1});
  for (const std::string_view part : parts) text << part;
  failure[text.used()] = '\0';
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void write_addresses(int descriptor, std::span<void* const> addresses) {
  write_all(
      descriptor,
      "called from, the innermost first (addr2line -Cfpie FILE +0xADDRESS tells the lines):\n");
  ::backtrace_symbols_fd(addresses.data(), static_cast<int>(addresses.size()), descriptor);
}

void write_report(int signal, const siginfo_t& info) {
  static char text[report_bytes_max];
  static std::array<const FlightRecorder*, recorders_max> known;
  size_t count = 0;
  for (const auto& recorder : recorders) {
    if (const FlightRecorder* const each = recorder.load()) known[count++] = each;
  }
  char thread[17] = "";
  ::prctl(PR_GET_NAME, thread);
  CrashFacts facts;
  facts.program = program_name;
  facts.signal = signal;
  facts.sent = info.si_code <= 0;
  if (facts.sent) {
    facts.sender = info.si_pid;
  } else {
    facts.address = reinterpret_cast<uintptr_t>(info.si_addr);
  }
  facts.process = ::getpid();
  facts.thread = thread;
  facts.failure = failure;
  facts.here = own_recorder;
  const size_t bytes = write_crash_report(text, facts, {known.data(), count});

  static void* addresses[addresses_max];
  const auto calls = static_cast<size_t>(::backtrace(addresses, addresses_max));
  write_all(STDERR_FILENO, {text, bytes});
  write_addresses(STDERR_FILENO, {addresses, calls});
  if (log_path[0] == '\0') return;
  const int log = ::open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log < 0) return;
  write_all(log, {text, bytes});
  write_addresses(log, {addresses, calls});
  ::close(log);
}

void on_fatal_signal(int signal, siginfo_t* info, void*) {
  pid_t nobody = 0;
  const pid_t self = ::gettid();
  if (reporter.compare_exchange_strong(nobody, self)) {
    write_report(signal, *info);
  } else if (nobody != self) {
    for (;;) ::pause();  // The one that was first ends us all.
  }
  // Delivered when this handler returns, because it is blocked until then.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

[[noreturn]] void on_terminate() {
  const std::type_info* const thrown = abi::__cxa_current_exception_type();
  say_failure({"std::terminate, by an exception of type ", thrown ? thrown->name() : "(none)"});
  ::abort();
}

}  // namespace

// ---- Recorders.

FlightRecorder::FlightRecorder(unsigned number) : number_(number) {
  if (number < recorders_max) recorders[number].store(this);
  own_recorder = this;
}

FlightRecorder::~FlightRecorder() {
  const FlightRecorder* self = this;
  if (number_ < recorders_max) recorders[number_].compare_exchange_strong(self, nullptr);
  if (own_recorder == this) own_recorder = nullptr;
}

// ---- Getting ready.

void install_crash_report(std::string_view program) {
  program_name[program.copy(program_name, sizeof program_name - 1)] = '\0';
  if (leaves_it_to_sanitizer) return;
  void* address = nullptr;
  ::backtrace(&address, 1);  // The first call loads a library.
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : fatal_signals) ::sigaction(signal, &action, nullptr);
  std::set_terminate(on_terminate);
  installed = true;
}

void set_crash_log(std::string_view path) {
  log_path[path.copy(log_path, sizeof log_path - 1)] = '\0';
}

CrashStack::CrashStack() {
  memory_ =
      ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) {
    memory_ = nullptr;
    return;
  }
  const stack_t stack{.ss_sp = memory_, .ss_flags = 0, .ss_size = stack_bytes};
  ::sigaltstack(&stack, nullptr);
}

CrashStack::~CrashStack() {
  if (memory_ == nullptr) return;
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  ::sigaltstack(&none, nullptr);
  ::munmap(memory_, stack_bytes);
}

// ---- The text.

size_t write_crash_report(std::span<char> out, const CrashFacts& facts,
                          std::span<const FlightRecorder* const> recorders_known) {
  Text text(out);
  text << "\n" << facts.program << " crashed: " << name_of(facts.signal);
  if (facts.sent) {
    text << " from process " << facts.sender;
  } else {
    text << " at address ";
    text.address(facts.address);
  }
  text << ", in thread " << facts.thread << " of process " << facts.process << "\n";
  if (!facts.failure.empty()) text << facts.failure << "\n";
  for (const FlightRecorder* const recorder : recorders_known) {
    const bool here = recorder == facts.here;
    text << "shard " << recorder->number() << (here ? ", which crashed" : "") << ": turn "
         << recorder->turn() << ", step " << recorder->step() << ", the last first:\n";
    const size_t shown = here ? recorder->kept() : std::min(operations_elsewhere, recorder->kept());
    for (size_t back = 0; back < shown; back++) {
      const FlightRecorder::Operation& each = recorder->last(back);
      text << "  turn " << each.turn << ": " << each.what << " " << each.slot << ": " << each.result
           << "\n";
    }
  }
  return text.used();
}

}  // namespace peal::core

// In the C library's place, so that the report has the text.
extern "C" void __assert_fail(const char* condition, const char* file, unsigned line,
                              const char* function) noexcept {
  using namespace peal::core;
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, line).ptr;
  const std::string_view number(digits, static_cast<size_t>(end - digits));
  say_failure({"a bug: '", condition, "' does not hold in ", file, ":", number, ", ", function});
  if (!installed) {
    write_all(STDERR_FILENO, failure);
    write_all(STDERR_FILENO, "\n");
  }
  ::abort();
}
