#include "net/http.h"

#include <random>

#include <gtest/gtest.h>

namespace lestapenna::net {
namespace {

TEST(Headers, CompareWithoutRegardToCase) {
    const Headers headers = {{"Content-Type", "a"}, {"content-type", "b"}, {"X", ""}};
    EXPECT_EQ(headers.find("CONTENT-TYPE"), "a");
    EXPECT_EQ(headers.find("x"), "");
    EXPECT_EQ(headers.find("Content-Typ"), std::nullopt);
    EXPECT_TRUE(well_formed(headers));
    EXPECT_FALSE(well_formed({{"", "a"}}));
    EXPECT_FALSE(well_formed({{"a b", "a"}}));
    EXPECT_FALSE(well_formed({{"a", "b\r\nc: d"}}));
    EXPECT_FALSE(well_formed({{"a", std::string("b\0", 2)}}));
}

TEST(HttpDate, IsWrittenAndRead) {
    EXPECT_EQ(http_date(UnixTime(milliseconds(784'111'777'999))), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110 5.6.7
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), UnixTime(seconds(784'111'777)));
    EXPECT_EQ(parse_http_date(http_date(UnixTime(seconds(1'795'361'000)))), UnixTime(seconds(1'795'361'000)));
    for (const auto* bad : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1",
                            "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 36 Nov 1994 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_http_date(bad)) << bad;
    }
}

TEST(PathOf, EndsAtTheQuery) {
    EXPECT_EQ(path_of("/a/b?x=1"), "/a/b");
    EXPECT_EQ(path_of("/a#b?c"), "/a");
    EXPECT_EQ(path_of(""), "");
}

TEST(Target, QueryParameter) {
    EXPECT_EQ(query_parameter("/?v=10&encoding=json", "v"), "10");
    EXPECT_EQ(query_parameter("/?v=10&encoding=json", "encoding"), "json");
    EXPECT_EQ(query_parameter("/a?v&v=&vv=1", "v"), "");
    EXPECT_EQ(query_parameter("/a?vv=1", "v"), "");
    EXPECT_EQ(query_parameter("/v=1", "v"), "");
}

bool operator==(const FormPart& a, const FormPart& b) {
    return a.name == b.name && a.filename == b.filename && a.content_type == b.content_type && a.body == b.body;
}

TEST(Form, WhatGoesInComesOut) {
    const std::vector<std::vector<FormPart>> forms = {
        {},
        {{"payload_json", "", "application/json", R"({"content":"ciao"})"}},
        {{"files[0]", "a \"b\".mp3", "audio/mpeg", std::string("\r\n--\0\r\n", 7)}, {"x", "", "", ""}},
        {{"line\r\nend", "ä", "", "--lestapenna-"}},
    };
    for (const auto& form : forms) {
        const auto [body, type] = encode_form(form);
        const auto back = decode_form(type, body);
        ASSERT_TRUE(back.has_value()) << body;
        ASSERT_EQ(back->size(), form.size());
        for (std::size_t i = 0; i < form.size(); ++i) EXPECT_TRUE((*back)[i] == form[i]) << body;
    }
}

TEST(Form, AnyBytesComeBack) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto text = [&](std::size_t most) {
        std::string made(random() % most, ' ');
        // Much of what matters to the format.
        for (char& c : made) c = std::string_view("-\r\nab\"%;=:\\ \t\0lestapenna", 24)[random() % 24];
        return made;
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<FormPart> form(random() % 4);
        for (auto& part : form) {
            part.name = "n";
            part.body = text(200);
        }
        const auto [body, type] = encode_form(form);
        const auto back = decode_form(type, body);
        ASSERT_TRUE(back && back->size() == form.size()) << body;
        for (std::size_t i = 0; i < form.size(); ++i) ASSERT_TRUE((*back)[i] == form[i]) << body;
    }
}

TEST(Form, ReadsWhatOthersWrite) {
    // As curl 7.88 and undici 6 write them.
    const std::string curl =
        "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a\\\"b.txt\"\r\n"
        "Content-Type: text/plain\r\n\r\nhi\r\n--b--\r\n";
    const auto form = decode_form("multipart/form-data; boundary=b", curl);
    ASSERT_TRUE(form && form->size() == 2);
    EXPECT_EQ((*form)[0].body, "{}");
    EXPECT_EQ((*form)[1].filename, "a\"b.txt");
    const std::string undici = "--b\r\ncontent-disposition: form-data; name=\"a%22b\"\r\n\r\nx\r\n--b--";
    const auto other = decode_form("Multipart/Form-Data; charset=utf-8; boundary=\"b\"", "preamble\r\n" + undici);
    ASSERT_TRUE(other && other->size() == 1);
    EXPECT_EQ((*other)[0].name, "a\"b");
}

TEST(Form, WhatIsNoneIsNothing) {
    const std::string head = "Content-Disposition: form-data; name=\"a\"\r\n\r\nx";
    const std::string type = "multipart/form-data; boundary=b";
    EXPECT_TRUE(decode_form(type, "--b\r\n" + head + "\r\n--b--").has_value());
    for (const std::string& body :
         {std::string(), std::string("--b"), std::string("--b-"), "--b\r\n" + head, "--b\r\n" + head + "\r\n--b",
          "--c\r\n" + head + "\r\n--c--", "--b\n" + head + "\n--b--", std::string("--b\r\n\r\nx\r\n--b--"),
          std::string("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
          std::string("--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--"),
          std::string("--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--"),
          std::string("--b\r\nno colon\r\n\r\nx\r\n--b--")}) {
        EXPECT_FALSE(decode_form(type, body).has_value()) << body;
    }
    EXPECT_FALSE(decode_form("application/json", "{}").has_value());
    EXPECT_FALSE(decode_form("multipart/form-data", "--b--").has_value());
    EXPECT_FALSE(decode_form("multipart/form-data; boundary=", "----").has_value());
}

TEST(Form, IsTotal) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto [good, type] = encode_form({{"a", "f", "t/p", "body"}, {"b", "", "", "--\r\n"}});
    for (int round = 0; round < 20'000; ++round) {
        std::string body = good.substr(0, random() % (good.size() + 1));
        for (unsigned changes = random() % 4; changes > 0 && !body.empty(); --changes) {
            body[random() % body.size()] = static_cast<char>(random());
        }
        const auto form = decode_form(type, body);
        if (form) {
            ASSERT_LE(form->size(), 2u);
        }
    }
}

}  // namespace
}  // namespace lestapenna::net
