#pragma once
// What an errno is called. In contrast to strerror() any thread may ask.

#include <string>
#include <system_error>

namespace peal::core {

inline std::string error_text(int error) { return std::generic_category().message(error); }

}  // namespace peal::core
