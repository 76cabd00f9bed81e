#pragma once
// How subjects were matched, as /subsz and /accountz both show it.

#include "protocol/json.hpp"
#include "server/monitor/collector.hpp"

namespace peal::server::monitor {

void write_match_statistics(protocol::JsonWriter& json, const Counters& counters);
/// The same, where so many subscriptions are meant.
void write_match_statistics(protocol::JsonWriter& json, const Counters& counters,
                            uint64_t subscriptions);

}  // namespace peal::server::monitor
