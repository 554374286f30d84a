// Every trouble that REST can make, against our client over real sockets: a message is posted all the same. Each prints
// its row of the table (grep TROUBLE).
#include <algorithm>
#include <cstdio>
#include <ostream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "voice_table.h"

namespace lestapenna::test {
namespace {

struct RestTrouble {
    std::string name;
    sandbox::RestFault fault;
    bool posted = true;
};
void PrintTo(const RestTrouble& trouble, std::ostream* out) {
    *out << trouble.name;
}
class RestTroubles : public ::testing::TestWithParam<RestTrouble> {};

TEST_P(RestTroubles, MessageIsPosted) {
    VoiceTable table({});
    std::string said;
    nanoseconds took{0};
    const bool ran = table.run([&](VoiceTable& at) -> net::Task<> {
        at.discord().add_fault(GetParam().fault);
        const BootTime from = BootClock::now();
        discord::OutgoingMessage message;
        message.content = "Si registra";
        const auto posted = co_await at.rest().create_message(at.text, std::move(message));
        took = BootClock::now() - from;
        said = posted ? "posted" : fmt::format("{}: {}", posted.error().status, posted.error().message);
    });
    ASSERT_TRUE(ran);
    const auto times = std::ranges::count_if(table.discord().posted(),
                                             [](const auto& message) { return message.content == "Si registra"; });
    std::printf("TROUBLE | REST %s | %s | %lld ms | -\n", GetParam().name.c_str(), said.c_str(),
                static_cast<long long>(std::chrono::floor<milliseconds>(took).count()));
    EXPECT_EQ(times, GetParam().posted ? 1 : 0);
    EXPECT_EQ(said == "posted", GetParam().posted) << said;
}

sandbox::RestFault fault(int status, std::string body, int times) {
    sandbox::RestFault made;
    made.path = "/messages";
    made.status = status;
    made.body = std::move(body);
    made.times = times;
    return made;
}
/// As the proxies before Discord write it.
sandbox::RestFault edge_limit() {
    sandbox::RestFault made = fault(429, "<html>slow down</html>", 1);
    made.headers.emplace_back("Retry-After", "2");
    return made;
}
sandbox::RestFault cut(sandbox::RestFault::Cut how) {
    sandbox::RestFault made = fault(0, {}, 1);
    made.cut = how;
    return made;
}
sandbox::RestFault slow(milliseconds by) {
    sandbox::RestFault made = fault(0, {}, 1);
    made.delay = by;
    return made;
}

INSTANTIATE_TEST_SUITE_P(
    Rest, RestTroubles,
    ::testing::Values(RestTrouble{"429 for 1 s", sandbox::RestFault::rate_limit("/messages", seconds(1), false)},
                      RestTrouble{"429 for 1 s, global", sandbox::RestFault::rate_limit("/messages", seconds(1), true)},
                      RestTrouble{"429 without JSON, for 2 s", edge_limit()},
                      RestTrouble{"502 with HTML, twice", fault(502, "<html>Bad Gateway</html>", 2)},
                      RestTrouble{"503 with nothing", fault(503, "", 1)},
                      RestTrouble{"200 with HTML", fault(200, "<html>hello</html>", 1), false},
                      RestTrouble{"403 missing permissions",
                                  fault(403, R"({"code":50013,"message":"Missing Permissions"})", 1), false},
                      RestTrouble{"half an answer", cut(sandbox::RestFault::Cut::half)},
                      RestTrouble{"connection reset", cut(sandbox::RestFault::Cut::reset)},
                      RestTrouble{"answer after 2 s", slow(milliseconds(2'000))}),
    case_name<RestTrouble>);

}  // namespace
}  // namespace lestapenna::test
