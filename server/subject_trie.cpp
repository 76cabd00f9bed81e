#include "server/subject_trie.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "protocol/subject.hpp"

namespace peal::server {

uint32_t SubjectTrie::make(AccountId account, std::string_view filter) {
  if (account >= roots_.size()) roots_.resize(size_t{account} + 1, none);
  if (roots_[account] == none) roots_[account] = add_node(none, {});
  uint32_t at = roots_[account];
  protocol::Tokens tokens(filter);
  for (std::string_view token; tokens.next(token);) {
    const bool last_wildcard = tokens.ended() && (token == "*" || token == ">");
    if (!last_wildcard) at = make_child(at, token);
  }
  return at;
}

uint32_t& SubjectTrie::entries(uint32_t number, std::string_view filter) {
  const std::string_view last = filter.substr(filter.rfind('.') + 1);  // All of it without a dot.
  if (last == ">") return node(number).below;
  return last == "*" ? node(number).any : node(number).here;
}

void SubjectTrie::prune(AccountId account, uint32_t number) {
  while (number != none && node(number).bare()) {
    const Node& bare = node(number);
    const uint32_t parent = bare.parent;
    if (parent == none) {
      assert(roots_[account] == number);
      roots_[account] = none;
    } else if (node(parent).star == number) {
      node(parent).star = none;
    } else {
      edges_.erase(edge_hash(parent, SubjectTokens::hash_of(hasher_, bare.token())), number);
      assert(node(parent).children > 0);
      node(parent).children--;
    }
    pool_.free(number);
    number = parent;
  }
}

bool SubjectTrie::collect(AccountId account, SubjectTokens& subject,
                          std::vector<uint32_t>& chains) {
  if (empty(account) || subject.size() == 0) return false;
  bool last_mattered = false;
  branches_.push_back({roots_[account], 0});
  while (!branches_.empty()) {
    const Step step = branches_.back();
    branches_.pop_back();
    last_mattered |= walk(step, subject, chains);
  }
  return last_mattered;
}

/// Goes down from one node, level by level and a few nodes abreast. A walk waits for memory and
/// little else (perf/interest_bench.cpp), and this makes it wait once where it would twice or
/// thrice. Nodes for which there is no room on the front are left to another walk. Returns whether
/// the last token was looked up.
bool SubjectTrie::walk(Step from, SubjectTokens& subject, std::vector<uint32_t>& chains) {
  struct Lookup {
    uint32_t parent, edge, candidate;
  };
  uint32_t front[front_nodes_max] = {from.node};
  uint32_t nodes = 1;
  Lookup lookups[front_nodes_max];
  bool last_mattered = false;
  for (uint32_t depth = from.depth; nodes > 0 && depth < subject.size(); depth++) {
    const bool last = depth + 1 == subject.size();
    uint32_t searches = 0, reached = 0;
    uint32_t next[front_nodes_max];
    const auto reach = [&](uint32_t number) {
      if (reached == front_nodes_max) return branches_.push_back({number, depth + 1});
      __builtin_prefetch(&node(number));
      next[reached++] = number;
    };
    for (uint32_t i = 0; i < nodes; i++) {
      const Node& here = node(front[i]);
      if (here.below != none) found(here.below, chains);
      if (last && here.any != none) found(here.any, chains);
      if (here.children > 0) {
        const uint32_t edge = edge_hash(front[i], subject.hash(depth));
        edges_.prefetch(edge);
        lookups[searches++] = {front[i], edge, none};
      }
      if (here.star != none) reach(here.star);
    }
    last_mattered |= last && searches > 0;
    for (uint32_t i = 0; i < searches; i++) {
      lookups[i].candidate = edges_.find(lookups[i].edge, [](uint32_t) { return true; });
      if (lookups[i].candidate != none) __builtin_prefetch(&node(lookups[i].candidate));
    }
    const std::string_view token = subject.text(depth);
    for (uint32_t i = 0; i < searches; i++) {
      const auto& [parent, edge, candidate] = lookups[i];
      if (candidate == none) continue;
      // The first with this hash is hardly ever another than the one.
      const uint32_t number =
          is_child(candidate, parent, token) ? candidate : child(parent, token, edge);
      if (number != none) reach(number);
    }
    nodes = reached;
    std::copy_n(next, reached, front);
    if (!last) continue;
    for (uint32_t i = 0; i < nodes; i++) {
      if (node(front[i]).here != none) found(node(front[i]).here, chains);
    }
  }
  return last_mattered;
}

void SubjectTrie::found(uint32_t chain, std::vector<uint32_t>& chains) const {
  __builtin_prefetch(pool_.at(chain));
  chains.push_back(chain);
}

size_t SubjectTrie::path_bytes(std::string_view filter) {
  return protocol::count_tokens(filter) * (sizeof(Node) + core::HashIndex::pair_bytes_about) +
         filter.size();
}

size_t SubjectTrie::bytes() const {
  return edges_.bytes() + roots_.capacity() * sizeof(uint32_t) +
         branches_.capacity() * sizeof(Step);
}

uint32_t SubjectTrie::child(uint32_t parent, std::string_view token, uint32_t edge) const {
  return edges_.find(edge, [&](uint32_t number) { return is_child(number, parent, token); });
}

uint32_t SubjectTrie::add_node(uint32_t parent, std::string_view token) {
  const uint32_t number = pool_.allocate(sizeof(Node) + token.size());
  Node* const added = new (pool_.at(number)) Node{.parent = parent};
  added->token_bytes = static_cast<uint32_t>(token.size());
  if (!token.empty()) std::memcpy(static_cast<void*>(added + 1), token.data(), token.size());
  return number;
}

uint32_t SubjectTrie::make_child(uint32_t parent, std::string_view token) {
  assert(!token.empty());
  if (token == "*") {
    if (node(parent).star == none) {
      const uint32_t star = add_node(parent, token);
      node(parent).star = star;
    }
    return node(parent).star;
  }
  const uint32_t edge = edge_hash(parent, SubjectTokens::hash_of(hasher_, token));
  uint32_t found = child(parent, token, edge);
  if (found == none) {
    found = add_node(parent, token);
    edges_.insert(edge, found);
    node(parent).children++;
  }
  return found;
}

}  // namespace peal::server
