#pragma once
// How a line of the log looks: for people, as one JSON object, or as syslog wants it. Text in, text
// out; it knows no file and no thread.

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace peal::core {

enum class Level : uint8_t { info, warning, error, fatal, debug, trace };

/// Around the line: nothing, or what the protocol of RFC 3164 puts in front.
enum class LogFrame : uint8_t { plain, syslog_local, syslog_remote };

/// The text on one line: control characters are shown as \x0a.
std::string printable(std::string_view text);

class LogFormat {
 public:
  struct Config {
    LogFrame frame = LogFrame::plain;
    bool json = false;
    bool time = true;
    bool utc = false;
    std::string program;  // For syslog.
  };

  explicit LogFormat(Config config);

  /// Appends one line, with its LF and no other control character.
  void append(std::string& out, const timespec& time, Level level, std::string_view text);

 private:
  void append_frame(std::string& out, const timespec& time, Level level);
  void append_json(std::string& out, const timespec& time, Level level, std::string_view text);
  void append_time(std::string& out, const timespec& time);
  const std::tm& parts_of(time_t second);

  Config config_;
  std::string process_id_;
  std::string host_;
  time_t second_ = -1;
  std::tm parts_{};  // Of second_: a date costs more than all the rest.
};

}  // namespace peal::core
