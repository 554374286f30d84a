#include "store/s3_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lestapenna::store {
namespace {

constexpr const char* kHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string result(const std::string& root, const std::string& inside) {
    return kHead + ("<" + root) + " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + inside + "</" + root + ">";
}

TEST(S3Xml, AnErrorSaysCodeIdAndRegion) {
    const auto error = parse_s3_error(
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>no</Message><RequestId>tx-1</RequestId>"
        "<Region>eu-milan-1</Region></Error>");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "AuthorizationHeaderMalformed");
    EXPECT_EQ(error->request_id, "tx-1");
    EXPECT_EQ(error->region, "eu-milan-1");
}

TEST(S3Xml, WordsOfAnErrorAreFitForALine) {
    const auto error = parse_s3_error("<Error><Code>No\nSuch\x1b[31mKey\"</Code><RequestId>" +
                                      std::string(10'000, 'x') + "</RequestId></Error>");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "NoSuch31mKey");
    EXPECT_LE(error->request_id.size(), 200U);
}

TEST(S3Xml, WhatIsNoErrorIsNone) {
    for (const std::string& body :
         {std::string(), std::string("<html>"), std::string("<Error/>"), result("Other", ""),
          std::string("<Error><Code>cut"), std::string("\0\0", 2), std::string("<Code>A</Code>")}) {
        EXPECT_FALSE(parse_s3_error(body)) << body;
    }
}

TEST(S3Xml, EntitiesAreNotExpandedNorFetched) {
    const auto error = parse_s3_error(
        "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\"><!ENTITY b \"bbbb\">]>"
        "<Error><Code>&a;Code&b;</Code></Error>");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "aCodeb");
}

TEST(S3Xml, DeepNestingIsSurvived) {
    std::string deep;
    for (int i = 0; i < 200'000; ++i) deep += "<a>";
    EXPECT_FALSE(parse_listing(deep));
    std::string closed = deep;
    for (int i = 0; i < 200'000; ++i) closed += "</a>";
    EXPECT_FALSE(parse_listing(closed));
    EXPECT_TRUE(parse_listing(result("ListBucketResult", closed)));
}

TEST(S3Xml, APageOfAList) {
    const auto page =
        parse_listing(result("ListBucketResult",
                             "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                             "<NextContinuationToken>a+b/c=</NextContinuationToken>"
                             "<Contents><Key>recordings/a%20b+c%01.mp3</Key><Size>12</Size></Contents>"
                             "<Contents><Key>recordings/%C3%A8%2</Key><Size>18446744073709551615</Size></Contents>"));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->objects.size(), 2U);
    EXPECT_EQ(page->objects[0].name, "recordings/a b c\x01.mp3");
    EXPECT_EQ(page->objects[0].bytes, 12U);
    EXPECT_EQ(page->objects[1].name, "recordings/\xC3\xA8%2");
    EXPECT_EQ(page->next, "a+b/c=");
}

TEST(S3Xml, KeysAreDecodedOnlyWhereTheServerEncodedThem) {
    const auto page =
        parse_listing(result("ListBucketResult", "<Contents><Key>a%20b+c&amp;d</Key><Size>0</Size></Contents>"));
    ASSERT_TRUE(page);
    EXPECT_EQ(page->objects.at(0).name, "a%20b+c&d");
    EXPECT_EQ(page->next, "");
}

TEST(S3Xml, HalfAListIsNone) {
    EXPECT_FALSE(parse_listing(result("ListBucketResult", "<IsTruncated>true</IsTruncated>")));
    EXPECT_FALSE(parse_listing(result("ListBucketResult", "<Contents><Key>a</Key><Size>-1</Size></Contents>")));
    EXPECT_FALSE(parse_listing(result("ListBucketResult", "<Contents><Key>a</Key></Contents>")));
    EXPECT_FALSE(parse_uploads(result("ListMultipartUploadsResult", "<IsTruncated>true</IsTruncated>")));
    EXPECT_FALSE(parse_parts(result("ListPartsResult", "<IsTruncated>true</IsTruncated>")));
}

TEST(S3Xml, UploadsAndParts) {
    EXPECT_EQ(parse_upload_id(result("InitiateMultipartUploadResult", "<UploadId>2~x</UploadId>")), "2~x");
    EXPECT_FALSE(parse_upload_id(result("InitiateMultipartUploadResult", "<UploadId/>")));
    const auto uploads = parse_uploads(
        result("ListMultipartUploadsResult",
               "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-11-22T07:00:00.000Z</Initiated></Upload>"));
    ASSERT_TRUE(uploads);
    EXPECT_EQ(uploads->uploads.at(0).name, "k");
    EXPECT_EQ(uploads->uploads.at(0).initiated, "2026-11-22T07:00:00.000Z");
    const auto parts = parse_parts(
        result("ListPartsResult", "<Part><PartNumber>2</PartNumber><ETag>&quot;ab&quot;</ETag><Size>7</Size></Part>"));
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->parts.at(0).number, 2U);
    EXPECT_EQ(parts->parts.at(0).etag, "\"ab\"");
    EXPECT_EQ(parts->parts.at(0).bytes, 7U);
}

TEST(S3Xml, CompleteBodyHoldsThePartsInOrder) {
    EXPECT_THAT(complete_body({{1, "\"a&<\"", 5}, {2, "b", 6}}),
                testing::EndsWith("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                  "<Part><PartNumber>1</PartNumber><ETag>\"a&amp;&lt;\"</ETag></Part>"
                                  "<Part><PartNumber>2</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>"));
}

TEST(S3Xml, OnlyACompleteAnswerIsASuccess) {
    EXPECT_TRUE(is_completed(result("CompleteMultipartUploadResult", "<ETag/>")));
    EXPECT_FALSE(is_completed("<Error><Code>InternalError</Code></Error>"));
    EXPECT_FALSE(is_completed(""));
}

}  // namespace
}  // namespace lestapenna::store
