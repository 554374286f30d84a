#include "mls/messages.h"

#include <cassert>
#include <concepts>
#include <type_traits>
#include <utility>

namespace lestapenna::mls {

namespace {

// Each structure names its fields once, in fields(), for both directions: Put writes them, Get reads them.
//   io(a, b)          in this order: integers, opaque vectors, vectors, optionals, structures
//   io.choice<Tag>(v) a variant, behind a Tag that counts its alternatives from 1
//   io.check(held)    what must hold: from outside it is malformed, from us a bug

class Put {
  public:
    template <class T>
    using Value = const T;

    explicit Put(Writer& to) : to_(to) {}
    template <class... T>
    void operator()(const T&... values) {
        (put(values), ...);
    }
    template <class Tag, class... T>
    void choice(const std::variant<T...>& one) {
        put(static_cast<Tag>(one.index() + 1));
        std::visit([this](const auto& value) { this->put(value); }, one);
    }
    void check([[maybe_unused]] bool held) { assert(held); }

  private:
    void put(std::uint8_t value) { to_.u8(value); }
    void put(std::uint16_t value) { to_.u16(value); }
    void put(std::uint32_t value) { to_.u32(value); }
    void put(std::uint64_t value) { to_.u64(value); }
    void put(const Bytes& value) { to_.vec(value); }
    void put(const Secret& value) { to_.vec(value); }
    template <class T>
    void put(const std::vector<T>& values) {
        to_.vec_of([&](Writer& inner) {
            Put put(inner);
            for (const T& value : values) put(value);
        });
    }
    template <class T>
    void put(const std::optional<T>& value) {
        to_.u8(value ? 1 : 0);
        if (value) put(*value);
    }
    template <class T>
    requires std::is_enum_v<T>
    void put(const T& value) { to_.u8(static_cast<std::uint8_t>(value)); }
    template <class T>
    void put(const T& value) {
        fields(*this, value);
    }

    Writer& to_;
};

class Get {
  public:
    template <class T>
    using Value = T;

    explicit Get(Reader& from) : from_(from) {}
    template <class... T>
    void operator()(T&... values) {
        (get(values), ...);
    }
    template <class Tag, class... T>
    void choice(std::variant<T...>& one) {
        Tag tag{};
        get(tag);
        const auto chosen = [&]<std::size_t... I>(std::index_sequence<I...> /*alternatives*/) {
            return ((tag == I + 1 && (get(one.template emplace<I>()), true)) || ...);
        };
        check(chosen(std::index_sequence_for<T...>{}));
    }
    void check(bool held) {
        if (!held) from_.fail();
    }

  private:
    void get(std::uint8_t& value) { value = from_.u8(); }
    void get(std::uint16_t& value) { value = from_.u16(); }
    void get(std::uint32_t& value) { value = from_.u32(); }
    void get(std::uint64_t& value) { value = from_.u64(); }
    void get(Bytes& value) { value = to_bytes(from_.vec()); }
    void get(Secret& value) {
        const View bytes = from_.vec();
        value.assign(bytes.begin(), bytes.end());
    }
    template <class T>
    void get(std::vector<T>& values) {
        from_.list([&](Reader& inner) { Get(inner).get(values.emplace_back()); });
    }
    template <class T>
    void get(std::optional<T>& value) {
        if (from_.present()) get(value.emplace());
    }
    template <class T>
    requires std::is_enum_v<T>
    void get(T& value) { value = static_cast<T>(from_.u8()); }
    template <class T>
    void get(T& value) {
        fields(*this, value);
    }

