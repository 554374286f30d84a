// What /audio/ answers: files of the store to whoever has a link, in whole or in part; and the pages for who has none.
// Thread: any; a file is opened here and read by who sends it. Errors are answers.
#pragma once

#include <string>

#include "base/time.h"
#include "net/http.h"
#include "net/server.h"
#include "store/links.h"
#include "store/store.h"

namespace lestapenna::web {

/// The answer to a GET or HEAD of any target.
net::Reply answer_audio(const net::HttpRequest& request, const store::Links& links, const store::ObjectStore& store,
                        UnixTime now);

/// A short page in Italian and English.
net::Reply page(int status, const std::string& italian, const std::string& english);

}  // namespace lestapenna::web
