#include "sandbox/speech.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numbers>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audio/files.h"
#include "base/files.h"
#include "base/time.h"

namespace lestapenna::sandbox {
namespace {

constexpr std::array<std::string_view, 24> kLines = {
    "Tiro per colpire. Diciotto più sette, venticinque: colpisco?",
    "Il drago vi guarda. Poi guarda il bardo. Poi di nuovo voi.",
    "Io apro la porta. No, aspetta, prima la guardo da lontano.",
    "Uno naturale. L'ascia mi scappa di mano e vola verso il chierico.",
    "Vi ricordo che la locanda l'avete bruciata voi, la settimana scorsa.",
    "Posso sedurre il golem? Ho più nove in carisma.",
    "Tirate tutti l'iniziativa, per favore.",
    "Ma quanti punti ferita ha questo coboldo? È immortale?",
    "Non mi fido del nano. Sorride troppo.",
    "Il forziere ha i denti. Lo sapevo, è un mimic.",
    "Lancio palla di fuoco. Sì, anche se ci siete dentro.",
    "La vecchia vi offre una zuppa di funghi blu. Chi la assaggia?",
    "Io non dormo con l'armatura. Facciamo che dormivo con l'armatura.",
    "Prova di destrezza, difficoltà quindici. Chi passa per primo sul ponte?",
    "Ho finito gli incantesimi, mi restano una torcia e molto ottimismo.",
    "Il goblin si chiama Gino ed è mio amico. Non si tocca.",
    "Fermi tutti: qualcuno ha controllato le trappole?",
    "Cerco indizi nella stanza. Ventidue con la percezione.",
    "Il sindaco vi paga in galline. Sono galline molto belle.",
    "Se muoio, lascio tutto al mio cavallo.",
    "Venti naturale! Tagliategli la testa, io prendo il mantello.",
    "Sentite un rumore di passi. Sono i vostri, c'è molta eco.",
    "Ragazzi, il mago è caduto nel pozzo. Di nuovo.",
    "Un riposo lungo, vi prego. Anche solo mezz'ora.",
};

constexpr std::array<std::string_view, 8> kVoices = {"it",    "it+f4", "it+m7", "it+f2",
                                                     "it+m3", "it+f5", "it+m1", "it+f3"};

/// A file name nobody else has; the file goes with the object.
class TempFile {
  public:
    TempFile() {
        std::error_code none;
        const auto folder = std::filesystem::temp_directory_path(none);
        path_ = ((none ? "/tmp" : folder) / "lestapenna-speech-XXXXXX").string();
        fd_ = Fd(mkostemp(path_.data(), O_CLOEXEC));
    }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    ~TempFile() {
        if (fd_) unlink(path_.c_str());
    }
    [[nodiscard]] bool made() const { return static_cast<bool>(fd_); }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
    Fd fd_;
};

/// Runs a program without a shell, its streams on /dev/null. Its exit code, 127 where it does not exist, -1 where it
/// did not end by itself.
int run_quietly(std::vector<std::string> words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const int failure = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) return failure == ENOENT ? 127 : -1;
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_vowel(char c) {
    return std::string_view("aeiouAEIOU").find(c) != std::string_view::npos;
}

}  // namespace

Voice voice_of(std::size_t player) {
    // Each round through the voices is higher and faster than the one before.
    const int round = static_cast<int>(player / kVoices.size() % 4);
    return {std::string(kVoices[player % kVoices.size()]), 40 + 12 * round, 160 + 8 * round};
}

std::span<const std::string_view> table_lines() {
    return kLines;
}

Result<std::optional<std::vector<float>>> speak(const std::string& program, const Voice& voice, std::string_view text) {
    const TempFile wav;
    if (!wav.made()) return io_error("make", wav.path(), errno);
    const int exit_code =
        run_quietly({program, "-v", voice.name, "-p", std::to_string(voice.pitch), "-s",
                     std::to_string(voice.words_per_minute), "-w", wav.path(), "--", std::string(text)});
    if (exit_code == 127) return std::optional<std::vector<float>>();
    if (exit_code != 0) {
        return Error{ErrorKind::failed,
                     fmt::format("{} could not speak with voice {} (exit code {}); try: {} -v {} ciao", program,
                                 voice.name, exit_code, program, voice.name)};
    }
    auto pcm = audio::read_mono_48k(wav.path());
    if (!pcm) return pcm.error();
    return std::optional(std::move(*pcm));
}

std::vector<float> buzz(const Voice& voice, std::string_view text) {
    constexpr double kRate = 48'000;
    const auto syllable = static_cast<std::size_t>(kRate * 24 / voice.words_per_minute);  // 2.5 syllables a word
    const double pitch_hz = (voice.name.find("+f") == std::string::npos ? 80 : 160) + voice.pitch;
    std::vector<float> pcm;
    double phase = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool pause = text[i] == '.' || text[i] == ',' || text[i] == '?' || text[i] == '!' || text[i] == ':';
        if (pause) pcm.resize(pcm.size() + 2 * syllable);
        if (!is_vowel(text[i]) || (i > 0 && is_vowel(text[i - 1]))) continue;
        const int brightness = 3 + static_cast<unsigned char>(text[i]) % 5;  // vowels differ in their harmonics
        for (std::size_t n = 0; n < syllable; ++n) {
            const double at = static_cast<double>(n) / static_cast<double>(syllable);
            phase += 2 * std::numbers::pi * pitch_hz * (1.1 - 0.2 * at) / kRate;
            // sin(h p) = 2 cos(p) sin((h - 1) p) - sin((h - 2) p)
            double sum = 0;
            double before = 0;
            double sine = std::sin(phase);
            const double twice_cosine = 2 * std::cos(phase);
            for (int harmonic = 1; harmonic <= 12; ++harmonic) {
                sum += sine / (harmonic * (1 + std::abs(harmonic - brightness)));
                before = std::exchange(sine, twice_cosine * sine - before);
            }
            const double envelope = std::sin(std::numbers::pi * at);
            pcm.push_back(static_cast<float>(0.35 * envelope * envelope * sum));
        }
    }
    return pcm;
}

}  // namespace lestapenna::sandbox
