// What one operation of suite 2 costs: a group of 100 verifies hundreds of signatures at a join.
#include <benchmark/benchmark.h>

#include "mls/crypto.h"

namespace lestapenna::mls {
namespace {

const KeyPair& key() {
    static const KeyPair pair = KeyPair::generate();
    return pair;
}
const Bytes& content() {
    static const Bytes bytes(300, 7);  // a leaf to be signed
    return bytes;
}

void generate(benchmark::State& state) {
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(KeyPair::generate());
}
BENCHMARK(generate);

void derive(benchmark::State& state) {
    const Secret secret = random_secret(kHashBytes);
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(KeyPair::derive(secret));
}
BENCHMARK(derive);

void check_public_key(benchmark::State& state) {
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(is_public_key(key().public_key));
}
BENCHMARK(check_public_key);

void sign(benchmark::State& state) {
    for ([[maybe_unused]] const auto step : state)
        benchmark::DoNotOptimize(sign_with_label(key(), "LeafNodeTBS", content()));
}
BENCHMARK(sign);

void verify(benchmark::State& state) {
    const Bytes signature = sign_with_label(key(), "LeafNodeTBS", content());
    for ([[maybe_unused]] const auto step : state) {
        benchmark::DoNotOptimize(verify_with_label(key().public_key, "LeafNodeTBS", content(), signature));
    }
}
BENCHMARK(verify);

void hpke_seal(benchmark::State& state) {
    const Secret secret = random_secret(kHashBytes);
    for ([[maybe_unused]] const auto step : state) {
        benchmark::DoNotOptimize(encrypt_with_label(key().public_key, "UpdatePathNode", content(), secret));
    }
}
BENCHMARK(hpke_seal);

void hpke_open(benchmark::State& state) {
    const auto sealed = encrypt_with_label(key().public_key, "UpdatePathNode", content(), random_secret(kHashBytes));
    for ([[maybe_unused]] const auto step : state) {
        benchmark::DoNotOptimize(decrypt_with_label(key(), "UpdatePathNode", content(), *sealed));
    }
}
BENCHMARK(hpke_open);

void expand(benchmark::State& state) {
    const Secret secret = random_secret(kHashBytes);
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(derive_secret(secret, "path"));
}
BENCHMARK(expand);

void hash(benchmark::State& state) {
    for ([[maybe_unused]] const auto step : state) benchmark::DoNotOptimize(sha256({content()}));
}
BENCHMARK(hash);

}  // namespace
}  // namespace lestapenna::mls
