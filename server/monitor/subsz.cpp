// /subsz: the subscriptions of the whole server.

#include <fmt/format.h>

#include <algorithm>

#include "protocol/subject.hpp"
#include "protocol/utf8.hpp"
#include "server/monitor/endpoints.hpp"
#include "server/monitor/match_statistics.hpp"

namespace peal::server::monitor {
namespace {

using protocol::JsonWriter;

// What one answer may list. A picture of more is taken by offset and limit.
constexpr size_t listed_max = 200'000;

}  // namespace

void write_match_statistics(JsonWriter& json, const Counters& counters) {
  write_match_statistics(json, counters, counters.sum(&ShardPicture::subscriptions));
}

void write_match_statistics(JsonWriter& json, const Counters& counters, uint64_t subscriptions) {
  const uint64_t made = counters.sum(&ShardStats::subscriptions_total);
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t cached = 0;
  for (const ShardPicture& shard : counters.shards) {
    hits += shard.cache.hits;
    misses += shard.cache.misses;
    cached += shard.cache.insertions - std::min(shard.cache.insertions, shard.cache.invalidations);
  }
  const uint64_t matches = hits + misses;
  json.key("num_subscriptions").value(subscriptions);
  json.key("num_cache").value(cached);
  json.key("num_inserts").value(made);
  json.key("num_removes").value(made - std::min(made, subscriptions));
  json.key("num_matches").value(matches);
  json.key("cache_hit_rate")
      .value(matches == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(matches));
  // The cache keeps plans, not how many each reaches, and nobody is to pay for counting that.
  json.key("max_fanout").value(0);
  json.key("avg_fanout").value(0.0);
}

Response subsz(Context& context, Query& query) {
  const bool listed = query.boolean("subs");
  const Page page = Page::of(query);
  const std::string subject(query.text("test"));
  const std::string account(query.text("acc"));
  if (!subject.empty() && !protocol::is_valid_literal(subject)) {
    query.fail(fmt::format("invalid test subject, must be valid publish subject: {}", subject));
  }
  if (!query.error().empty()) return {};

  const Counters* const counters = context.collector.counters();
  if (counters == nullptr) return no_answer();
  uint64_t in_force = counters->sum(&ShardPicture::subscriptions);
  if (!account.empty()) {
    const SubscriptionList* const all = context.collector.subscriptions({.account = account});
    if (all == nullptr) return no_answer();
    in_force = all->total;
  }
  const SubscriptionList none;
  const SubscriptionList* found = &none;
  if (listed) {
    const size_t limit = std::min(listed_max, static_cast<size_t>(page.limit));
    found = context.collector.subscriptions(
        {subject, account, static_cast<size_t>(page.offset), limit});
    if (found == nullptr) return no_answer();
    context.follow_settings();  // A shard may have taken up accounts that were not there yet.
  }

  JsonWriter json = begin_answer(context);
  write_match_statistics(json, *counters, in_force);
  json.key("total").value(found->total);
  json.key("offset").value(page.offset);
  json.key("limit").value(page.limit);
  if (!found->rows.empty()) {
    json.key("subscriptions_list").begin_array();
    for (const SubscriptionPicture& each : found->rows) {
      const std::string& owner = context.security().account(each.account)->name;
      json.begin_object();
      json.key("account").value(owner).key("account_tag").value(owner);
      json.key("subject").value(protocol::utf8_text(each.subject));
      if (!each.queue.empty()) json.key("qgroup").value(protocol::utf8_text(each.queue));
      json.key("sid").value(protocol::utf8_text(each.sid));
      json.key("msgs").value(each.messages);
      if (each.messages_max != 0) json.key("max").value(each.messages_max);
      json.key("cid").value(each.cid);
      json.end_object();
    }
    json.end_array();
  }
  return end_answer(json);
}

}  // namespace peal::server::monitor
