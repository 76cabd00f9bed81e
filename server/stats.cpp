#include "server/stats.hpp"

namespace peal::server {

std::string_view text_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::none:
      return "";
    case CloseReason::client_closed:
      return "Client Closed";
    case CloseReason::read_error:
      return "Read Error";
    case CloseReason::write_error:
      return "Write Error";
    case CloseReason::refused:
      return "Protocol Violation";
    case CloseReason::stale_connection:
      return "Stale Connection";
    case CloseReason::slow_consumer_pending:
      return "Slow Consumer (Pending Bytes)";
    case CloseReason::slow_consumer_write_deadline:
      return "Slow Consumer (Write Deadline)";
    case CloseReason::memory_budget:
      return "Memory Budget Exceeded";
    case CloseReason::out_of_memory:
      return "Out Of Memory";
    case CloseReason::connections_exceeded:
      return "Maximum Connections Exceeded";
    case CloseReason::lame_duck:
    case CloseReason::server_shutdown:
      return "Server Shutdown";
    case CloseReason::tls_handshake:
      return "TLS Handshake Failure";
    case CloseReason::websocket_upgrade:
      return "WebSocket Upgrade Failure";
  }
  __builtin_unreachable();
}

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::none:
      return "none";
    case CloseReason::client_closed:
      return "client_closed";
    case CloseReason::read_error:
      return "read_error";
    case CloseReason::write_error:
      return "write_error";
    case CloseReason::refused:
      return "refused";
    case CloseReason::stale_connection:
      return "stale_connection";
    case CloseReason::slow_consumer_pending:
      return "slow_consumer_pending";
    case CloseReason::slow_consumer_write_deadline:
      return "slow_consumer_write_deadline";
    case CloseReason::memory_budget:
      return "memory_budget";
    case CloseReason::out_of_memory:
      return "out_of_memory";
    case CloseReason::connections_exceeded:
      return "connections_exceeded";
    case CloseReason::lame_duck:
      return "lame_duck";
    case CloseReason::server_shutdown:
      return "server_shutdown";
    case CloseReason::tls_handshake:
      return "tls_handshake";
    case CloseReason::websocket_upgrade:
      return "websocket_upgrade";
  }
  __builtin_unreachable();
}

}  // namespace peal::server
