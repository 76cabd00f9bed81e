#include "server/monitor/top_subjects.hpp"

#include <algorithm>

namespace peal::server::monitor {
namespace {

constexpr int64_t look_every_ns = 500'000'000;
// Of what is known from before, at each look: it takes some looks to see a busy connection's
// subjects.
constexpr double kept_part = 0.8;
constexpr double rate_min = 0.1;
// What lies longer ago than this says nothing of now.
constexpr int64_t too_old_ns = 10'000'000'000;

}  // namespace

void TopSubjects::sample(const std::vector<ConnectionPicture>& connections, int64_t now_ns) {
  const int64_t passed_ns = now_ns - at_ns_;
  if (passed_ns < look_every_ns) return;
  const bool comparable = at_ns_ != 0 && passed_ns < too_old_ns;
  at_ns_ = now_ns;
  std::unordered_map<uint64_t, uint64_t> now;
  now.reserve(connections.size());
  if (!comparable) rates_.clear();
  weight_ = comparable ? weight_ * kept_part + (1 - kept_part) : 0;
  for (auto& [subject, rate] : rates_) rate *= kept_part;
  for (const ConnectionPicture& connection : connections) {
    now.emplace(connection.cid, connection.in_messages);
    const auto before = messages_.find(connection.cid);
    if (!comparable || before == messages_.end() || connection.last_subject.empty()) continue;
    const uint64_t more = connection.in_messages - before->second;
    if (more == 0) continue;
    rates_[connection.last_subject] +=
        (1 - kept_part) * static_cast<double>(more) * 1e9 / static_cast<double>(passed_ns);
  }
  messages_ = std::move(now);
  std::erase_if(rates_, [](const auto& each) { return each.second < rate_min; });
  if (rates_.size() > subjects_max) forget_least();
}

void TopSubjects::forget_least() {
  auto kept = top(subjects_max / 2);
  rates_.clear();
  for (auto& [subject, rate] : kept) rates_.emplace(std::move(subject), rate * weight_);
}

std::vector<std::pair<std::string, double>> TopSubjects::top(size_t count) const {
  std::vector<std::pair<std::string, double>> all(rates_.begin(), rates_.end());
  count = std::min(count, all.size());
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(all.begin(), middle, all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.resize(count);
  for (auto& [subject, rate] : all) rate /= weight_;
  return all;
}

}  // namespace peal::server::monitor
