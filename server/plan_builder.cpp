#include "server/plan_builder.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace peal::server {

// More than a plan of ten thousand needs. What is larger is given back, but only after so many
// smaller ones: a subject with a million subscribers must not map its pages anew for each message.
static constexpr size_t kept_bytes_max = 256 * 1024;
static constexpr uint32_t small_plans_before_release = 1024;

PlanBuilder::PlanBuilder(const core::BlockPool& pool, const core::Hasher& hasher, ShardId shards)
    : pool_(pool),
      hasher_(hasher),
      shards_wanted_((shards + 63u) / 64, 0),
      members_by_shard_(shards, 0) {}

void PlanBuilder::begin(std::string_view subject, const DeliveryFilter* filter) {
  subject_ = subject;
  filter_ = filter;
  subject_judged_ = false;
  const bool large = members_.size() * sizeof(Subscription*) > kept_bytes_max / 2;
  if (large) small_plans_ = 0;
  if (++small_plans_ == small_plans_before_release) {
    small_plans_ = 0;
    if (bytes() > kept_bytes_max) release();
  }
  plan_ = {};
  members_.clear();
  shards_.clear();
  group_entries_.clear();
  elsewhere_.clear();
  names_.clear();
  groups_.clear();
  queues_.clear();
}

void PlanBuilder::add_chain(uint32_t number) {
  for (; number != Entry::none; number = entry(number).next) {
    const Entry& added = entry(number);
    if (added.members.empty() && added.elsewhere.empty())
      continue;  // Only its end is yet to be told.
    if (added.in_queue_group) {
      group_entries_.push_back({hasher_(added.queue()), number});
      continue;
    }
    add_members(added);
    added.elsewhere.each_run(pool_, [&](std::span<const uint32_t> run) {
      for (const uint32_t word : run) {
        const ShardId shard = Elsewhere::shard(word);
        shards_wanted_[shard / 64] |= uint64_t{1} << shard % 64;
      }
      any_shard_ = true;
    });
  }
}

const Plan& PlanBuilder::finish(bool for_any_last_token) {
  const size_t plain = members_.size();
  if (any_shard_) list_shards();
  if (!group_entries_.empty()) join_groups();

  // Nothing grows any more, so now there is something to point at.
  plan_.for_any_last_token = for_any_last_token && !subject_judged_;
  plan_.plain = {members_.data(), plain};
  plan_.shards = shards_;
  for (const Group& group : groups_) {
    queues_.push_back({std::string_view(names_).substr(group.name_at, group.name_bytes),
                       std::span(members_).subspan(group.here_at, group.here),
                       std::span(elsewhere_).subspan(group.elsewhere_at, group.elsewhere),
                       group.members_elsewhere});
  }
  plan_.queues = queues_;
  return plan_;
}

void PlanBuilder::add_members(const Entry& from) {
  size_t at = members_.size();
  members_.resize(at + from.members.size());
  from.members.each_run(pool_, [&](std::span<const uint32_t> run) {
    for (const uint32_t id : run) members_[at++] = &pool_.get<Subscription>(id);
  });
  if (filter_ == nullptr) return;
  const auto denied = [&](const Subscription* member) {
    if (!member->filtered) return false;
    subject_judged_ = true;
    return !filter_->permits(filter_->context, *member, subject_, from.queue());
  };
  const auto first = members_.end() - from.members.size();
  members_.erase(std::remove_if(first, members_.end(), denied), members_.end());
}

void PlanBuilder::list_shards() {
  for (size_t at = 0; at < shards_wanted_.size(); at++) {
    for (uint64_t& bits = shards_wanted_[at]; bits != 0; bits &= bits - 1) {
      shards_.push_back(
          static_cast<ShardId>(at * 64 + static_cast<size_t>(std::countr_zero(bits))));
    }
  }
  any_shard_ = false;
}

void PlanBuilder::join_groups() {
  const auto name = [this](const GroupEntry& of) { return entry(of.entry).queue(); };
  if (group_entries_.size() > 1) {
    std::sort(group_entries_.begin(), group_entries_.end(),
              [&](const GroupEntry& one, const GroupEntry& other) {
                if (one.name_hash != other.name_hash) return one.name_hash < other.name_hash;
                return name(one) < name(other);
              });
  }
  for (size_t at = 0; at < group_entries_.size();) {
    const std::string_view its_name = name(group_entries_[at]);
    Group group{names_.size(), its_name.size(), members_.size(), 0, elsewhere_.size(), 0, 0};
    names_.append(its_name);
    do {
      join(entry(group_entries_[at].entry));
    } while (++at < group_entries_.size() && name(group_entries_[at]) == its_name);
    close_group(group);
    groups_.push_back(group);
  }
}

void PlanBuilder::join(const Entry& joined) {
  add_members(joined);
  joined.elsewhere.each_run(pool_, [&](std::span<const uint32_t> run) {
    for (const uint32_t word : run) {
      uint32_t& members = members_by_shard_[Elsewhere::shard(word)];
      if (members == 0) shards_of_group_.push_back(Elsewhere::shard(word));
      members += Elsewhere::members(word);
    }
  });
}

void PlanBuilder::close_group(Group& group) {
  group.here = members_.size() - group.here_at;
  std::sort(shards_of_group_.begin(), shards_of_group_.end());
  for (const ShardId shard : shards_of_group_) {
    elsewhere_.push_back({shard, members_by_shard_[shard]});
    group.members_elsewhere += members_by_shard_[shard];
    members_by_shard_[shard] = 0;
  }
  group.elsewhere = shards_of_group_.size();
  shards_of_group_.clear();
}

size_t PlanBuilder::bytes() const {
  return members_.capacity() * sizeof(Subscription*) + shards_wanted_.capacity() * 8 +
         (shards_.capacity() + shards_of_group_.capacity()) * sizeof(ShardId) +
         group_entries_.capacity() * sizeof(GroupEntry) + members_by_shard_.capacity() * 4 +
         elsewhere_.capacity() * sizeof(QueuePlan::Elsewhere) + names_.capacity() +
         groups_.capacity() * sizeof(Group) + queues_.capacity() * sizeof(QueuePlan);
}

void PlanBuilder::release() {
  const auto empty = [](auto&... kept) {
    (std::remove_reference_t<decltype(kept)>().swap(kept), ...);
  };
  empty(members_, group_entries_, elsewhere_, names_, groups_, queues_);
}

}  // namespace peal::server
