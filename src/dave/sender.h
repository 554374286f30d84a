// Encrypts our own Opus frames with our key of the epoch: nonce from 1, key by generation (dave.md section 6.1).
// Thread: one at a time. seal() allocates nothing but what it appends to.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dave/keys.h"

namespace lestapenna::dave {

class Sender {
  public:
    explicit Sender(BaseSecret own);
    ~Sender();
    Sender(Sender&&) noexcept;
    Sender& operator=(Sender&&) noexcept;

    /// Appends the frame of `opus` to `to`; the silence frame goes as it is.
    void seal(std::span<const std::uint8_t> opus, std::vector<std::uint8_t>& to);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lestapenna::dave
