#pragma once
// The NATS/1.0 header block that a server writes itself. Clients' blocks are any bytes, and pass as
// they are: nobody here looks into one.

#include <cstddef>
#include <string_view>

namespace peal::protocol {

/// How long the block is that tells a requester that nobody listens on `subject`.
size_t no_responders_bytes(std::string_view subject);

/// Room for what write_no_responders writes.
size_t no_responders_message_bytes_max(std::string_view reply, std::string_view sid,
                                       std::string_view subject);

/// The whole message, HMSG line to last CR LF: to the requester's subscription `sid`, on his reply
/// subject, about the subject that he sent to. Returns the end.
char* write_no_responders(char* out, std::string_view reply, std::string_view sid,
                          std::string_view subject);

/// The same as a frame; the reply subject is left out where the subscription says it. Needs no more
/// room.
char* write_no_responders_frame(char* out, std::string_view reply, std::string_view sid,
                                bool literal, std::string_view subject);

}  // namespace peal::protocol
