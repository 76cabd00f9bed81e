#include "server/subject_trie.hpp"

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
  for (std::string_view token; tokens.next(token) && token != ">";) at = make_child(at, token);
  return at;
}

uint32_t& SubjectTrie::entries(uint32_t number, std::string_view filter) {
  const bool open_end = filter.ends_with('>') && (filter.size() == 1 || filter.ends_with(".>"));
  return open_end ? node(number).below : node(number).here;
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
    nodes_--;
    number = parent;
  }
}

void SubjectTrie::collect(AccountId account, SubjectTokens& subject,
                          std::vector<uint32_t>& chains) {
  if (empty(account) || subject.size() == 0) return;
  const uint32_t tokens = subject.size();
  branches_.clear();
  branches_.push_back({roots_[account], 0});
  while (!branches_.empty()) {
    Step step = branches_.back();
    branches_.pop_back();
    while (step.node != none) {
      const Node& here = node(step.node);
      if (step.depth == tokens) {
        if (here.here != none) chains.push_back(here.here);
        break;
      }
      if (here.below != none) chains.push_back(here.below);
      uint32_t next = none;
      if (here.children > 0) {
        const uint32_t edge = edge_hash(step.node, subject.hash(step.depth));
        next = child(step.node, subject.text(step.depth), edge);
      }
      step.depth++;
      if (here.star != none) {
        if (next == none) {
          next = here.star;
        } else {
          __builtin_prefetch(&node(here.star));
          branches_.push_back({here.star, step.depth});
        }
      }
      step.node = next;
    }
  }
}

size_t SubjectTrie::bytes() const {
  return edges_.bytes() + roots_.capacity() * sizeof(uint32_t) +
         branches_.capacity() * sizeof(Step);
}

uint32_t SubjectTrie::child(uint32_t parent, std::string_view token, uint32_t edge) const {
  return edges_.find(edge, [&](uint32_t number) {
    const Node& candidate = node(number);
    return candidate.parent == parent && candidate.token() == token;
  });
}

uint32_t SubjectTrie::add_node(uint32_t parent, std::string_view token) {
  const uint32_t number = pool_.allocate(sizeof(Node) + token.size());
  Node* const added = new (pool_.at(number)) Node{.parent = parent};
  added->token_bytes = static_cast<uint32_t>(token.size());
  if (!token.empty()) std::memcpy(static_cast<void*>(added + 1), token.data(), token.size());
  nodes_++;
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
