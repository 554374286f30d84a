// What a tree costs: each commit's path is made once and opened by everybody, each attempt copies the tree, and whoever
// joins checks all of it.
#include <benchmark/benchmark.h>

#include "mls/treekem.h"

namespace lestapenna::mls {
namespace {

struct Somebody {
    KeyPair signature = KeyPair::generate();
    PathKeys keys{.leaf = KeyPair::generate(), .parents = {}};

    [[nodiscard]] LeafNode leaf() const {
        LeafNode leaf;
        leaf.encryption_key = keys.leaf.public_key;
        leaf.signature_key = signature.public_key;
        leaf.credential.identity = Bytes(8);
        leaf.capabilities = {.versions = {kProtocolVersion},
                             .cipher_suites = {kCipherSuite},
                             .extensions = {},
                             .proposals = {},
                             .credentials = {Credential::kBasic}};
        leaf.signature = sign_with_label(signature, "LeafNodeTBS", to_be_signed(leaf, {}));
        return leaf;
    }
};

/// `members`, of whom so many have sent a path that hardly a node is blank; of a great many, few have.
struct Group {
    explicit Group(std::int64_t members) : everybody(static_cast<std::size_t>(members)) {
        for (const auto& member : everybody) tree.add(member.leaf());
        for (std::uint32_t i = 0; i<everybody.size(); i += members> 100 ? 128 : 2) commit_from(i);
    }
    void commit_from(std::uint32_t i) {
        auto made = make_path(tree, {i}, everybody[i].signature, context, {});
        const std::uint32_t last = static_cast<std::uint32_t>(everybody.size()) - 1;
        if (i != last) {
            everybody[last].keys =
                open_path(tree, {last}, everybody[last].keys, {i}, made.path, context, {})->result.keys;
        }
        tree = std::move(made.tree);
        everybody[i].keys = std::move(made.result.keys);
    }

    GroupContext context;
    std::vector<Somebody> everybody;
    Tree tree;
};

void copy(benchmark::State& state) {
    const Group group(state.range(0));
    for (auto _ : state) {
        auto copied = group.tree;
        benchmark::DoNotOptimize(copied);
    }
}
BENCHMARK(copy)->Arg(5)->Arg(25)->Arg(100);

void remove_add_hash(benchmark::State& state) {
    Group group(state.range(0));
    const auto leaf = *group.tree.leaf({1});
    for (auto _ : state) {
        group.tree.remove({1});
        group.tree.add(leaf);
        benchmark::DoNotOptimize(group.tree.hash());
    }
}
BENCHMARK(remove_add_hash)->Arg(5)->Arg(25)->Arg(100);

void make(benchmark::State& state) {
    const Group group(state.range(0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(make_path(group.tree, {0}, group.everybody[0].signature, group.context, {}));
    }
}
BENCHMARK(make)->Arg(5)->Arg(25)->Arg(100);

void open(benchmark::State& state) {
    const Group group(state.range(0));
    const auto made = make_path(group.tree, {0}, group.everybody[0].signature, group.context, {});
    const auto last = static_cast<std::uint32_t>(group.everybody.size()) - 1;
    for (auto _ : state) {
        const auto opened =
            open_path(group.tree, {last}, group.everybody[last].keys, {0}, made.path, group.context, {});
        if (!opened) state.SkipWithError("it does not open");
    }
}
BENCHMARK(open)->Arg(5)->Arg(25)->Arg(100);

void check(benchmark::State& state) {
    const Group group(state.range(0));
    for (auto _ : state) {
        if (!group.tree.check(group.context.group_id)) state.SkipWithError("it is not accepted");
    }
}
// And the largest that is read at all (kMaxTreeNodes).
BENCHMARK(check)->Arg(5)->Arg(25)->Arg(100)->Arg(2048)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lestapenna::mls