    Reader& from_;
};

/// A T to be written or read.
template <class Io, class T>
using Field = typename Io::template Value<T>;

// ---- who somebody is

template <class Io>
void fields(Io& io, Field<Io, LeafIndex>& v) {
    io(v.value);
}

template <class Io>
void fields(Io& io, Field<Io, Credential>& v) {
    io(v.type);
    io.check(v.type == Credential::kBasic || v.type == Credential::kX509);
    if (v.type == Credential::kBasic) {
        io(v.identity);
    } else {
        io(v.certificates);
    }
}

template <class Io>
void fields(Io& io, Field<Io, Extension>& v) {
    io(v.type, v.data);
}

template <class Io>
void fields(Io& io, Field<Io, ExternalSender>& v) {
    io(v.signature_key, v.credential);
}

template <class Io>
void fields(Io& io, Field<Io, Capabilities>& v) {
    io(v.versions, v.cipher_suites, v.extensions, v.proposals, v.credentials);
}

template <class Io>
void fields(Io& io, Field<Io, Lifetime>& v) {
    io(v.not_before, v.not_after);
}

template <class Io>
void unsigned_fields(Io& io, Field<Io, LeafNode>& v) {
    io(v.encryption_key, v.signature_key, v.credential, v.capabilities, v.source);
    switch (v.source) {
        case LeafSource::key_package:
            io(v.lifetime);
            break;
        case LeafSource::update:
            break;
        case LeafSource::commit:
            io(v.parent_hash);
            break;
        default:
            io.check(false);
    }
    io(v.extensions);
}
template <class Io>
void fields(Io& io, Field<Io, LeafNode>& v) {
    unsigned_fields(io, v);
    io(v.signature);
}

template <class Io>
void unsigned_fields(Io& io, Field<Io, KeyPackage>& v) {
    io(v.version, v.cipher_suite, v.init_key, v.leaf, v.extensions);
}
template <class Io>
void fields(Io& io, Field<Io, KeyPackage>& v) {
    unsigned_fields(io, v);
    io(v.signature);
}

template <class Io>
void fields(Io& io, Field<Io, ParentNode>& v) {
    io(v.encryption_key, v.parent_hash, v.unmerged_leaves);
}

template <class Io>
void fields(Io& io, Field<Io, Node>& v) {
    io.template choice<std::uint8_t>(v);
}

// ---- proposals and commits

template <class Io>
void fields(Io& io, Field<Io, PreSharedKeyId>& v) {
    io(v.type);
    io.check(v.type == 1 || v.type == 2);
    if (v.type == 1) {
        io(v.id);
    } else {
        io(v.usage, v.group_id, v.epoch);
    }
    io(v.nonce);
}

template <class Io>
void fields(Io& io, Field<Io, Add>& v) {
    io(v.key_package);
}
template <class Io>
void fields(Io& io, Field<Io, Update>& v) {
    io(v.leaf);
}
template <class Io>
void fields(Io& io, Field<Io, Remove>& v) {
    io(v.leaf);
}
template <class Io>
void fields(Io& io, Field<Io, UsePreSharedKey>& v) {
    io(v.psk);
}
template <class Io>
void fields(Io& io, Field<Io, ReInit>& v) {
    io(v.group_id, v.version, v.cipher_suite, v.extensions);
}
template <class Io>
void fields(Io& io, Field<Io, ExternalInit>& v) {
    io(v.kem_output);
}
template <class Io>
void fields(Io& io, Field<Io, GroupContextExtensions>& v) {
    io(v.extensions);
}

template <class Io>
void fields(Io& io, Field<Io, Proposal>& v) {
    io.template choice<std::uint16_t>(v);
}
template <class Io>
void fields(Io& io, Field<Io, ProposalOrRef>& v) {
    io.template choice<std::uint8_t>(v);
}

template <class Io>
void fields(Io& io, Field<Io, HpkeCiphertext>& v) {
    io(v.kem_output, v.ciphertext);
}
template <class Io>
void fields(Io& io, Field<Io, UpdatePathNode>& v) {
    io(v.encryption_key, v.encrypted_path_secret);
}
template <class Io>
void fields(Io& io, Field<Io, UpdatePath>& v) {
    io(v.leaf, v.nodes);
}
template <class Io>
void fields(Io& io, Field<Io, Commit>& v) {
    io(v.proposals, v.path);
}

// ---- framing

template <class Io>
void fields(Io& io, Field<Io, Sender>& v) {
    io(v.type);
    switch (v.type) {
        case SenderType::member:
        case SenderType::external:
            io(v.index);
            break;
        case SenderType::new_member_proposal:
        case SenderType::new_member_commit:
            break;
        default:
            io.check(false);
    }
}

template <class Io>
void fields(Io& io, Field<Io, FramedContent>& v) {
    io(v.group_id, v.epoch, v.sender, v.authenticated_data);
    io.template choice<std::uint8_t>(v.content);
}

template <class Io>
void fields(Io& io, Field<Io, PublicMessage>& v) {
    io(v.content, v.signature);
    if (std::holds_alternative<Commit>(v.content.content)) io(v.confirmation_tag);
    if (v.content.sender.type == SenderType::member) io(v.membership_tag);
}

template <class Io>
void fields(Io& io, Field<Io, PrivateMessage>& v) {
    io(v.group_id, v.epoch, v.content_type);
    io.check(v.content_type >= 1 && v.content_type <= 3);
    io(v.authenticated_data, v.encrypted_sender_data, v.ciphertext);
}

// ---- groups

template <class Io>
void fields(Io& io, Field<Io, GroupContext>& v) {
    io(v.version, v.cipher_suite, v.group_id, v.epoch, v.tree_hash, v.confirmed_transcript_hash, v.extensions);
}

template <class Io>
void unsigned_fields(Io& io, Field<Io, GroupInfo>& v) {
    io(v.context, v.extensions, v.confirmation_tag, v.signer);
}
template <class Io>
void fields(Io& io, Field<Io, GroupInfo>& v) {
    unsigned_fields(io, v);
    io(v.signature);
}

template <class Io>
void fields(Io& io, Field<Io, GroupSecrets>& v) {
    io(v.joiner_secret, v.path_secret, v.psks);
}
template <class Io>
void fields(Io& io, Field<Io, EncryptedGroupSecrets>& v) {
    io(v.new_member, v.secrets);
}
template <class Io>
void fields(Io& io, Field<Io, Welcome>& v) {
    io(v.cipher_suite, v.secrets, v.encrypted_group_info);
}

template <class Io>
void fields(Io& io, Field<Io, Message>& v) {
    std::uint16_t version = kProtocolVersion;
    io(version);
    io.check(version == kProtocolVersion);
    io.template choice<std::uint16_t>(v);
}

}  // namespace

#define LESTAPENNA_MLS_CODED(T)                     \
    void write(Writer& to, Field<Put, T>& value) {  \
        Put{to}(value);                             \
    }                                               \
    void read(Reader& from, Field<Get, T>& value) { \
        Get{from}(value);                           \
    }
LESTAPENNA_MLS_CODED_TYPES(LESTAPENNA_MLS_CODED)
#undef LESTAPENNA_MLS_CODED

Secret encode(const GroupSecrets& secrets) {
    Writer writer;
    write(writer, secrets);
    return writer.take();
}

Bytes key_package_ref(const KeyPackage& package) {
    return ref_hash("MLS 1.0 KeyPackage Reference", encode(package));
}

Bytes to_be_signed(const LeafNode& leaf, const LeafPlace& place) {
    Writer writer;
    Put put(writer);
    unsigned_fields(put, leaf);
    if (leaf.source != LeafSource::key_package) put(place.group_id, place.leaf);
    return to_bytes(writer.bytes());
}

Bytes to_be_signed(const KeyPackage& package) {
    Writer writer;
    Put put(writer);
    unsigned_fields(put, package);
    return to_bytes(writer.bytes());
}

Bytes to_be_signed(const GroupInfo& info) {
    Writer writer;
    Put put(writer);
    unsigned_fields(put, info);
    return to_bytes(writer.bytes());
}

}  // namespace lestapenna::mls
