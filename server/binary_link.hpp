#pragma once
// What a connection that speaks in frames has more than one that speaks in lines. It knows where
// the reading of its frames stands; connection_frames.cpp moves it on.

#include <string>

#include "protocol/binary_parser.hpp"
#include "server/subject_aliases.hpp"

namespace peal::server {

struct BinaryLink {
  explicit BinaryLink(const protocol::Limits& limits) : parser(limits) {}

  protocol::BinaryParser parser;
  SubjectAliases aliases;
  std::string batch_subject;  // Of the batch that is being read.
};

}  // namespace peal::server
