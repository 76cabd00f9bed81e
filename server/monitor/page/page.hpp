#pragma once
// page.html, as it was when the server was built. embed.py makes the source.

#include <string_view>

namespace peal::server::monitor {

extern const std::string_view page_text;

}  // namespace peal::server::monitor
