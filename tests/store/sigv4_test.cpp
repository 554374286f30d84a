// The worked examples of AWS's documentation ("Signature Calculations for the Authorization Header" and "Authenticating
// Requests: Using Query Parameters"), and two in Oracle's form.
#include "store/sigv4.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace lestapenna::store {
namespace {

const std::string kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SigningKey kAws{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1"};
const UnixTime kAwsTime = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24);
const SigningKey kOracle{"0123456789abcdef0123456789abcdef01234567", Secret("c2VjcmV0LWZvci1kb2N1bWVudGF0aW9uLW9ubHk="),
                         "eu-milan-1"};
const UnixTime kOracleTime = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(7);
const std::string kOracleHost = "ns.compat.objectstorage.eu-milan-1.oraclecloud.com";

/// As AWS's examples have it: host, hash and date are signed with the rest.
std::string signature_of(const std::string& method, const std::string& path, const Parameters& query,
                         Parameters headers, const std::string& hash) {
    headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
    headers.emplace_back("x-amz-date", "20130524T000000Z");
    headers.emplace_back("x-amz-content-sha256", hash);
    const auto value = authorization(kAws, {method, path, query, headers, hash}, kAwsTime);
    return value.substr(value.find("Signature=") + 10);
}

TEST(SigV4, GetOfAPart) {
    EXPECT_EQ(signature_of("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, kEmpty),
              "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, PutWithAPathThatNeedsEncoding) {
    const std::string body = "Welcome to Amazon S3.";
    const auto hash = hex(Sha256::of({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}));
    EXPECT_EQ(
        signature_of("PUT", "/test$file.text", {},
                     {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}, hash),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, QueryWithoutValueAndInOrder) {
    EXPECT_EQ(signature_of("GET", "/", {{"lifecycle", ""}}, {}, kEmpty),
              "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    EXPECT_EQ(signature_of("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, kEmpty),
              "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, AuthorizationNamesWhatIsSigned) {
    const auto value =
        authorization(kAws, {"GET", "/", {}, {{"x-amz-date", "20130524T000000Z"}, {"host", "h"}}, kEmpty}, kAwsTime);
    EXPECT_TRUE(
        value.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                          "SignedHeaders=host;x-amz-date,Signature="))
        << value;
}

TEST(SigV4, Presigned) {
    EXPECT_EQ(presigned_target(kAws, "examplebucket.s3.amazonaws.com", "/test.txt", {}, seconds(86400), kAwsTime),
              "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
              "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
              "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(SigV4, PresignedWithANameInOraclesForm) {
    EXPECT_EQ(presigned_target(kOracle, kOracleHost, "/rec/recordings/s 1/MASTER-\xC3\xA8.mp3",
                               {{"response-content-disposition", "attachment; filename=\"M 1.mp3\""}}, seconds(604800),
                               kOracleTime),
              "/rec/recordings/s%201/MASTER-%C3%A8.mp3?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
              "0123456789abcdef0123456789abcdef01234567%2F20261122%2Feu-milan-1%2Fs3%2Faws4_request"
              "&X-Amz-Date=20261122T070000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host"
              "&response-content-disposition=attachment%3B%20filename%3D%22M%201.mp3%22"
              "&X-Amz-Signature=af72e87c25535160e51618a9683abdbf34128a777f259dad647deb3ecf6dc5e4");
}

TEST(SigV4, PutInOraclesForm) {
    const std::string hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const Signable put{"PUT",
                       "/rec/recordings/s1/chunks/1-2.mp3",
                       {},
                       {{"content-type", "audio/mpeg"},
                        {"host", kOracleHost},
                        {"x-amz-content-sha256", hash},
                        {"x-amz-date", "20261122T070000Z"}},
                       hash};
    EXPECT_EQ(canonical_hash(put), "c65919dc2320664674bc2b8f6aa1ff8695dc90753897c3a3333e01710d099c3d");
    EXPECT_TRUE(authorization(kOracle, put, kOracleTime)
                    .ends_with("Signature=dd569761a21c1c738c0bf2c31d42dae8d7dcd8b02e19d59e5c06f81a43223ce0"));
}

TEST(SigV4, HeaderValuesAreTrimmedAndTheirBlanksJoined) {
    const Signable wide{"GET", "/", {}, {{"host", "h"}, {"x-amz-meta-a", "  a   b "}}, kEmpty};
    const Signable narrow{"GET", "/", {}, {{"host", "h"}, {"x-amz-meta-a", "a b"}}, kEmpty};
    EXPECT_EQ(canonical_hash(wide), canonical_hash(narrow));
}

TEST(SigV4, EncodingIsUpperCaseAndKeepsWhatItMust) {
    EXPECT_EQ(percent_encoded("azAZ09-_.~/+ =\xC3\xA8"), "azAZ09-_.~%2F%2B%20%3D%C3%A8");
    EXPECT_EQ(canonical_path("/a b/x//y/./z"), "/a%20b/x//y/./z");
    EXPECT_EQ(canonical_query({{"list-type", "2"}, {"X-Amz-Date", "d"}, {"uploads", ""}}),
              "X-Amz-Date=d&list-type=2&uploads=");
}

}  // namespace
}  // namespace lestapenna::store
