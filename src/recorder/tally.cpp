#include "recorder/tally.h"

#include <algorithm>
#include <cstdlib>

namespace lestapenna::recorder {

namespace {

// As the timeline has it (source.cpp): a jump beyond this, 60 s, is a counter that began anew.
constexpr int kMaxJump = 3'000;
constexpr int kRecent = 64;

}  // namespace

void Tally::Stretch::begin(std::uint16_t seq) {
    last_seq = seq;
    length = 1;
    distinct = 1;
    recent = 1;
}

bool Tally::Stretch::take(std::uint16_t seq) {
    const int ahead = static_cast<std::int16_t>(static_cast<std::uint16_t>(seq - last_seq));
    if (std::abs(ahead) > kMaxJump) return false;
    if (ahead > 0) {
        recent = ahead < kRecent ? recent << ahead | 1U : 1U;
        last_seq = seq;
        length += static_cast<std::uint64_t>(ahead);
        ++distinct;
        return true;
    }
    // One that was overtaken fills its place, a copy fills none. Beyond the 64 it can not be told: no copy is that
    // late.
    const std::uint64_t bit = -ahead < kRecent ? std::uint64_t{1} << -ahead : 0;
    if ((recent & bit) != 0) return true;
    recent |= bit;
    length = std::max(length, static_cast<std::uint64_t>(-ahead) + 1);
    distinct = std::min(distinct + 1, length);
    return true;
}

void Tally::count(std::uint32_t ssrc, std::uint16_t seq, BootTime arrival,
                  std::optional<journal::ClosedReason> closed) {
    Source& source = sources_[ssrc];
    ++source.sum.packets;
    if (closed) ++source.sum.closed[static_cast<std::size_t>(*closed)];
    source.sum.last = std::max(source.sum.last.value_or(arrival), arrival);
    if (arrival < parted_) return;  // it had to wait, and belongs to what is summed up already
    if (source.stretch.length > 0 && source.stretch.take(seq)) return;
    source.sum.lost += source.stretch.lost();
    source.stretch.begin(seq);
}

void Tally::bind(std::uint32_t ssrc, UserId user) {
    Source& source = sources_[ssrc];
    if (source.user == user) return;
    if (source.user != UserId{}) {
        add(former_, source);
        source = {};
    }
    source.user = user;
}

void Tally::part(BootTime now) {
    parted_ = now;
    for (auto& [ssrc, source] : sources_) {
        source.sum.lost += source.stretch.lost();
        source.stretch = {};
    }
}

void Tally::add(std::map<UserId, Sum>& sums, const Source& source) {
    if (source.sum.packets == 0) return;
    Sum& sum = sums[source.user];
    sum.packets += source.sum.packets;
    sum.lost += source.sum.lost + source.stretch.lost();
    sum.last = std::max(sum.last, source.sum.last);
    for (std::size_t reason = 0; reason < sum.closed.size(); ++reason) sum.closed[reason] += source.sum.closed[reason];
}

std::map<UserId, Tally::Sum> Tally::sums() const {
    std::map<UserId, Sum> sums = former_;
    for (const auto& [ssrc, source] : sources_) add(sums, source);
    return sums;
}

}  // namespace lestapenna::recorder
