// Every command in both languages, typed and chosen, against a whole Discord: what people read, who can read it, what
// comes of it, and that Discord's bad days do not touch the recording.
#include <filesystem>

#include "base/files.h"
#include "ways.h"

namespace lestapenna::bot {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class EveryWay : public CommandTest, public testing::WithParamInterface<Way> {
  protected:
    [[nodiscard]] static Language language() { return GetParam().language; }
    [[nodiscard]] static std::string_view prefix() { return prefix_of(GetParam()); }
    std::string told(UserId who, Verb verb, const std::string& argument = "") {
        return use(GetParam(), who, verb, argument).content;
    }
};
INSTANTIATE_TEST_SUITE_P(Command, EveryWay, testing::ValuesIn(kWays), name_of_case);

/// The sentence that says a length, whatever it was.
bool is_with_some_length(const std::string& text, const std::function<std::string(milliseconds)>& sentence) {
    for (seconds length{0}; length < seconds(600); ++length) {
        if (text == sentence(length)) return true;
    }
    return false;
}

std::string all_bytes_of(const std::filesystem::path& folder) {
    std::string all;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (const auto text = read_text_file(file.path(), 64U << 20)) all += *text;
    }
    return all;
}

TEST_P(EveryWay, BeforeAnythingIsRecorded) {
    open();
    const UserId anna = manager("Anna");
    start();
    const auto not_recording = text::not_recording(language(), prefix());
    for (const Verb verb : {Verb::stop, Verb::pause, Verb::resume}) EXPECT_EQ(told(anna, verb), not_recording);
    EXPECT_EQ(told(anna, Verb::note, "a dragon"), not_recording);
    EXPECT_EQ(told(anna, Verb::status), text::idle(language(), std::nullopt, prefix()));
    EXPECT_EQ(told(anna, Verb::sessions), text::sessions(language(), {}, prefix()));
    EXPECT_EQ(told(anna, Verb::download), text::nothing_recorded_here(language(), prefix()));
    EXPECT_EQ(told(anna, Verb::recover), text::nothing_to_recover(language()));
    EXPECT_EQ(told(anna, Verb::help), text::help(language(), prefix()));
}

