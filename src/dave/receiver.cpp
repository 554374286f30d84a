#include "dave/receiver.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "dave/frame.h"
#include "dave/gcm.h"
#include "dave/replay.h"

namespace lestapenna::dave {
namespace {

struct Generation {
    std::uint32_t number = 0;
    Gcm gcm;
    BootTime expires = BootTime::max();
};

enum class Try : std::uint8_t { opened, replayed, does_not_open };

/// A window for each SSRC, the one heard last first.
class Windows {
  public:
    ReplayWindow& of(std::uint32_t ssrc) {
        auto found = std::ranges::find(all_, ssrc, &Window::ssrc);
        if (found == all_.end()) {
            if (all_.size() < kMostSsrcs && all_.front().ssrc) all_.emplace_back();
            found = std::prev(all_.end());
            *found = {.ssrc = ssrc};
        }
        if (found != all_.begin()) std::rotate(all_.begin(), found, std::next(found));
        return all_.front().opened;
    }

  private:
    struct Window {
        std::optional<std::uint32_t> ssrc;
        ReplayWindow opened{};
    };
    std::vector<Window> all_ = std::vector<Window>(1);  // the first frame allocates nothing
};

/// One sender's keys of one epoch.
class SenderEpoch {
  public:
    SenderEpoch(mls::Secret base, BootTime since) : ratchet_(std::move(base)), since_(since) {
        generations_.push_back({.number = 0, .gcm = Gcm(*ratchet_.key(0), Gcm::Use::open)});
    }

    [[nodiscard]] BootTime expires() const { return expires_; }
    void expire_at(BootTime when) { expires_ = std::min(expires_, when); }
    void drop_generations(BootTime oldest) {
        std::erase_if(generations_, [oldest](const Generation& old) { return old.expires <= oldest; });
    }

    /// Marks nothing.
    bool opens(const Frame& frame, BootTime arrival, std::uint8_t* text) {
        Generation* const known = find(generation_of(frame));
        return known != nullptr && arrival < known->expires && known->gcm.open(frame, text);
    }

    Try open(const Frame& frame, std::uint32_t ssrc, BootTime arrival, std::uint8_t* text) {
        const std::uint32_t generation = generation_of(frame);
        const bool opened =
            find(generation) != nullptr ? opens(frame, arrival, text) : open_newer(generation, frame, arrival, text);
        if (!opened) return Try::does_not_open;
        const std::uint64_t nonce =
            static_cast<std::uint64_t>(generation) << kGenerationShift | (frame.nonce & ((1U << kGenerationShift) - 1));
        // Asked last: nonces start anew in each epoch, so that only what is genuine is a replay.
        ReplayWindow& window = windows_.of(ssrc);
        if (!window.fresh(nonce)) return Try::replayed;
        window.take(nonce);
        return Try::opened;
    }

  private:
    [[nodiscard]] std::uint32_t generation_of(const Frame& frame) const {
        return widen_generation(generations_.front().number, static_cast<std::uint8_t>(frame.nonce >> 24));
    }
    Generation* find(std::uint32_t number) {
        const auto found = std::ranges::find(generations_, number, &Generation::number);
        return found == generations_.end() ? nullptr : &*found;
    }

    /// Of a key that has not been used yet: it is derived, and kept when it opens this frame.
    bool open_newer(std::uint32_t generation, const Frame& frame, BootTime arrival, std::uint8_t* text) {
        const std::uint64_t age_s =
            arrival <= since_ ? 0 : static_cast<std::uint64_t>(std::chrono::floor<seconds>(arrival - since_).count());
        if (generation > (kMostFramesPerSecond * age_s) >> kGenerationShift ||
            generation > generations_.back().number + kMostGenerationsAhead) {
            return false;
        }
        Ratchet ahead = ratchet_;
        const auto key = ahead.key(generation);
        if (!key) return false;
        Gcm gcm(*key, Gcm::Use::open);
        if (!gcm.open(frame, text)) return false;
        ratchet_ = std::move(ahead);
        for (Generation& older : generations_) older.expires = std::min(older.expires, arrival + kOverlap);
        generations_.push_back({.number = generation, .gcm = std::move(gcm)});
        return true;
    }

