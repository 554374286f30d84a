// Voices of ours in channels of one voice server of the sandbox, all on one loop: who joins, talks and leaves as told.
// What each one sent, and who of the others was in the group by then, is written down, so that "nobody lost anything"
// can be asked exactly. Thread: one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "discord/voice.h"
#include "net/loop.h"
#include "net/tls.h"
#include "sandbox/voice_server.h"

namespace lestapenna::test {

inline constexpr GuildId kCallGuild{41'771'983'423'143'937};
inline constexpr ChannelId kTavern{700'000'000'000'000'001};
inline constexpr ChannelId kCrypt{700'000'000'000'000'002};

class Call;

class Participant : public discord::Listener {
  public:
    Participant(Call& call, UserId user, discord::VoiceOptions options);
    ~Participant() override = default;

    void join(ChannelId channel) { voice_->join(channel); }
    void leave() { voice_->leave(); }
    /// One frame, which nobody else ever says. False when it may not.
    bool say();

    [[nodiscard]] discord::Voice& voice() { return *voice_; }
    [[nodiscard]] UserId user() const { return user_; }
    [[nodiscard]] std::uint32_t ssrc() const { return ssrc_; }
    [[nodiscard]] const discord::VoiceCounts& counts() const { return voice_->counts(); }
    [[nodiscard]] const discord::Encryption& encryption() const { return encryption_; }
    [[nodiscard]] std::size_t connections() const { return connections_; }
    [[nodiscard]] std::uint64_t closed(discord::Closed why) const {
        return counts().closed[static_cast<std::size_t>(why)];
    }
    /// How many different frames of `other` were heard, as its own: of those from its number `from` on.
    [[nodiscard]] std::size_t heard_of(const Participant& other, std::size_t from = 0) const;
    [[nodiscard]] std::size_t sent() const { return sent_; }

    bool talks = false;  ///< a frame every 20 ms, for as long
    std::vector<discord::CannotOpen> cannot_open;
    std::set<UserId> bound;  ///< ever
    std::size_t closed_packets = 0;

  private:
    friend class Call;
    void on_packet(const discord::VoicePacket& packet) noexcept override;
    void on_event(const discord::VoiceEvent& event) noexcept override;
    void ask(std::optional<ChannelId> to);

    Call& call_;
    UserId user_;
    std::unique_ptr<discord::Voice> voice_;
    std::uint32_t ssrc_ = 0;
    std::size_t connections_ = 0;
    std::uint32_t timestamp_ = 0;
    std::size_t sent_ = 0;
    int tickets_ = 0;
    discord::Encryption encryption_;
    std::map<std::uint32_t, UserId> bound_;
    std::map<std::uint32_t, std::vector<std::vector<std::uint8_t>>> early_;  // heard before its source had a name
    std::map<UserId, std::set<std::size_t>> heard_;
};

class Call {
  public:
    Call();
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    Participant& add(int number, int dave_version = 1);
    /// Runs the loop until `done`.
    [[nodiscard]] testing::AssertionResult until(const std::function<bool()>& done, seconds patience = seconds(30));
    /// Runs the loop that long, while people talk.
    void pass(nanoseconds time);
    /// Until all of them are in one group, nothing under way, each has told what it is, speaks with its key (who is
    /// told of a new epoch a moment later than a newcomer says a frame more with the key before, which that one can not
    /// open), and has media forwarded to it (which a newcomer has a quarter of a second after its key, at the latest).
    [[nodiscard]] testing::AssertionResult together(const std::vector<Participant*>& all, ChannelId channel = kTavern);
    /// They join, until they are together.
    [[nodiscard]] testing::AssertionResult meet(const std::vector<Participant*>& all);
    /// Everybody talks until all others have heard 10 frames more of it.
    [[nodiscard]] testing::AssertionResult all_hear_each_other(const std::vector<Participant*>& all);
    /// All that `speaker` has said, from its frame number `from` on. That must be where both are in one group, as the
    /// delivery service sees it, from the key of that frame on: from the last together() of both.
    [[nodiscard]] testing::AssertionResult heard_all(const Participant& listener, const Participant& speaker,
                                                     std::size_t from = 0);

    net::Loop loop;
    std::unique_ptr<sandbox::VoiceServer> server;
    [[nodiscard]] sandbox::Delivery& delivery(ChannelId channel = kTavern);
    [[nodiscard]] const net::Certificate& certificate() const { return certificate_; }

  private:
    [[nodiscard]] bool in_one_group(const std::vector<Participant*>& all, ChannelId channel);
    /// Until they have read all that the server has sent them so far.
    [[nodiscard]] testing::AssertionResult read_all(const std::vector<Participant*>& all);
    static net::Task<> talk(Call* call, std::shared_ptr<bool> alive);
    net::Certificate certificate_;
    std::vector<std::unique_ptr<Participant>> people_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lestapenna::test
