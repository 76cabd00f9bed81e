#include "core/mesh.hpp"

namespace peal::core {

Mesh::Mesh(unsigned shards, size_t data_bytes, size_t control_bytes)
    : shards_(shards), sleepers_(shards), acknowledged_(size_t{shards} * shards) {
  data_.resize(size_t{shards} * shards);
  control_.resize(size_t{shards} * shards);
  for (unsigned from = 0; from < shards; from++) {
    for (unsigned to = 0; to < shards; to++) {
      if (from == to) continue;
      data_[from * shards + to] = std::make_unique<Mailbox>(data_bytes);
      control_[from * shards + to] = std::make_unique<Mailbox>(control_bytes);
    }
  }
}

void Mesh::join(unsigned shard, Lendable& itself, int handle) {
  sleepers_[shard].handle = handle;
  sleepers_[shard].itself = &itself;
}

}  // namespace peal::core
