// What is logged, and where to.

#include "server/config_fields.hpp"
#include "server/config_groups.hpp"

namespace peal::server {

namespace {

using namespace fields;

constexpr int64_t bytes_max = int64_t{1} << 40;

Refusal set_log_format(ConfigTarget& target, const ConfigValue& value) {
  std::string format;
  if (auto refusal = read_text(value, format)) return refusal;
  if (format != "text" && format != "json") return "'" + format + "' is neither text nor json";
  target.options.log_json = format == "json";
  return {};
}

std::string show_log_format(const Options& options) { return options.log_json ? "json" : "text"; }

Refusal set_remote_syslog(ConfigTarget& target, const ConfigValue& value) {
  std::string& url = target.options.remote_syslog;
  if (auto refusal = read_text(value, url)) return refusal;
  if (url.empty() || is_syslog_url(url)) return {};
  return "'" + url + "' is not udp://HOST:PORT or tcp://HOST:PORT";
}

constexpr ConfigKey keys[] = {
    boolean<&Options::debug>("debug", Reload::live, "what is needed to find a fault"),
    boolean<&Options::trace>("trace", Reload::live, "each command and line of the protocol"),
    {.names = "trace_verbose",
     .type = KeyType::boolean,
     .reload = Reload::live,
     .note = "the same as `trace`: there is no system account to be traced besides",
     .apply = fields::set_boolean<&Options::trace>},
    boolean<&Options::trace_headers>("trace_headers", Reload::live,
                                     "of a message only the headers go into the trace"),
    number<0, INT32_MAX, &Options::traced_message_bytes_max>(
        "max_traced_msg_len", Reload::live, "of a message in the trace; 0: what a line holds",
        KeyType::bytes),
    boolean<&Options::logtime>("logtime", Reload::live, "stamp each line with the time"),
    boolean<&Options::logtime_utc>("logtime_utc", Reload::live, "in UTC instead of local time"),
    {.names = "log_format",
     .type = KeyType::text,
     .reload = Reload::live,
     .note = "Peal only: `text`, or `json` for one object a line",
     .apply = set_log_format,
     .shown = show_log_format},
    text<&Options::log_file>("log_file,logfile", Reload::live, "empty: standard error"),
    number<0, bytes_max, &Options::logfile_bytes_max>(
        "logfile_size_limit,log_size_limit", Reload::live,
        "then the file gets the time as a suffix and a new one is begun; 0: unlimited",
        KeyType::bytes),
    number<0, 100'000, &Options::logfiles_max>(
        "logfile_max_num,log_max_num", Reload::live,
        "files of the log, the one in use among them; 0: unlimited"),
    boolean<&Options::syslog>("syslog", Reload::live, "to the system's log instead of a file"),
    {.names = "remote_syslog",
     .type = KeyType::text,
     .reload = Reload::live,
     .note = "`udp://host:514` or `tcp://host:601`: to the log of another machine",
     .apply = set_remote_syslog,
     .shown = show<&Options::remote_syslog>},
    ignored("connect_error_reports", KeyType::number, "there is no other server to connect to"),
    ignored("reconnect_error_reports", KeyType::number, "there is no other server to connect to"),
};

}  // namespace

std::span<const ConfigKey> log_keys() { return keys; }

}  // namespace peal::server
