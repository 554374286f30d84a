#include "store/s3_xml.h"

#include <algorithm>
#include <charconv>

#include <pugixml.hpp>

namespace lestapenna::store {

namespace {

/// The root, when it has this name. pugixml knows no DTD: an entity stays the text that it is.
class Document {
  public:
    Document(std::string_view body, const char* root) {
        const auto parsed = document_.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
        if (parsed && document_.document_element().name() == std::string_view(root))
            root_ = document_.document_element();
    }
    explicit operator bool() const { return !root_.empty(); }
    [[nodiscard]] const pugi::xml_node& root() const { return root_; }

  private:
    pugi::xml_document document_;
    pugi::xml_node root_;
};

std::string text(const pugi::xml_node& of, const char* name) {
    return of.child_value(name);
}

template <class Number>
std::optional<Number> number(const pugi::xml_node& of, const char* name) {
    const std::string_view digits = of.child_value(name);
    Number value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

/// Fit for a message: what a code, an id or a region is made of, and of no more of it than fits a line.
std::string word(const pugi::xml_node& of, const char* name) {
    constexpr std::size_t kLongest = 120;
    std::string kept = text(of, name).substr(0, kLongest);
    std::erase_if(kept, [](char c) {
        return !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                 std::string_view("-_.:/+=").find(c) != std::string_view::npos);
    });
    return kept;
}

std::string percent_decoded(std::string_view encoded) {
    std::string plain;
    plain.reserve(encoded.size());
    while (!encoded.empty()) {
        unsigned value = 0;
        const auto* const digits = encoded.data() + 1;
        constexpr int kHexadecimal = 16;
        if (encoded.size() >= 3 && encoded.front() == '%' &&
            std::from_chars(digits, digits + 2, value, kHexadecimal).ptr == digits + 2) {
            plain.push_back(static_cast<char>(value));
            encoded.remove_prefix(3);
            continue;
        }
        plain.push_back(encoded.front() == '+' ? ' ' : encoded.front());
        encoded.remove_prefix(1);
    }
    return plain;
}

/// Keys are encoded when the answer says so: we ask for it, because a key of somebody else's may hold what XML can not.
class Names {
  public:
    explicit Names(const pugi::xml_node& root) : encoded_(text(root, "EncodingType") == "url") {}
    [[nodiscard]] std::string of(const pugi::xml_node& node, const char* name) const {
        auto raw = text(node, name);
        return encoded_ ? percent_decoded(raw) : raw;
    }

  private:
    bool encoded_;
};

bool truncated(const pugi::xml_node& root) {
    return text(root, "IsTruncated") == "true";
}

}  // namespace

std::optional<S3ErrorBody> parse_s3_error(std::string_view body) {
    const Document document(body, "Error");
    if (!document) return std::nullopt;
    S3ErrorBody error{word(document.root(), "Code"), word(document.root(), "RequestId"),
                      word(document.root(), "Region")};
    if (error.code.empty()) return std::nullopt;
    return error;
}

std::optional<S3Listing> parse_listing(std::string_view body) {
    const Document document(body, "ListBucketResult");
    if (!document) return std::nullopt;
    const Names names(document.root());
    S3Listing listing;
    for (const auto& node : document.root().children("Contents")) {
        const auto bytes = number<std::uint64_t>(node, "Size");
        if (!bytes) return std::nullopt;
        listing.objects.push_back({names.of(node, "Key"), *bytes});
    }
    if (truncated(document.root())) {
        listing.next = text(document.root(), "NextContinuationToken");
        if (listing.next.empty()) return std::nullopt;  // half a list must not look like a whole one
    }
    return listing;
}

std::optional<std::string> parse_upload_id(std::string_view body) {
    const Document document(body, "InitiateMultipartUploadResult");
    if (!document) return std::nullopt;
    auto id = text(document.root(), "UploadId");
    if (id.empty()) return std::nullopt;
    return id;
}

std::optional<S3Uploads> parse_uploads(std::string_view body) {
    const Document document(body, "ListMultipartUploadsResult");
    if (!document) return std::nullopt;
    const Names names(document.root());
    S3Uploads found;
    for (const auto& node : document.root().children("Upload")) {
        found.uploads.push_back({names.of(node, "Key"), text(node, "UploadId"), text(node, "Initiated")});
    }
    if (truncated(document.root())) {
        found.next_key = names.of(document.root(), "NextKeyMarker");
        found.next_id = text(document.root(), "NextUploadIdMarker");
        if (found.next_key.empty()) return std::nullopt;
    }
    return found;
}

std::optional<S3Parts> parse_parts(std::string_view body) {
    const Document document(body, "ListPartsResult");
    if (!document) return std::nullopt;
    S3Parts found;
    for (const auto& node : document.root().children("Part")) {
        const auto part = number<std::uint32_t>(node, "PartNumber");
        const auto bytes = number<std::uint64_t>(node, "Size");
        if (!part || !bytes) return std::nullopt;
        found.parts.push_back({*part, text(node, "ETag"), *bytes});
    }
    if (truncated(document.root())) {
        found.next = text(document.root(), "NextPartNumberMarker");
        if (found.next.empty()) return std::nullopt;
    }
    return found;
}

std::string complete_body(const std::vector<S3Part>& parts) {
    pugi::xml_document document;
    auto root = document.append_child("CompleteMultipartUpload");
    root.append_attribute("xmlns").set_value("http://s3.amazonaws.com/doc/2006-03-01/");
    for (const auto& part : parts) {
        auto node = root.append_child("Part");
        node.append_child("PartNumber").text().set(part.number);
        node.append_child("ETag").text().set(part.etag.c_str());
    }
    struct Text final : pugi::xml_writer {
        void write(const void* data, std::size_t size) override { all.append(static_cast<const char*>(data), size); }
        std::string all;
    } written;
    document.save(written, "", pugi::format_raw);
    return std::move(written.all);
}

bool is_completed(std::string_view body) {
    return static_cast<bool>(Document(body, "CompleteMultipartUploadResult"));
}

}  // namespace lestapenna::store
