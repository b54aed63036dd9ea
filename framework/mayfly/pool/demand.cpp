#include "mayfly/pool/demand.h"

#include <algorithm>

namespace mayfly {
namespace {

constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::milliseconds kLongestPause{30'000};
/// Against a demand that grows beyond all measure; stock() knows the true limit.
constexpr unsigned kMost = 1'024;

}  // namespace

void PoolDemand::asked(Time now, bool served, unsigned in_use) {
  last_ = now;
  most_in_use_ = std::max(most_in_use_, in_use + 1);
  if (wanted_ == 0) {
    wanted_ = 1;
  } else if (!served) {
    wanted_ = std::min(wanted_ * 2, kMost);
  }
}

void PoolDemand::failed(Time now) {
  std::chrono::milliseconds pause = kFirstPause;
  for (unsigned i = 0; i < failures_ && pause < kLongestPause; ++i) {
    pause *= 2;
  }
  ++failures_;
  not_before_ = now + std::min(pause, kLongestPause);
}

unsigned PoolDemand::stock(Headroom headroom, unsigned processors, Time now) const {
  if (headroom == Headroom::none || now < not_before_ || forgotten(now)) {
    return 0;
  }
  const unsigned most = headroom == Headroom::little ? 1 : std::max(2 * processors, most_in_use_);
  return std::min(wanted_, most);
}

}  // namespace mayfly
