#include "dave/sender.h"

#include <array>
#include <cstdlib>
#include <optional>

#include "dave/frame.h"
#include "dave/gcm.h"

namespace lestapenna::dave {

struct Sender::Impl {
    Ratchet ratchet;
    std::uint64_t sent = 0;  // its low 32 bits are the nonce, what is above the first 24 is the generation
    std::optional<Gcm> gcm;  // of the generation before ratchet.generation()

    explicit Impl(mls::Secret base) : ratchet(std::move(base)) { next_generation(); }

    void next_generation() {
        const auto key = ratchet.key(ratchet.generation());
        if (!key) std::abort();  // a ratchet always has its next one
        gcm.emplace(*key, Gcm::Use::seal);
    }
};

Sender::Sender(BaseSecret own) : impl_(std::make_unique<Impl>(std::move(own.secret))) {}
Sender::~Sender() = default;
Sender::Sender(Sender&&) noexcept = default;
Sender& Sender::operator=(Sender&&) noexcept = default;

void Sender::seal(std::span<const std::uint8_t> opus, std::vector<std::uint8_t>& to) {
    const std::size_t before = to.size();
    if (is_silence(opus)) {
        to.insert(to.end(), opus.begin(), opus.end());
        return;
    }
    const std::uint64_t count = ++impl_->sent;
    if (count >> kGenerationShift == impl_->ratchet.generation()) impl_->next_generation();
    const auto nonce = static_cast<std::uint32_t>(count);
    to.reserve(before + opus.size() + kMostSupplement);
    to.resize(before + opus.size());
    std::array<std::uint8_t, kTagBytes> tag{};
    impl_->gcm->seal(nonce, opus, to.data() + before, tag);
    append_supplement(to, tag, nonce);
}

}  // namespace lestapenna::dave
