// A line to a server that has trouble when it is told to: TCP on a port of its own, handed on to a server of this
// machine. Thread: the constructor's starts one that does all the work; what is public is for any. Ownership: its end
// cuts every connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lestapenna::test {

enum class Fault : std::uint8_t {
    none,
    hangs,    ///< takes connections and what is sent, and never answers
    refuses,  ///< nobody listens
    slow,     ///< 10 KiB a second, all connections together, each way
    cuts,     ///< ends each connection after 20 KiB of what its client sends
    answers,  ///< gives the same answer to every request, and hangs up
};

class FaultProxy {
  public:
    explicit FaultProxy(std::uint16_t server_port);
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;
    ~FaultProxy();

    [[nodiscard]] std::uint16_t port() const;
    /// From now on; connections that there are go through it too, those that it made useless are cut when it ends.
    /// `answer`: raw bytes, for Fault::answers.
    void set(Fault fault, std::string answer = "");
    /// The most connections at a time on which a client had sent more than 4 KiB without an answer: uploads.
    [[nodiscard]] std::size_t most_uploads() const;
    /// Connections that came while there was a fault.
    [[nodiscard]] std::size_t troubled() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::test
