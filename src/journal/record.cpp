#include "journal/record.h"

#include <array>

namespace lestapenna::journal {

namespace {

struct TimeOf {
    BootTime operator()(const Packet& packet) const { return packet.arrival; }
    BootTime operator()(const Gap& gap) const { return gap.to; }
    template <class Event>
    BootTime operator()(const Event& event) const {
        return event.at;
    }
};

constexpr std::array<std::string_view, kClosedReasons> kReasons{"unknown", "no_user", "no_key",
                                                                "forged",  "plain",   "overflow"};

}  // namespace

std::string_view to_text(ClosedReason reason) {
    return kReasons.at(static_cast<std::size_t>(reason));
}

BootTime time_of(const Record& record) {
    return std::visit(TimeOf{}, record);
}

}  // namespace lestapenna::journal
