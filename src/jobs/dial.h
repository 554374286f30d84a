// A TCP connection by name that nobody waits for once `stop` is set: the look-up (40 s, where no name server answers)
// is done by a thread that may be left behind, all else in slices of 100 ms.
//
// Thread: any; blocks. Errors: interrupted when `stop` was set; failed with the reason in a few words.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "base/time.h"

namespace lestapenna::jobs {

/// To the first of its addresses that takes us, each within `patience`. The socket does not block.
Result<Fd> dial(const std::string& host, std::uint16_t port, milliseconds patience, const std::atomic<bool>& stop);

/// Waits until the socket can be written to, or read from (POLLOUT, POLLIN); false: not by then.
Result<bool> ready(const Fd& socket, short events, BootTime deadline, const std::atomic<bool>& stop);

}  // namespace lestapenna::jobs
