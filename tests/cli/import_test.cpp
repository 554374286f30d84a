// Captures as they come: not in the order of time, with RTP timestamps from anywhere.
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "cli/import_capture.h"
#include "rtp/packet.h"
#include "sandbox/capture.h"
#include "support.h"

namespace lestapenna::cli {
namespace {

constexpr std::array<std::uint8_t, 6> kVoice{0xF8, 1, 2, 3, 4, 5};
constexpr UnixTime kStart{milliseconds{1'760'000'000'000}};

/// `n` packets of 20 ms, the first one captured `ms` after kStart.
void speak(sandbox::CaptureWriter& capture, std::uint32_t ssrc, std::uint32_t timestamp, int ms, int n) {
    for (int i = 0; i < n; ++i) {
        std::vector<std::uint8_t> datagram;
        const rtp::Header header{false, rtp::kOpusPayloadType, static_cast<std::uint16_t>(i),
                                 static_cast<std::uint32_t>(timestamp + static_cast<std::uint32_t>(i) * 960U), ssrc};
        rtp::write(header, kVoice, datagram);
        ASSERT_TRUE(capture.write(kStart + milliseconds{ms + 20 * i}, datagram).ok());
    }
}

class Import : public ::testing::Test {
  protected:
    Result<Imported> import() {
        EXPECT_TRUE(writer_->close().ok());
        ImportOptions options;
        options.capture = folder_ / "table.pcap";
        options.users = {{1, UserId{11}}, {2, UserId{22}}};
        return import_capture(options, folder_ / "journal", seconds(300));
    }
    sandbox::CaptureWriter& capture() { return *writer_; }

  private:
    test::TempDir folder_;
    Result<sandbox::CaptureWriter> writer_ = sandbox::CaptureWriter::create(folder_ / "table.pcap");
};

TEST_F(Import, TimestampsMayBeginAnywhere) {
    for (const std::uint32_t timestamp : {0U, 4'147'200'001U, 0xFFFFFFF0U - 100'000U, 0xFFFFFFFFU}) {
        test::TempDir folder;
        auto writer = sandbox::CaptureWriter::create(folder / "x.pcap");
        speak(*writer, 1, timestamp, 0, 250);
        ASSERT_TRUE(writer->close().ok());
        const auto imported =
            import_capture({folder / "x.pcap", {{1, UserId{11}}}, {}, {}}, folder / "journal", seconds(300));
        ASSERT_TRUE(imported.ok()) << imported.error().message;
        EXPECT_EQ(imported->timeline.start, kStart) << timestamp;
        EXPECT_EQ(imported->timeline.end(), SamplePos{seconds(5)}) << timestamp;
        EXPECT_FALSE(imported->timeline.has_gaps());
    }
}

TEST_F(Import, WhatIsMergedEndToEndIsPutInOrder) {
    speak(capture(), 1, 500, 400'000, 20'000);
    speak(capture(), 2, 900, 0, 20'000);
    const auto imported = import();
    ASSERT_TRUE(imported.ok()) << imported.error().message;
    EXPECT_EQ(imported->timeline.start, kStart);
    EXPECT_FALSE(imported->timeline.has_gaps());
    for (const auto& connection : imported->timeline.connections) {
        EXPECT_EQ(connection.streams.at(0).packets.size(), 20'000U);
        EXPECT_EQ(connection.start, connection.user == UserId{11} ? SamplePos{seconds(400)} : SamplePos{});
    }
}

}  // namespace
}  // namespace lestapenna::cli
