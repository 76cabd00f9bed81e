#include "server/subject_aliases.hpp"

namespace peal::server {

SubjectAlias* SubjectAliases::name(uint32_t number, std::string_view subject) {
  if (number == 0 || number > aliases_max) return nullptr;
  SubjectAlias* alias = find(number);
  // It is said again when its first message had to wait.
  if (alias != nullptr && alias->subject == subject) return alias;
  const size_t before_bytes = alias == nullptr ? 0 : alias->subject.size();
  const size_t names_bytes = names_bytes_ - before_bytes + subject.size();
  if (names_bytes > names_bytes_max) return nullptr;
  names_bytes_ = names_bytes;
  if (alias == nullptr) {
    if (aliases_.size() < number) aliases_.resize(number);
    aliases_[number - 1] = std::make_unique<SubjectAlias>();
    alias = aliases_[number - 1].get();
    named_++;
  }
  charge_.set(named_ * sizeof(SubjectAlias) + names_bytes_);
  alias->subject = subject;
  alias->memo.forget();
  return alias;
}

}  // namespace peal::server
