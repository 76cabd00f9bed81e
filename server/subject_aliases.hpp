#pragma once
// The subjects that a client which speaks in frames has given numbers, each with the route that it
// took last: a publisher of several subjects finds each as fast as one of a single one. It knows
// numbers and texts; who may publish where it must never know.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ledger.hpp"
#include "server/route.hpp"

namespace peal::server {

struct SubjectAlias {
  std::string subject;
  RouteMemo memo;
};

class SubjectAliases {
 public:
  /// Numbers are 1 to this; INFO tells it.
  static constexpr uint32_t aliases_max = 256;
  /// Of all subjects that have a number, together.
  static constexpr size_t names_bytes_max = 64 * 1024;

  /// nullptr when it was never named. It stays where it is, whatever is named later.
  SubjectAlias* find(uint32_t number) {
    return number - 1 < aliases_.size() ? aliases_[number - 1].get() : nullptr;
  }

  /// From now on the number stands for that subject, whatever it stood for before. nullptr when
  /// there would be too many, or too long ones.
  SubjectAlias* name(uint32_t number, std::string_view subject);

  size_t bytes() const { return charge_.bytes(); }

  /// Calls `visit` with each.
  template <typename Visit>
  void each(Visit&& visit) {
    for (const auto& alias : aliases_) {
      if (alias) visit(*alias);
    }
  }

 private:
  std::vector<std::unique_ptr<SubjectAlias>> aliases_;  // By number, from 1 on.
  size_t names_bytes_ = 0;
  uint32_t named_ = 0;
  core::Charge charge_{core::Purpose::links};
};

}  // namespace peal::server