    Ratchet ratchet_;
    BootTime since_;
    BootTime expires_ = BootTime::max();
    std::vector<Generation> generations_;  // ascending; the last one never expires by itself
    Windows windows_;
};

}  // namespace

struct Receiver::Impl {
    std::map<UserId, std::vector<SenderEpoch>> users;  // newest last, and never none
    bool outside = true;                               ///< of any group
    BootTime joined;  ///< when the first of the epochs began that have come without a break
    BootTime clear_until = BootTime::min();
    std::array<std::uint8_t, kMostMediaBytes> text{};
};

Receiver::Receiver() : impl_(std::make_unique<Impl>()) {}
Receiver::~Receiver() = default;
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;

void Receiver::begin_epoch(std::vector<BaseSecret> keys, BootTime now) {
    if (std::exchange(impl_->outside, keys.empty())) impl_->joined = now;
    for (auto& [user, epochs] : impl_->users) {
        for (SenderEpoch& epoch : epochs) epoch.expire_at(now + kOverlap);
    }
    for (BaseSecret& key : keys) {
        std::vector<SenderEpoch>& epochs = impl_->users[key.user];
        if (epochs.size() == kMostEpochs) epochs.erase(epochs.begin());
        epochs.emplace_back(std::move(key.secret), now);
    }
}

void Receiver::pass_clear_until(BootTime until) {
    impl_->clear_until = until;
}

Opened Receiver::open(UserId user, std::uint32_t ssrc, std::span<const std::uint8_t> frame, BootTime arrival) {
    if (is_silence(frame)) return {Opening::clear, frame};
    const auto parsed = parse_frame(frame);
    // Opus may end like a DAVE frame by chance: where there is no key at all it is none.
    if (!parsed || (impl_->users.empty() && impl_->clear_until == BootTime::max())) {
        return arrival < impl_->clear_until ? Opened{Opening::clear, frame} : Opened{Opening::plain, {}};
    }
    if (parsed->media.size() > impl_->text.size()) return {Opening::too_large, {}};
    const auto found = impl_->users.find(user);
    if (found == impl_->users.end()) return {Opening::no_key, {}};
    Opened result{Opening::no_key, {}};
    for (auto epoch = found->second.rbegin(); epoch != found->second.rend(); ++epoch) {
        if (epoch->expires() <= arrival) continue;
        switch (epoch->open(*parsed, ssrc, arrival, impl_->text.data())) {
            case Try::opened:
                return {Opening::opened, std::span(impl_->text).first(parsed->media.size())};
            case Try::replayed:
                return {Opening::replayed, {}};
            case Try::does_not_open:
                if (arrival >= impl_->joined + kOverlap) result.what = Opening::forged;
        }
    }
    return result;
}

void Receiver::expire(BootTime oldest) {
    for (auto user = impl_->users.begin(); user != impl_->users.end();) {
        std::vector<SenderEpoch>& epochs = user->second;
        std::erase_if(epochs, [oldest](const SenderEpoch& epoch) { return epoch.expires() <= oldest; });
        for (SenderEpoch& epoch : epochs) epoch.drop_generations(oldest);
        user = epochs.empty() ? impl_->users.erase(user) : std::next(user);
    }
}

bool Receiver::knows(UserId user) const {
    return impl_->users.contains(user);
}

std::optional<UserId> Receiver::whose_key_opens(std::span<const std::uint8_t> frame, BootTime arrival) {
    const auto parsed = parse_frame(frame);
    if (!parsed || parsed->media.size() > impl_->text.size()) return std::nullopt;
    for (auto& [user, epochs] : impl_->users) {
        for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
            if (arrival < epoch->expires() && epoch->opens(*parsed, arrival, impl_->text.data())) return user;
        }
    }
    return std::nullopt;
}

}  // namespace lestapenna::dave
