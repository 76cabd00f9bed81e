#pragma once
// Which listeners let in who says nothing of himself, from where others can reach them: what an
// operator should hear of, at the start and when a reload makes it so. It knows addresses and who
// is asked; it must never know a socket or a log.

#include <string>
#include <string_view>
#include <vector>

#include "server/options.hpp"

namespace peal::server {

bool is_loopback(std::string_view host);

/// A sentence for each. Of `websocket` too, unless its port is 0.
std::vector<std::string> open_doors(const Options& options,
                                    const std::vector<ListenAddress>& addresses,
                                    const ListenAddress& websocket);

}  // namespace peal::server
