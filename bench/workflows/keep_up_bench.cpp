// What it costs to keep up with a session while it is recorded, against finishing it once at its end.
//
//     bench_keep_up [MINUTES] [PLAYERS]
//
// One thread; CPU of the process. Players talk a fifth of the time each, with the corpus's voices or a buzz. "From the
// beginning" is keep_up() in a new process each time: it has to decode all that was before.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "audio/files.h"
#include "buzz.h"
#include "growing_journal.h"
#include "support.h"
#include "workflows/keep_up.h"
#include "workflows/master.h"

namespace lestapenna {
namespace {

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "bench_keep_up: %s\n", why.c_str());
    std::_Exit(1);
}
void need(const Status& status) {
    if (!status) fail(status.error().message);
}

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

sandbox::SimulatedTable table(seconds length, std::size_t players) {
    static const std::vector<std::string> kNames{"en-libri1688-m.opus", "en-libri1998-f.opus", "en-libri2033-m.opus",
                                                 "en-libri2414-m.opus", "en-libri533-f.opus",  "en-libri367-f.opus"};
    auto voices = test::buzzing_voices(players);
    if (const auto data = test::test_data()) {
        for (std::size_t i = 0; i < players; ++i) {
            if (auto pcm = audio::read_mono_48k(*data / "speech" / kNames[i % kNames.size()])) {
                voices[i] = std::move(*pcm);
            }
        }
    }
    sandbox::CutTable cut;
    cut.length = length;
    return sandbox::simulate(sandbox::cut_table(voices, cut), {});
}

/// A session recorded into a folder of its own.
class Desk {
  public:
    explicit Desk(const sandbox::SimulatedTable& table)
        : catalog_(open_catalog(folder_.path())), length_(std::chrono::floor<seconds>(table.length)) {
        config_.data.dir = folder_.path();
        auto store = store::open_store(config_);
        if (!store) fail(store.error().message);
        store_ = std::move(*store);
        need(catalog_.insert_session({.id = id_, .start = table.start_time}));
        std::vector<journal::Record> joins;
        for (const auto& sender : table.senders) joins.emplace_back(journal::Join{BootTime{}, sender.user});
        journal_.emplace(workflows::journal_root(config_), id_, table.start_time,
                         test::records_of(table, std::move(joins)));
    }

    /// Each rotation; `remembering`: what it knew of the one before. CPU seconds, without the writing of the journal.
    double keep_up(bool remembering) {
        workflows::Growing kept;
        double spent = 0;
        for (seconds at = kWindow + seconds(16); at < length_ + kWindow; at += kWindow) {
            need(journal_->grow_to(std::min(at, length_)));
            const double before = cpu_seconds();
            workflows::Growing fresh;
            const auto next = workflows::keep_up(tools(), id_, remembering ? kept : fresh);
            if (!next) fail(next.error().message);
            spent += cpu_seconds() - before;
            ++rotations_;
        }
        return spent;
    }
    double finish() {
        need(journal_->end());
        const double before = cpu_seconds();
        auto session = workflows::Session::open(tools(), id_);
        if (!session) fail(session.error().message);
        need(workflows::finish_session(*session));
        return cpu_seconds() - before;
    }
    /// Reading and placing alone.
    double read() {
        const double before = cpu_seconds();
        if (!workflows::Session::open(tools(), id_)) fail("the journal can not be read");
        return cpu_seconds() - before;
    }
    [[nodiscard]] int rotations() const { return rotations_; }

  private:
    static constexpr seconds kWindow{300};
    static catalog::Catalog open_catalog(const std::filesystem::path& folder) {
        auto catalog = catalog::Catalog::open(folder / "catalog.sqlite");
        if (!catalog) fail(catalog.error().message);
        return std::move(*catalog);
    }
    workflows::Tools tools() { return {config_, catalog_, *store_, {}}; }

    test::TempDir folder_;
    SessionId id_ = *SessionId::parse("bench");
    Config config_;
    catalog::Catalog catalog_;
    std::unique_ptr<store::ObjectStore> store_;
    std::optional<test::GrowingJournal> journal_;
    seconds length_;
    int rotations_ = 0;
};

int run(int minutes, std::size_t players) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // the parts take minutes
    const auto simulated = table(std::chrono::minutes(minutes), players);
    std::printf("%d minutes, %zu players, %zu packets\n", minutes, players, simulated.arrivals.size());
    Desk growing(simulated);
    const double kept_up = growing.keep_up(true);
    const double rest = growing.finish();
    std::printf("keep_up, %d rotations           %7.2f s\n  the end after that             %7.2f s\n",
                growing.rotations(), kept_up, rest);
    std::printf("  reading the whole journal once %7.2f s\n", growing.read());
    Desk forgetful(simulated);
    std::printf("keep_up from the beginning      %7.2f s\n", forgetful.keep_up(false));
    Desk once(simulated);
    std::printf("all of it at the end            %7.2f s\n", once.finish());
    return 0;
}

}  // namespace
}  // namespace lestapenna

int main(int argc, char** argv) {
    const int minutes = argc > 1 ? std::atoi(argv[1]) : 120;
    const int players = argc > 2 ? std::atoi(argv[2]) : 6;
    if (minutes < 6 || players < 1) lestapenna::fail("at least 6 minutes, 1 player");
    return lestapenna::run(minutes, static_cast<std::size_t>(players));
}
