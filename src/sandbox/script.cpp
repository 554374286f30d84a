#include "sandbox/script.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "sandbox/parallel.h"
#include "sandbox/random.h"
#include "sandbox/speech.h"

namespace lestapenna::sandbox {
namespace {

constexpr std::int64_t kFade = 240;    ///< 5 ms
constexpr std::int64_t kWindow = 480;  ///< 10 ms: what counts as a quiet place

Samples samples_of(double s) {
    return Samples(std::llround(s * kSampleRate));
}
double seconds_of(Samples samples) {
    return static_cast<double>(samples.count()) / kSampleRate;
}

/// Linear fades of 5 ms at both ends, so that a cut never clicks.
void fade_ends(std::vector<float>& pcm) {
    const auto count = std::min<std::size_t>(kFade, pcm.size() / 2);
    for (std::size_t i = 0; i < count; ++i) {
        const float gain = static_cast<float>(i) / static_cast<float>(count);
        pcm[i] *= gain;
        pcm[pcm.size() - 1 - i] *= gain;
    }
}

/// Middle of the quietest 10 ms between two positions of `pcm`.
std::size_t quietest(std::span<const float> pcm, std::size_t from, std::size_t until) {
    until = std::min(until, pcm.size() - kWindow);
    std::size_t best = std::min(from, until);
    double least = HUGE_VAL;
    for (std::size_t at = best; at <= until; at += kWindow / 2) {
        double energy = 0;
        for (const float sample : pcm.subspan(at, kWindow)) energy += static_cast<double>(sample) * sample;
        if (energy < least) least = energy, best = at;
    }
    return best + kWindow / 2;
}

// ---- cut from recordings

/// The next talk run of a voice: 1.5 to 6 s (uniform), its end moved by up to 0.4 s to where it is quiet.
std::vector<float> next_run(std::span<const float> voice, std::size_t& cursor, Random& random) {
    constexpr std::size_t kSlack = 19'200;  // 0.4 s: shorter, and one cut in ten was within a syllable
    const auto wanted = static_cast<std::size_t>(samples_of(random.between(1.5, 6)).count());
    if (cursor + wanted + 3 * kSlack > voice.size()) cursor = 0;
    const std::size_t from = quietest(voice, cursor, cursor + 2 * kSlack);
    const std::size_t until = quietest(voice, from + wanted - kSlack, from + wanted + kSlack);
    cursor = until;
    std::vector<float> pcm(voice.begin() + static_cast<std::ptrdiff_t>(from),
                           voice.begin() + static_cast<std::ptrdiff_t>(until));
    fade_ends(pcm);
    return pcm;
}

Player cut_player(std::span<const float> voice, std::size_t index, const CutTable& options) {
    Random random(options.seed, index);
    Player player{.user = player_id(index), .join = {}, .leave = SamplePos(options.length), .talks = {}};
    const double late = random.unit() * seconds_of(options.join_spread);
    if (index > 0) player.join = floor_ms(SamplePos(samples_of(late)));

    // Speech takes 3.75 s in the mean, so gaps of this mean give the share asked for; kLeastPause of it is fixed.
    const double mean_gap = 3.75 * (1 - options.share) / options.share;
    const double mean_free = std::max(0.0, mean_gap - seconds_of(kLeastPause));
    std::size_t cursor = random.below(voice.size() / 2);
    SamplePos at = player.join + samples_of(random.unit() * mean_gap);
    for (;;) {
        std::vector<float> pcm = next_run(voice, cursor, random);
        const SamplePos end = at + Samples(std::ssize(pcm));
        if (end + kLeastPause > player.leave) return player;
        player.talks.push_back({at, std::move(pcm)});
        at = end + kLeastPause + samples_of(random.exponential(mean_free));
    }
}

// ---- spoken

/// One voice's lines, made when first wanted.
class Speaker {
  public:
    Speaker(std::string program, std::size_t player, double gain)
        : program_(std::move(program)), voice_(voice_of(player)), gain_(static_cast<float>(gain)) {}

    Result<std::vector<float>> say(std::size_t line) {
        if (const auto known = said_.find(line); known != said_.end()) return known->second;
        const std::string_view text = table_lines()[line];
        std::optional<std::vector<float>> pcm;
        if (spoken_) {
            auto spoken = speak(program_, voice_, text);
            if (!spoken) return spoken.error();
            pcm = std::move(*spoken);
            spoken_ = pcm.has_value();
        }
        if (!pcm) pcm = buzz(voice_, text);
        trim(*pcm);
        for (float& sample : *pcm) sample *= gain_;
        fade_ends(*pcm);
        return said_[line] = std::move(*pcm);
    }
    [[nodiscard]] bool spoken() const { return spoken_; }

  private:
    /// Takes off what is below -50 dBFS at both ends but for 20 ms.
    static void trim(std::vector<float>& pcm) {
        constexpr std::ptrdiff_t kKept = 960;
        const auto loud = [](float sample) { return std::abs(sample) > 0.003F; };
        const auto first = std::find_if(pcm.begin(), pcm.end(), loud);
        const auto last = std::find_if(pcm.rbegin(), pcm.rend(), loud).base();
        if (first == pcm.end()) return;
        const auto from = std::max<std::ptrdiff_t>(0, first - pcm.begin() - kKept);
        const auto until = std::min<std::ptrdiff_t>(std::ssize(pcm), last - pcm.begin() + kKept);
        pcm = std::vector<float>(pcm.begin() + from, pcm.begin() + until);
    }

