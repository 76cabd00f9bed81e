#pragma once
// The NATS/1.0 header block: the one that a server writes itself, and a look for a header in one
// that a client wrote. Clients' blocks are any bytes, and pass as they are; whoever looks into one
// must take it for hostile. It knows the block; what a header means it must never know.

#include <cstddef>
#include <optional>
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

/// The value of the first header that is named exactly so: what follows the colon, without leading
/// blanks, up to the CR. None if there is no such line, or it has no CR LF.
std::optional<std::string_view> header_value(std::string_view block, std::string_view name);

}  // namespace peal::protocol
