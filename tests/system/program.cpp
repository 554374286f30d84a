#include "program.h"

#include <sstream>

#include "audio/mp3.h"
#include "base/files.h"
#include "base/hash.h"
#include "sandbox/script.h"

namespace lestapenna::system_test {

Bytes slurp(const fs::path& path) {
    constexpr std::size_t kLargest = std::size_t{1} << 30;
    auto bytes = read_file(path, kLargest);
    EXPECT_TRUE(bytes.ok()) << path;
    return bytes ? *std::move(bytes) : Bytes{};
}

void spit(const fs::path& path, std::span<const std::uint8_t> bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.flush().good()) << path;
}

void spit(const fs::path& path, std::string_view text) {
    spit(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

Digests digests(const fs::path& folder) {
    Digests all;
    if (!fs::exists(folder)) return all;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file())
            all[entry.path().lexically_relative(folder).string()] = hex(Sha256::of(slurp(entry.path())));
    }
    return all;
}

std::vector<float> decode_mp3(const fs::path& path) {
    auto audio = audio::decode_mp3(slurp(path));
    EXPECT_TRUE(audio.ok()) << path;
    if (!audio) return {};
    EXPECT_EQ(audio->channels, 1) << path;
    return std::move(audio->pcm);
}

sandbox::SimulatedTable play(const Sitting& sitting) {
    const auto spoken = sandbox::spoken_table(
        {.speakers = sitting.speakers, .length = sitting.length, .seed = kSeed, .program = "/nowhere/espeak-ng"});
    EXPECT_TRUE(spoken.ok());
    return sandbox::simulate(spoken->script, sitting.line);
}

sandbox::SimulatedTable repeated(const sandbox::SimulatedTable& table, int times, seconds later) {
    std::map<std::uint32_t, std::uint64_t> sent;
    for (const auto& sender : table.senders) sent[sender.ssrc] = sender.sent;
    sandbox::SimulatedTable all = table;
    for (int i = 1; i < times; ++i) {
        for (sandbox::Arrival arrival : table.arrivals) {
            auto& rtp = arrival.datagram;
            const auto seq =
                static_cast<std::uint64_t>(rtp[2] << 8 | rtp[3]) + sent[arrival.ssrc] * static_cast<unsigned>(i);
            std::uint64_t timestamp = 0;
            for (std::size_t k = 4; k < 8; ++k) timestamp = timestamp << 8 | rtp[k];
            timestamp += static_cast<std::uint64_t>(Samples(later * i).count());
            for (std::size_t k = 0; k < 2; ++k) rtp[3 - k] = static_cast<std::uint8_t>(seq >> (8 * k));
            for (std::size_t k = 0; k < 4; ++k) rtp[7 - k] = static_cast<std::uint8_t>(timestamp >> (8 * k));
            arrival.time += later * i;
            all.arrivals.push_back(std::move(arrival));
        }
    }
    return all;
}

void write_capture(const sandbox::SimulatedTable& table, const fs::path& path, const sandbox::CaptureFormat& format) {
    auto writer = sandbox::CaptureWriter::create(path, format);
    ASSERT_TRUE(writer.ok());
    for (const auto& arrival : table.arrivals) ASSERT_TRUE(writer->write(arrival.time, arrival.datagram).ok());
    ASSERT_TRUE(writer->close().ok());
}

std::string users_of(const sandbox::SimulatedTable& table, bool hexadecimal) {
    std::ostringstream text;
    if (hexadecimal) text << std::hex;
    for (const auto& sender : table.senders) {
        if (text.tellp() > 0) text << ',';
        text << (hexadecimal ? "0x" : "") << sender.ssrc << '=' << sender.user.text();
    }
    return text.str();
}

test::ProcessResult Program::run(const Words& words, const Words& environment) const {
    Words line{LESTAPENNA_BINARY};
    line.insert(line.end(), words.begin(), words.end());
    return test::run_process(line, environment, folder_.path());
}

Json Program::value(const test::ProcessResult& result) {
    EXPECT_TRUE(Json::accept(result.out)) << result.out << result.err;
    return Json::parse(result.out, nullptr, false);
}

Json Program::ask(const Words& words, int exit_code, const Words& environment) const {
    Words line{"--json"};
    line.insert(line.end(), words.begin(), words.end());
    const auto result = run(line, environment);
    EXPECT_EQ(result.exit_code, exit_code) << ::testing::PrintToString(words) << '\n' << result.out << result.err;
    return value(result);
}

void Program::order(const Words& words, int exit_code, const Words& environment) const {
    const auto result = run(words, environment);
    EXPECT_EQ(result.exit_code, exit_code) << ::testing::PrintToString(words) << '\n' << result.out << result.err;
}

void Program::expect_refused(const Words& words, int exit_code, const std::string& code, const std::string& hint,
                             const Words& environment) const {
    SCOPED_TRACE(::testing::PrintToString(words).substr(0, 300));
    const auto plain = run(words, environment);
    EXPECT_EQ(plain.exit_code, exit_code);
    EXPECT_THAT(plain.out, IsEmpty());
    EXPECT_THAT(plain.err, StartsWith("lestapenna: "));
    EXPECT_THAT(plain.err, HasSubstr(hint));
    EXPECT_EQ(std::ranges::count(plain.err, '\n'), 1) << plain.err;
    EXPECT_LT(plain.err.size(), 600U) << "a sentence, not a page";

    Words line{"--json"};
    line.insert(line.end(), words.begin(), words.end());
    const auto result = run(line, environment);
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_THAT(result.err, IsEmpty());
    const auto object = value(result);
    ASSERT_TRUE(object.contains("error")) << result.out;
    EXPECT_EQ(object.size(), 1U);
    EXPECT_EQ(object["error"].size(), 2U);
    EXPECT_EQ(object["error"]["code"], code);
    EXPECT_THAT(object["error"]["message"].get<std::string>(), HasSubstr(hint));
}

Json Program::import(const sandbox::SimulatedTable& table, const std::string& session, const Words& more,
                     int exit_code) const {
    const auto capture = folder_ / (session + ".pcap");
    write_capture(table, capture);
    Words words{"import", capture.string(), "--users", users_of(table), "--session", session};
    words.insert(words.end(), more.begin(), more.end());
    return ask(words, exit_code);
}

}  // namespace lestapenna::system_test