    std::string program_;
    Voice voice_;
    float gain_;
    bool spoken_ = true;
    std::map<std::size_t, std::vector<float>> said_;
};

/// Who comes and goes when: the last player joins after a fifth, the last but one leaves after four fifths.
std::vector<Player> seats(const SpokenTable& options) {
    const auto count = static_cast<std::size_t>(options.speakers);
    std::vector<Player> players(count);
    for (std::size_t i = 0; i < count; ++i) {
        players[i] = {.user = player_id(i), .join = {}, .leave = SamplePos(options.length), .talks = {}};
    }
    if (count >= 2) players[count - 1].join = floor_ms(SamplePos(options.length / 5));
    if (count >= 3) players[count - 2].leave = floor_ms(SamplePos(options.length * 4 / 5));
    return players;
}

/// Draws whose turn it is at `at`: those who have said least go first, never twice the same in a row if others can.
std::optional<std::size_t> draw_player(const std::vector<Player>& players, SamplePos at,
                                       std::optional<std::size_t> last, Random& random) {
    std::vector<std::size_t> able;
    std::size_t least = SIZE_MAX;
    for (std::size_t i = 0; i < players.size(); ++i) {
        const Player& player = players[i];
        const bool free = player.talks.empty() ||
                          player.talks.back().start + Samples(std::ssize(player.talks.back().pcm)) + kLeastPause <= at;
        if (at < player.join || at + Samples(seconds(1)) > player.leave || !free) continue;
        if (last == i && players.size() > 1) continue;
        // Up to two more runs than the quietest are allowed: a table is not a queue.
        able.push_back(i);
        least = std::min(least, player.talks.size());
    }
    std::erase_if(able, [&](std::size_t i) { return players[i].talks.size() > least + 2; });
    const bool somebody_is_new = least == 0;
    if (somebody_is_new) std::erase_if(able, [&](std::size_t i) { return !players[i].talks.empty(); });
    if (able.empty()) return std::nullopt;
    return able[random.below(able.size())];
}

/// A pause before the next turn, in seconds; negative: it begins before the last one ended.
double draw_pause(Random& random) {
    const double kind = random.unit();
    if (kind < 0.25) return -random.between(0.3, 1.2);  // talks over the last words
    if (kind < 0.9) return random.between(0.15, 0.9);
    return random.between(1.5, 3);  // somebody thinks
}

}  // namespace

UserId player_id(std::size_t index) {
    return {300'000'000'000'000'001 + 1'000'003 * index};
}

Script cut_table(std::span<const std::vector<float>> voices, const CutTable& options) {
    Script script{.players = std::vector<Player>(voices.size()), .length = options.length};
    for_each_index(voices.size(), [&](std::size_t i) { script.players[i] = cut_player(voices[i], i, options); });
    return script;
}

Result<SpokenScript> spoken_table(const SpokenTable& options) {
    if (options.speakers < 1 || options.speakers > 100) {
        return Error{ErrorKind::usage, "A table has 1 to 100 speakers."};
    }
    if (options.length < seconds(1)) return Error{ErrorKind::usage, "A table lasts at least one second."};

    std::vector<Player> players = seats(options);
    Random random(options.seed, 0);
    std::vector<Speaker> speakers;
    for (std::size_t i = 0; i < players.size(); ++i) {
        // Microphones differ: 1 to 9 dB below what espeak gives, whose peaks reach full scale.
        speakers.emplace_back(options.program, i, std::pow(10, -random.between(1, 9) / 20));
    }

    const SamplePos end(options.length);
    // While somebody has said nothing yet, turns come close enough that all begin in the first three quarters.
    const Samples soonest = options.length * 3 / (4 * (options.speakers + 1));
    SamplePos at(samples_of(random.between(0.2, 0.6)));
    const std::size_t nobody = players.size();
    std::size_t last = nobody;
    std::vector<std::size_t> deck;
    while (at < end) {
        const auto turn = draw_player(players, at, last, random);
        if (!turn) {
            at += Samples(milliseconds(100));
            last = nobody;
            continue;
        }
        if (deck.empty()) {
            for (std::size_t i = 0; i < table_lines().size(); ++i) deck.push_back(i);
        }
        const auto card = deck.begin() + static_cast<std::ptrdiff_t>(random.below(deck.size()));
        auto pcm = speakers[*turn].say(*card);
        deck.erase(card);
        if (!pcm) return pcm.error();
        Player& player = players[*turn];
        const auto room = static_cast<std::size_t>((player.leave - kLeastPause - at).count());
        if (pcm->size() > room) {
            pcm->resize(quietest(*pcm, room - std::min<std::size_t>(room, 14'400), room - kWindow));
            fade_ends(*pcm);
        }
        const Samples length(std::ssize(*pcm));
        player.talks.push_back({at, std::move(*pcm)});
        last = *turn;
        const bool somebody_is_new =
            std::any_of(players.begin(), players.end(), [](const Player& p) { return p.talks.empty(); });
        const Samples next = std::max(Samples(milliseconds(500)), length + samples_of(draw_pause(random)));
        at += somebody_is_new ? std::min(next, soonest) : next;
    }
    const bool spoken = std::all_of(speakers.begin(), speakers.end(), [](const Speaker& s) { return s.spoken(); });
    return SpokenScript{{std::move(players), options.length}, spoken};
}

}  // namespace lestapenna::sandbox
