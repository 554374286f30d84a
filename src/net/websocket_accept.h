// How the server makes a WebSocket; for the .cpp files of this room.
#pragma once

#include <memory>

#include "net/http.h"
#include "net/stream.h"
#include "net/websocket.h"

namespace lestapenna::net {

/// Answers the request with 101 and gives the socket; with 4xx and gives nothing, when the request is not as RFC 6455
/// wants it. The head has been read from `stream` and nothing after it.
Task<std::unique_ptr<WebSocket>> accept_websocket(Stream stream, HttpRequest request, std::size_t max_message_bytes);

}  // namespace lestapenna::net
