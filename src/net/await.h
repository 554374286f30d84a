// What the .cpp files of this room share: how they wait. Thread: the loop's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/loop.h"

namespace lestapenna::net {

/// co_await x.async_y(..., kAwait) gives (error_code, results...) and never throws.
inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// As spawn(Loop&, ...), for who has only the executor of a stream.
void spawn(const asio::any_io_executor& executor, Task<> task);

}  // namespace lestapenna::net
