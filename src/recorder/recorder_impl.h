// What the parts of the Recorder share (recorder_start.cpp, recorder.cpp, recorder_end.cpp): its state, and who does
// what to it. Thread: the loop's. Ownership: every coroutine of it holds a copy of the pointer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "recorder/capture.h"
#include "recorder/durable_lag.h"
#include "recorder/notice.h"
#include "recorder/on_disk.h"
#include "recorder/recorder.h"

namespace lestapenna::recorder {

using Started = Result<Ok, StartError>;
enum class State : std::uint8_t { idle, starting, recording, ending, over };

struct Recorder::Impl : std::enable_shared_from_this<Impl> {
    Impl(Tools with, Where at, journal::SessionHead as, std::optional<journal::Unfinished> left)
        : tools(std::move(with)),
          where(std::move(at)),
          head(std::move(as)),
          unfinished(std::move(left)),
          channel(where.voice_channel),
          changed(tools.loop),
          ending(tools.loop),
          over(tools.loop) {
        if (unfinished) known = unfinished->known;
    }

    net::Task<Started> open();
    net::Task<Started> announce();
    net::Task<Started> join();
    net::Task<> give_up();
    net::Task<Status> finish(EndCause why);
    net::Task<Status> end_on_disk(BootTime now);
    static net::Task<> tick(std::shared_ptr<Impl> self);
    static net::Task<> end_by_itself(std::shared_ptr<Impl> self, EndCause why);
    void on_voice(const discord::VoiceEvent& event);
    void end_soon(EndCause why);
    [[nodiscard]] const discord::Guilds::Guild* known_guild() const;
    void look_around();
    void look_for_people(nanoseconds passed);
    void name_track(UserId user);
    void note_place();
    void note_encryption();
    void cannot_open(const discord::CannotOpen& what);
    void abandon();
    void say(const Happening& what) const {
        if (tools.tell && !abandoned) tools.tell(what);
    }
    [[nodiscard]] SignTools sign_tools() const {
        return {tools.rest, tools.guilds, tools.blocking, tools.catalog, tools.self};
    }
    [[nodiscard]] OnDisk on_disk() const { return {tools.catalog, tools.committer, tools.journal_root, tools.journal}; }
    /// Of the session as a new one, but for what is known of its call.
    [[nodiscard]] catalog::Session row() const;
    [[nodiscard]] Report report() const;
    [[nodiscard]] std::vector<Heard> heard() const;

    Tools tools;
    Where where;
    journal::SessionHead head;
    std::optional<journal::Unfinished> unfinished;  ///< what we go on with
    ChannelId channel;                              ///< where we are: moderators move us

    State state = State::idle;
    EndCause cause = EndCause::stopped;
    bool joined = false;  ///< we were connected once
    bool looked = false;  ///< we know who was there when we came
    bool stop_asked = false;
    bool abandoned = false;               ///< the Recorder is gone: an end under way touches nothing any more
    std::optional<discord::Ended> ended;  ///< what Voice said
    std::set<UserId> known;               ///< whoever was ever there
    nanoseconds empty_for{0};
    std::map<std::uint16_t, std::uint64_t> voice_closes;
    std::map<std::pair<UserId, bool>, BootTime> closed_told;  ///< CannotOpen: of whom, and whether it was given up
    std::optional<catalog::Session> row_noted;                ///< what its row says of the call's encryption

    Sign sign;
    std::shared_ptr<OnDisk::Opened> opened;  ///< the loop's while it records, then the blocking thread's
    std::optional<Capture> capture;
    std::unique_ptr<discord::Voice> voice;
    DurableLag lag;
    Report last;  ///< once the writer is gone

    net::Signal changed;  ///< connected, or not to be
    net::Signal ending;
    net::Signal over;
    Status result = Ok{};
};

}  // namespace lestapenna::recorder
