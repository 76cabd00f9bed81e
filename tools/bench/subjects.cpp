#include "tools/bench/subjects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace peal::bench {
namespace {

// So many pairs have channels of four digits, wherever between 1000 and 5999 the first is.
constexpr uint32_t four_digits_max = 4000;

}  // namespace

void write_leaf(char* out, uint32_t leaf) {
  for (size_t digit = leaf_digits; digit > 0; digit--) {
    out[digit - 1] = char('0' + leaf % 10);
    leaf /= 10;
  }
}

Subjects::Subjects(const Options& options)
    : options_(options),
      first_channel_(options.publishers <= four_digits_max ? options.first_channel : 100'000),
      leaf_count_(std::max(options.subjects, options.subscriptions)),
      leaves_(options.subjects > 1 || options.subscriptions > 1 || options.wildcard) {}

std::string Subjects::subject(uint32_t channel, uint32_t leaf) const {
  std::string name = fmt::format("{}.{}", options_.subject_prefix, first_channel_ + channel);
  if (!leaves_) return name;
  const size_t at = name.size() + 1;
  name.resize(at + leaf_digits, '.');
  write_leaf(name.data() + at, leaf);
  return name;
}

uint32_t Subjects::first_leaf(uint32_t subscriber) const {
  return uint32_t(uint64_t{subscriber} * options_.subscriptions % leaf_count_);
}

std::vector<std::string> Subjects::filters(uint32_t index) const {
  const uint32_t channel = options_.pairs ? index : 0;
  if (!leaves_) return {subject(channel, 0)};
  if (options_.subscriptions == 1) {
    return {fmt::format("{}.{}.*", options_.subject_prefix, first_channel_ + channel)};
  }
  std::vector<std::string> filters;
  const uint32_t first = options_.pairs ? 0 : first_leaf(index);
  for (uint32_t i = 0; i < options_.subscriptions; i++) {
    filters.push_back(subject(channel, (first + i) % leaf_count_));
  }
  return filters;
}

std::vector<uint32_t> Subjects::hearers() const {
  if (options_.subscriptions <= 1) return {};
  std::vector<uint32_t> hearers(options_.subjects);
  const uint32_t subscribers = options_.pairs ? 1 : options_.subscribers;
  for (uint32_t subscriber = 0; subscriber < subscribers; subscriber++) {
    const uint32_t first = options_.pairs ? 0 : first_leaf(subscriber);
    for (uint32_t i = 0; i < options_.subscriptions; i++) {
      const uint32_t leaf = (first + i) % leaf_count_;
      if (leaf < hearers.size()) hearers[leaf]++;
    }
  }
  // A group gets each message once, however many of its members listen.
  if (!options_.queue.empty()) {
    for (uint32_t& count : hearers) count = std::min(count, 1u);
  }
  return hearers;
}

LeafOrder::LeafOrder(const Options& options, uint32_t publisher) : leaves_(options.subjects) {
  core::Random random(options.seed * 1'000'003 + publisher);
  if (options.zipf > 0) draw(options.zipf, random);
  // A stride near the golden section of the whole, without a common divisor, visits each leaf once
  // a round and leaves neighbours far apart.
  stride_ = std::max(1u, uint32_t(double(leaves_) * 0.618));
  while (std::gcd(stride_, leaves_) != 1) stride_++;
  if (leaves_ == 1) stride_ = 0;
  at_ = random.below(leaves_);
}

// Drawn beforehand, for a draw is a search. A million draws repeat seldom enough. The popular ones
// are spread over the names.
void LeafOrder::draw(double skew, core::Random& random) {
  constexpr size_t draws = 1 << 20;
  std::vector<double> up_to(leaves_);
  double sum = 0;
  for (uint32_t rank = 0; rank < leaves_; rank++) {
    sum += std::pow(double(rank) + 1, -skew);
    up_to[rank] = sum;
  }
  std::vector<uint32_t> leaf_of_rank(leaves_);
  std::iota(leaf_of_rank.begin(), leaf_of_rank.end(), 0u);
  // The same for every publisher: the skew is the workload's, not each one's own.
  core::Random shuffle(leaves_);
  for (uint32_t i = leaves_; i > 1; i--) {
    std::swap(leaf_of_rank[i - 1], leaf_of_rank[shuffle.below(i)]);
  }
  drawn_.resize(draws);
  for (uint32_t& leaf : drawn_) {
    const double at = double(random.next() >> 11) * 0x1p-53 * sum;
    const auto rank = std::upper_bound(up_to.begin(), up_to.end(), at) - up_to.begin();
    leaf = leaf_of_rank[std::min(size_t(rank), leaf_of_rank.size() - 1)];
  }
}

}  // namespace peal::bench
