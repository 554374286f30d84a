#include "journal/record.h"

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

}  // namespace

BootTime time_of(const Record& record) {
    return std::visit(TimeOf{}, record);
}

}  // namespace lestapenna::journal
