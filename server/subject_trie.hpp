#pragma once
// The filters with wildcards, token by token. A node is a path of tokens from the root of its
// account. It knows where chains of entries hang; it must never know what an entry is.
//
// A node does not hold its children: there is one index of all edges of the shard, from parent and
// token to child. The star child has a place of its own, for a walk always asks for it. A wildcard
// that ends a filter needs no node: `a.b.*` and `a.b.>` hang on the node of `a.b`.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/block_pool.hpp"
#include "core/hash.hpp"
#include "core/hash_index.hpp"
#include "server/ids.hpp"
#include "server/subject_tokens.hpp"

namespace peal::server {

class SubjectTrie {
 public:
  static constexpr uint32_t none = core::BlockPool::none;

  SubjectTrie(core::BlockPool& pool, const core::Hasher& hasher) : pool_(pool), hasher_(hasher) {}

  /// Whether the account has any filter here; if not, there is no need to cut its subjects.
  bool empty(AccountId account) const {
    return account >= roots_.size() || roots_[account] == none;
  }

  /// The node that this filter hangs on, made if need be.
  uint32_t make(AccountId account, std::string_view filter);

  /// The first of the chain of entries for this filter, which hangs on this node; none.
  uint32_t& entries(uint32_t node, std::string_view filter);

  /// Frees this node and those above it, as far as nothing hangs on them.
  void prune(AccountId account, uint32_t node);

  /// Appends the chains of all filters that match. Visits the nodes that some beginning of the
  /// subject reaches, each once. Returns whether the text of its last token mattered.
  bool collect(AccountId account, SubjectTokens& subject, std::vector<uint32_t>& chains);

  /// Lets go of what a walk needed beyond this.
  void release_scratch(size_t bytes_max) {
    if (branches_.capacity() * sizeof(Step) > bytes_max) std::vector<Step>().swap(branches_);
  }

  /// What the nodes of a filter take that shares none of them.
  static size_t path_bytes(std::string_view filter);

  size_t bytes() const;

 private:
  struct Node {
    uint32_t parent;
    uint32_t star = none;      // The child for any token.
    uint32_t here = none;      // Entries for the filter that is this path.
    uint32_t any = none;       // Entries for this path and `.*`.
    uint32_t below = none;     // Entries for this path and `.>`.
    uint32_t children = 0;     // Without the star child.
    uint32_t token_bytes = 0;  // The text follows.

    std::string_view token() const {
      return {reinterpret_cast<const char*>(this + 1), token_bytes};
    }
    bool bare() const {
      return star == none && here == none && any == none && below == none && children == 0;
    }
  };
  static_assert(sizeof(Node) == 28, "a token of 12 bytes makes 40");

  // Nodes of one depth that are looked at together: what each needs next is asked of memory before
  // any of it is waited for. Most subjects never reach more than two or three at once.
  static constexpr uint32_t front_nodes_max = 8;

  struct Step {
    uint32_t node;
    uint32_t depth;
  };

  Node& node(uint32_t number) const { return pool_.get<Node>(number); }
  uint32_t edge_hash(uint32_t parent, uint32_t token_hash) const {
    return static_cast<uint32_t>(hasher_.pair(parent, token_hash));
  }
  bool walk(Step from, SubjectTokens& subject, std::vector<uint32_t>& chains);
  void found(uint32_t chain, std::vector<uint32_t>& chains) const;
  bool is_child(uint32_t number, uint32_t parent, std::string_view token) const {
    const Node& candidate = node(number);
    return candidate.parent == parent && candidate.token() == token;
  }
  uint32_t child(uint32_t parent, std::string_view token, uint32_t edge) const;
  uint32_t add_node(uint32_t parent, std::string_view token);
  uint32_t make_child(uint32_t parent, std::string_view token);

  core::BlockPool& pool_;
  const core::Hasher& hasher_;
  core::HashIndex edges_;
  std::vector<uint32_t> roots_;  // By account.
  std::vector<Step> branches_;   // Not yet walked; fewer than there are nodes. Kept for its memory.
};

}  // namespace peal::server
