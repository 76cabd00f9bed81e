#pragma once
// Makes a session that fails smaller, for as long as it goes on failing, and writes it down as a
// wire case.

#include <functional>
#include <string>

#include "tests/differential/session.hpp"
#include "tests/differential/transcript.hpp"

namespace peal::differential {

Session shrink(Session session, const std::function<bool(const Session&)>& fails);

/// Lines of a wire case; what only one of the servers said is marked with its name.
std::string wire_case(const Session& session, const std::string& one_name, const Transcript& one,
                      const std::string& other_name, const Transcript& other);

}  // namespace peal::differential
