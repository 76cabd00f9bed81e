#pragma once
// Sessions by chance: commands of a grammar that knows what clients may say, and at the end of most
// a few that were spoilt. The same seed gives the same session.

#include <cstdint>

#include "tests/differential/session.hpp"
#include "tests/differential/setting.hpp"

namespace peal::differential {

/// `for_reference`: without what is known to differ and cannot be told apart by its bytes: a
/// CONNECT of a client that has subscribed.
Session generate(uint64_t seed, const Setting& setting, bool for_reference);

}  // namespace peal::differential