TEST_P(EveryWay, AnEveningWithoutAWord) {
    open();
    const UserId anna = manager("Anna");
    sit(anna);
    start();
    const auto begun = use(GetParam(), anna, Verb::listen);
    const auto session = last_session();
    ASSERT_TRUE(session);
    const SessionId id = session->id;
    EXPECT_EQ(begun.content, text::listening(language(), id, voice(), prefix()));
    EXPECT_FALSE(begun.ephemeral) << "the table is to know";
    EXPECT_EQ(session->started_by, anna.text());
    EXPECT_EQ(session->language, to_text(language()));
    EXPECT_EQ(told(anna, Verb::listen), text::already_listening(language(), id, voice(), session->start));
    EXPECT_EQ(sessions_known(), 1U);

    EXPECT_EQ(told(anna, Verb::resume), text::not_paused(language()));
    EXPECT_EQ(told(anna, Verb::pause), text::paused(language(), prefix()));
    EXPECT_EQ(told(anna, Verb::pause), text::already_paused(language(), prefix()));
    EXPECT_THAT(told(anna, Verb::status), HasSubstr("⏸️"));
    EXPECT_EQ(told(anna, Verb::resume), text::resumed(language()));
    EXPECT_TRUE(is_with_some_length(told(anna, Verb::note, "il drago <@1> **arriva**"),
                                    [](milliseconds at) { return text::noted(language(), at); }));
    EXPECT_EQ(told(anna, Verb::note), text::note_is_empty(language(), prefix()));
    EXPECT_EQ(told(anna, Verb::note, std::string(4'001, 'x')), text::note_is_too_long(language()));

    const auto status = use(GetParam(), anna, Verb::status);
    EXPECT_THAT(status.content, HasSubstr(text::short_id(id)));
    EXPECT_THAT(status.content, Not(HasSubstr("⏸️")));
    EXPECT_EQ(status.ephemeral, GetParam().slash);
    EXPECT_THAT(told(anna, Verb::sessions), HasSubstr(text::short_id(id)));
    EXPECT_EQ(told(anna, Verb::recover), text::nothing_to_recover(language())) << "what is recorded is no orphan";
    EXPECT_EQ(told(anna, Verb::download, text::short_id(id)),
              text::already_listening(language(), id, voice(), session->start));

    EXPECT_TRUE(is_with_some_length(told(anna, Verb::stop),
                                    [&](milliseconds length) { return text::stopped(language(), id, length); }));
    EXPECT_EQ(told(anna, Verb::stop), text::not_recording(language(), prefix()));
    wait_until_idle();
    EXPECT_EQ(wait_for_post_in(text(), text::no_audio(language(), id)).ephemeral, false);
    EXPECT_EQ(told(anna, Verb::download), text::no_audio(language(), id)) << "the last of this channel";
    EXPECT_EQ(told(anna, Verb::download, id.text()), text::no_audio(language(), id));
    const auto last = last_session();
    EXPECT_EQ(last->status, catalog::SessionStatus::complete);
    EXPECT_EQ(told(anna, Verb::status), text::idle(language(), last, prefix()));
    EXPECT_THAT(all_bytes_of(journal(id)), HasSubstr("il drago <@1> **arriva**"));
}

class Commands : public CommandTest {
  protected:
    /// A session in which the first talker was heard; its link came to them by direct message.
    void record_somebody() {
        TableSetup setup;
        setup.talkers = 1;
        setup.length = seconds(6);
        open(setup);
        start();
        player_ = stage().players.front();
        session_ = record(player_);
        play(last_session()->start);
        ASSERT_TRUE(eventually([&] { return show_->over_within(milliseconds(20)); }));
        type(player_, "$termina");
        EXPECT_EQ(fetch(link_in(wait_for_direct(player_, web("/")).content)).status, 200);
        wait_until_idle();
    }
    /// What people who are in the channel can read.
    void expect_no_link_in_public() {
        for (const auto& one : posted()) {
            if (one.direct_to || one.ephemeral) continue;
            EXPECT_THAT(one.content, Not(HasSubstr("http")));
        }
    }

    UserId player_;
    SessionId session_ = *SessionId::parse("none");
};

TEST_F(Commands, LinksReachOnlyWhoMayHaveThem) {
    record_somebody();
    const UserId stranger = person("Stranger");
    const UserId boss = manager("Boss");
    std::size_t received = direct_messages(player_).size();
    for (const Way& way : kWays) {
        SCOPED_TRACE(way);
        EXPECT_EQ(use(way, stranger, Verb::download, text::short_id(session_)).content,
                  text::refusal(way.language, Refusal::not_recorded, prefix_of(way)));
        for (const UserId asker : {player_, boss}) {
            std::string link;
            if (way.slash) {
                const auto answer = use(way, asker, Verb::download, text::short_id(session_));
                EXPECT_TRUE(answer.ephemeral);
                link = link_in(answer.content);
            } else {
                received = direct_messages(asker).size();
                const auto question = send(asker, typed(way, Verb::download, text::short_id(session_)));
                ASSERT_TRUE(eventually([&] { return direct_messages(asker).size() > received; }));
                link = link_in(direct_messages(asker).back().content);
                ASSERT_TRUE(eventually([&] { return answer_to(question).has_value(); }));
                EXPECT_EQ(answer_to(question)->content, text::see_direct_message(way.language));
            }
            const auto audio = fetch(link);
            EXPECT_EQ(audio.status, 200) << link;
            EXPECT_GT(audio.body.size(), 10'000U);
        }
    }
    EXPECT_TRUE(direct_messages(stranger).empty());
    expect_no_link_in_public();
    wait_for_post_in(text(), text::short_id(session_));
}

TEST_F(Commands, ClosedDirectMessagesAreSaid) {
    record_somebody();
    direct([&](sandbox::Loopback& discord) { discord.refuse_direct(player_, true); });
    EXPECT_EQ(type(player_, "$scarica"), text::direct_messages_closed(Language::it, session_));
    EXPECT_EQ(type(player_, "$download"), text::direct_messages_closed(Language::en, session_));
    EXPECT_EQ(fetch(link_in(slash(player_, "scarica").content)).status, 200);
    expect_no_link_in_public();
}

TEST_F(Commands, LinksInTheChannelWhereTheTableWantsThem) {
    config_.discord.links = Links::channel;
    TableSetup setup;
    setup.talkers = 1;
    setup.length = seconds(6);
    open(setup);
    start();
    const UserId player = stage().players.front();
    record(player);
    play(last_session()->start);
    ASSERT_TRUE(eventually([&] { return show_->over_within(milliseconds(20)); }));
    type(player, "$termina");
    EXPECT_EQ(fetch(link_in(wait_for_post_in(text(), web("/")).content)).status, 200);
    EXPECT_TRUE(direct_messages(player).empty());
    EXPECT_FALSE(slash(player, "scarica").ephemeral);
}

TEST_F(Commands, AStageIsAChannelLikeAnother) {
    open();
    const UserId anna = person("Anna");
    const auto hall = direct([&](sandbox::Loopback& discord) { return discord.add_stage_channel(guild(), "Hall"); });
    sit(anna, hall);
    start();
    for (const Way& way : kWays) {
        const auto begun = use(way, anna, Verb::listen).content;
        EXPECT_EQ(begun, text::listening(way.language, last_session()->id, hall, prefix_of(way)));
        EXPECT_TRUE(is_recording_in(hall));
        EXPECT_THAT(use(way, anna, Verb::stop).content, StartsWith("⏹️"));
        wait_until_idle();
    }
    EXPECT_EQ(sessions_known(), 4U) << "each was ended, so none is gone on with";
}

TEST_F(Commands, EveryPrefixAndSpelling) {
    open();
    const UserId anna = person("Anna");
    config_.discord.prefix = "🎲!";
    start();
    EXPECT_EQ(type(anna, "🎲!AIUTO"), text::help(Language::it, "🎲!"));
    EXPECT_EQ(type(anna, "🎲! help \n"), text::help(Language::en, "🎲!"));
    EXPECT_EQ(slash(anna, "help", {}, "").content, text::help(Language::en, "/"));
    EXPECT_EQ(slash(anna, "aiuto", {}, "fr").content, text::help(Language::en, "/"));
    const auto unheard = {send(anna, "$aiuto"), send(anna, "aiuto"), send(anna, "🎲!aiutami"), send(anna, "🎲")};
    EXPECT_EQ(type(anna, "🎲!help"), text::help(Language::en, "🎲!")) << "commands are taken in order";
    for (const MessageId one : unheard) EXPECT_FALSE(answer_to(one));
}

TEST_F(Commands, AreRegisteredWithDiscord) {
    open();
    start();
    nlohmann::json registered;
    ASSERT_TRUE(eventually([&] {
        registered = direct([&](sandbox::Loopback& discord) { return discord.commands(bot()); });
        return registered.is_array() && !registered.empty();
    }));
    const auto wanted = slash_commands();
    ASSERT_EQ(registered.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        for (const auto& [key, value] : wanted[i].items()) EXPECT_EQ(registered[i][key], value) << key;
    }
}

// ---- Discord's bad days

struct BadDay {
    const char* name;
    int status;
    const char* body;
    sandbox::RestFault::Cut cut = sandbox::RestFault::Cut::none;
    bool passes = false;  ///< it is worth trying again
};
constexpr BadDay kBadDays[] = {
    {"forbidden", 403, R"({"code":50013,"message":"Missing Permissions"})"},
    {"gone", 404, R"({"code":10003,"message":"Unknown Channel"})"},
    {"too many", 429, R"({"message":"slow","retry_after":0.2,"global":false})", sandbox::RestFault::Cut::none, true},
    {"broken", 500, "", sandbox::RestFault::Cut::none, true},
    {"nothing", 0, "", sandbox::RestFault::Cut::reset, true},
};

TEST_F(Commands, ABadDayOfDiscordsReachesNeitherTheRecordingNorThePerson) {
    open();
    const UserId anna = person("Anna");
    start();
    record(anna);
    for (const BadDay& day : kBadDays) {
        SCOPED_TRACE(day.name);
        for (const bool chosen : {false, true}) {
            sandbox::RestFault fault;
            fault.method = "POST";
            fault.path = chosen ? "/callback" : "/channels/" + text().text() + "/messages";
            fault.status = day.status;
            fault.body = day.body;
            fault.cut = day.cut;
            direct([&](sandbox::Loopback& discord) { discord.add_fault(fault); });
            const auto before = posted().size();
            if (chosen) {
                send_slash(anna, "nota", {{"testo", "x"}});
            } else {
                send(anna, "$nota x");
            }
            std::vector<Posted> answers;
            ASSERT_TRUE(eventually([&] {
                answers = posted();
                answers.erase(answers.begin(), answers.begin() + static_cast<std::ptrdiff_t>(before));
                return !answers.empty();
            })) << chosen;
            EXPECT_THAT(answers.front().content, StartsWith("📌"));
            EXPECT_EQ(answers.front().direct_to.has_value(), !chosen && !day.passes);
            EXPECT_EQ(type(anna, "$nota"), text::note_is_empty(Language::it, kPrefix)) << "the next day is a good one";
        }
    }
    EXPECT_TRUE(is_recording_in(voice()));
    EXPECT_EQ(sessions_known(), 1U);
    EXPECT_THAT(type(anna, "$stato"), StartsWith("🔴"));
}

}  // namespace
}  // namespace lestapenna::bot
