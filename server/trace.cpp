#include "server/trace.hpp"

#include "protocol/connect.hpp"

namespace peal::server {
namespace {

/// With a blank in front, when there is one.
struct Optional {
  std::string_view text;
  std::string_view blank() const { return text.empty() ? "" : " "; }
};

// Of CONNECT only what says who it is: a password belongs in no log.
void trace_connect(core::Log& log, std::string_view label, std::string_view document) {
  protocol::ConnectOptions options;
  protocol::merge_connect(document, options);
  log.write_asked_for(
      core::Level::trace,
      "{} - <<- [CONNECT name:\"{}\" lang:\"{}\" version:\"{}\" protocol:{} verbose:{} "
      "pedantic:{} echo:{} headers:{} no_responders:{}]",
      label, options.name, options.lang, options.version, options.protocol, options.verbose,
      options.pedantic, options.echo, options.headers, options.no_responders);
}

void trace_message(core::Log& log, std::string_view label, const protocol::Command& command,
                   TraceExtent extent) {
  std::string_view shown = command.message;
  if (extent.headers_only) {
    if (command.header_bytes == 0) return;
    shown = shown.substr(0, command.header_bytes);
    while (shown.ends_with('\n') || shown.ends_with('\r')) shown.remove_suffix(1);
  }
  const bool cut = extent.bytes_max != 0 && shown.size() > extent.bytes_max;
  if (cut) shown = shown.substr(0, extent.bytes_max);
  log.write_asked_for(core::Level::trace, "{} - <<- MSG_PAYLOAD: [\"{}{}\"]", label, shown,
                      cut ? "..." : "");
}

}  // namespace

void trace_command(core::Log& log, std::string_view label, const protocol::Command& command,
                   TraceExtent extent) {
  using protocol::CommandKind;
  switch (command.kind) {
    case CommandKind::pub:
    case CommandKind::hpub: {
      const Optional reply{command.reply};
      if (command.kind == CommandKind::pub) {
        log.write_asked_for(core::Level::trace, "{} - <<- [PUB {}{}{} {}]", label, command.subject,
                            reply.blank(), reply.text, command.message.size());
      } else {
        log.write_asked_for(core::Level::trace, "{} - <<- [HPUB {}{}{} {} {}]", label,
                            command.subject, reply.blank(), reply.text, command.header_bytes,
                            command.message.size());
      }
      return trace_message(log, label, command, extent);
    }
    case CommandKind::sub: {
      const Optional queue{command.queue};
      return log.write_asked_for(core::Level::trace, "{} - <<- [SUB {}{}{} {}]", label,
                                 command.subject, queue.blank(), queue.text, command.sid);
    }
    case CommandKind::unsub:
      return log.write_asked_for(core::Level::trace, "{} - <<- [UNSUB {} {}]", label, command.sid,
                                 command.max);
    case CommandKind::ping:
      return log.write_asked_for(core::Level::trace, "{} - <<- [PING]", label);
    case CommandKind::pong:
      return log.write_asked_for(core::Level::trace, "{} - <<- [PONG]", label);
    case CommandKind::connect:
      return trace_connect(log, label, command.document);
    case CommandKind::ignored:
      return;
  }
}

void trace_sent(core::Log& log, std::string_view label, std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  log.write_asked_for(core::Level::trace, "{} - ->> [{}]", label, line);
}

}  // namespace peal::server
