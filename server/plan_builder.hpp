#pragma once
// From entries that match to a plan: collects members, names each shard once, and joins queue
// groups of one name over all filters. What it builds in is kept from plan to plan, within a bound.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/block_pool.hpp"
#include "core/hash.hpp"
#include "server/interest_entry.hpp"
#include "server/plan.hpp"

namespace peal::server {

/// Asks, when a plan is made, whether the owner of a filtered subscription may get what is
/// published on a subject.
struct DeliveryFilter {
  const void* context = nullptr;
  bool (*permits)(const void* context, const Subscription& subscription, std::string_view subject,
                  std::string_view queue) = nullptr;
};

class PlanBuilder {
 public:
  PlanBuilder(const core::BlockPool& pool, const core::Hasher& hasher, ShardId shards);

  /// `filter`, where it is given, is asked about each filtered subscription.
  void begin(std::string_view subject, const DeliveryFilter* filter);

  /// All entries of one filter, from the first of their chain.
  void add_chain(uint32_t first);

  /// Lives until begin(). Costs a few steps for each member, and sorts the group entries.
  const Plan& finish(bool for_any_last_token);

  size_t bytes() const;

 private:
  struct GroupEntry {
    uint64_t name_hash;  // First, for sorting: equal names come together.
    uint32_t entry;
  };
  struct Group {
    size_t name_at, name_bytes;
    size_t here_at, here;
    size_t elsewhere_at, elsewhere;
    uint32_t members_elsewhere;
  };

  const Entry& entry(uint32_t number) const { return pool_.get<Entry>(number); }
  void add_members(const Entry& entry);
  void list_shards();
  void join_groups();
  void join(const Entry& entry);
  void close_group(Group& group);
  void release();

  const core::BlockPool& pool_;
  const core::Hasher& hasher_;
  std::string_view subject_;
  const DeliveryFilter* filter_ = nullptr;
  bool subject_judged_ = false;  // The filter was asked, and may say otherwise of another subject.

  Plan plan_;
  std::vector<Subscription*> members_;   // The plain ones, then group by group.
  std::vector<uint64_t> shards_wanted_;  // One bit for each shard.
  bool any_shard_ = false;
  std::vector<ShardId> shards_;
  std::vector<GroupEntry> group_entries_;
  std::vector<uint32_t> members_by_shard_;  // Of the group that is being joined.
  std::vector<ShardId> shards_of_group_;
  std::vector<QueuePlan::Elsewhere> elsewhere_;
  std::string names_;
  std::vector<Group> groups_;
  std::vector<QueuePlan> queues_;
  uint32_t small_plans_ = 0;  // Since the last that needed more than the bound.
};

}  // namespace peal::server
