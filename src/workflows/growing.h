// How far the chunks of the sessions being recorded are made, and where each connection's decoders stood there: the
// next keep_up() goes on from them, so that a session costs what its length is and not the square of it. A decoder is
// 26 KB; there is one per source of a connection. Nothing here is durable: without it, keep_up() decodes once from the
// beginning and the files are the same.
//
// Thread: any; of one session one at a time.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "render/pcm.h"
#include "timeline/timeline.h"

namespace lestapenna::workflows {

class Growing {
  public:
    /// One decoder per source of `connection`, each as far as it is known at `before` or earlier; fresh where nothing
    /// is known, or where the packets before it are not the same any more.
    std::vector<render::StreamDecoder> decoders(const SessionId& session, const timeline::Connection& connection,
                                                SamplePos before);
    /// What decoders() gives from now on.
    void keep(const SessionId& session, const timeline::Connection& connection,
              std::vector<render::StreamDecoder> decoders);
    void forget(const SessionId& session, const timeline::Connection& connection);
    void forget(const SessionId& session);

  private:
    /// A source by its SSRC and the place of its first packet: an SSRC may start anew.
    using Source = std::pair<std::uint32_t, SamplePos>;
    struct Kept {
        std::size_t count = 0;          ///< packets it has decoded
        std::string packets;            ///< their fingerprint
        render::StreamDecoder decoder;  ///< its stream is gone: in() gives it another
    };
    using Connection = std::pair<UserId, SamplePos>;  ///< and its start

    std::mutex mutex_;
    std::map<SessionId, std::map<Connection, std::map<Source, Kept>>> sessions_;
};

}  // namespace lestapenna::workflows
