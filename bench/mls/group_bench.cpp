// What a change of a group costs each who takes part, by its number of members (the argument): who commits, who
// follows, and who joins. The tree is as a call leaves it in which everybody has committed once: no blank parents.
#include <map>

#include <benchmark/benchmark.h>

#include "mls/framing.h"
#include "mls/group.h"

namespace lestapenna::mls {
namespace {

constexpr Lifetime kForever{0, ~std::uint64_t{0}};

struct Someone {
    explicit Someone(std::uint8_t name) : own(make_key_package(signature, Bytes(8, name), kForever)) {}
    KeyPair signature = KeyPair::generate();
    OwnKeyPackage own;
    std::optional<Group> group;
};

/// Proposals need no external sender when nobody checks them: what is measured takes them as checked.
QueuedProposal queued(Proposal proposal, std::uint8_t name) {
    return {ProposalRef(kHashBytes, name), std::move(proposal), {SenderType::external, 0}};
}

/// Made once for each size: a minute's work for 100, were it done for each measurement.
struct Call {
    explicit Call(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) members.emplace_back(static_cast<std::uint8_t>(i));
        auto& first = members.front();
        first.group = Group::create(Bytes(8, 1), first.signature, first.own, {});
        std::vector<QueuedProposal> adds;
        for (std::size_t i = 1; i < size; ++i)
            adds.push_back(queued(Add{members[i].own.package}, static_cast<std::uint8_t>(i)));
        auto committed = first.group->commit(adds).value();
        for (std::size_t i = 1; i < size; ++i)
            members[i].group = Group::join(*committed.welcome, members[i].signature, members[i].own).value();
        first.group = std::move(committed.next);
        for (std::size_t by = 0; by < size; ++by) follow(by);
        adding = members.front().group->commit(add).value();
        removing = members.front().group->commit(remove).value();
    }
    void follow(std::size_t by) {
        auto committed = members[by].group->commit({}).value();
        for (auto& member : members) {
            member.group =
                &member == &members[by] ? committed.next : member.group->process(committed.commit, {}).value().next;
        }
    }

    std::vector<Someone> members;
    Someone joiner{200};
    std::vector<QueuedProposal> add{queued(Add{joiner.own.package}, 200)};
    std::vector<QueuedProposal> remove{queued(Remove{{1}}, 201)};
    std::optional<Group::Committed> adding, removing;
};

const Call& call(const benchmark::State& state) {
    static std::map<std::int64_t, Call> calls;
    return calls.try_emplace(state.range(0), static_cast<std::size_t>(state.range(0))).first->second;
}

void commits(benchmark::State& state, const std::vector<QueuedProposal> Call::*queue,
             const std::optional<Group::Committed> Call::*made) {
    const Call& in = call(state);
    for ([[maybe_unused]] const auto step : state)
        benchmark::DoNotOptimize(in.members.front().group->commit(in.*queue).value());
    state.counters["commits/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    const auto& bytes = *(in.*made);
    state.counters["bytes"] = static_cast<double>(bytes.commit.size() + (bytes.welcome ? bytes.welcome->size() : 0));
}

void BM_CommitAdd(benchmark::State& state) {
    commits(state, &Call::add, &Call::adding);
}
void BM_CommitRemove(benchmark::State& state) {
    commits(state, &Call::remove, &Call::removing);
}

/// By the member farthest from who commits.
void processes(benchmark::State& state, const std::vector<QueuedProposal> Call::*queue,
               const std::optional<Group::Committed> Call::*made) {
    const Call& in = call(state);
    const Group& group = *in.members.back().group;
    for ([[maybe_unused]] const auto step : state)
        benchmark::DoNotOptimize(group.process((in.*made)->commit, in.*queue).value());
}

void BM_ProcessAdd(benchmark::State& state) {
    processes(state, &Call::add, &Call::adding);
}
void BM_ProcessRemove(benchmark::State& state) {
    processes(state, &Call::remove, &Call::removing);
}

void BM_Join(benchmark::State& state) {
    const Call& in = call(state);
    const auto& welcome = *in.adding->welcome;
    for ([[maybe_unused]] const auto step : state) {
        benchmark::DoNotOptimize(Group::join(welcome, in.joiner.signature, in.joiner.own).value());
    }
}

BENCHMARK(BM_CommitAdd)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_CommitRemove)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_ProcessAdd)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_ProcessRemove)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Join)->Arg(5)->Arg(25)->Arg(100)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace lestapenna::mls
