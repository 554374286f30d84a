#include "discord/parking.h"

#include <algorithm>
#include <utility>

namespace lestapenna::discord {

bool Parking::park(const rtp::Header& header, BootTime arrival, std::span<const std::uint8_t> bytes, Closed why) {
    const std::size_t room = most_ - std::min(most_, size());
    if (size(header.ssrc) >= std::min(kMostOfOneSource, room)) return false;
    Queue* const queue = find_or_add(header.ssrc);
    if (queue == nullptr) return false;
    if (first_free_ == kNone) {
        slots_.emplace_back();
        first_free_ = slots_.size() - 1;
        ++free_count_;
    }
    const Place place = first_free_;
    Slot& slot = slots_[place];
    first_free_ = slot.next;
    --free_count_;
    slot.frame.header = header;
    slot.frame.arrival = arrival;
    slot.frame.why = why;
    constexpr std::size_t kStep = 256;  // frames of one talk differ by some bytes: no reason to move
    if (slot.frame.bytes.capacity() < bytes.size()) slot.frame.bytes.reserve((bytes.size() / kStep + 1) * kStep);
    slot.frame.bytes.assign(bytes.begin(), bytes.end());
    append(*queue, place);
    return true;
}

const Parking::Queue* Parking::find(std::uint32_t ssrc) const {
    const auto found = std::find_if(queues_.begin(), queues_.end(),
                                    [ssrc](const Queue& queue) { return queue.ssrc == ssrc && queue.count > 0; });
    return found == queues_.end() ? nullptr : &*found;
}

Parking::Queue* Parking::find(std::uint32_t ssrc) {
    return const_cast<Queue*>(std::as_const(*this).find(ssrc));
}

Parking::Queue* Parking::find_or_add(std::uint32_t ssrc) {
    if (Queue* const found = find(ssrc)) return found;
    auto empty = std::find_if(queues_.begin(), queues_.end(), [](const Queue& queue) { return queue.count == 0; });
    if (empty == queues_.end()) {
        if (queues_.size() == kMostSources) return nullptr;
        empty = queues_.emplace(queues_.end());
    }
    empty->ssrc = ssrc;
    return &*empty;
}

void Parking::append(Queue& queue, Place place) {
    slots_[place].next = kNone;
    if (queue.count++ == 0) {
        queue.first = place;
    } else {
        slots_[queue.last].next = place;
    }
    queue.last = place;
}

std::size_t Parking::size(std::uint32_t ssrc) const {
    const Queue* const queue = find(ssrc);
    return queue == nullptr ? 0 : queue->count;
}

std::optional<std::uint32_t> Parking::source(std::size_t n) const {
    return queues_[n].count > 0 ? std::optional(queues_[n].ssrc) : std::nullopt;
}

const ParkedFrame* Parking::oldest(std::uint32_t ssrc) const {
    const Queue* const queue = find(ssrc);
    return queue == nullptr ? nullptr : &slots_[queue->first].frame;
}

const ParkedFrame* Parking::newest(std::uint32_t ssrc) const {
    const Queue* const queue = find(ssrc);
    return queue == nullptr ? nullptr : &slots_[queue->last].frame;
}

std::optional<Parking::Place> Parking::take(std::uint32_t ssrc) {
    Queue* const queue = find(ssrc);
    if (queue == nullptr) return std::nullopt;
    const Place place = queue->first;
    queue->first = slots_[place].next;
    --queue->count;
    return place;
}

void Parking::put_back(Place place) {
    Queue* const queue = find_or_add(slots_[place].frame.header.ssrc);
    if (queue == nullptr) return free(place);  // others came meanwhile
    append(*queue, place);
}

void Parking::free(Place place) {
    slots_[place].next = std::exchange(first_free_, place);
    ++free_count_;
}

}  // namespace lestapenna::discord
