// Trust as OpenSSL wants it; for the .cpp files of this room.
#pragma once

#include <memory>

#include <openssl/types.h>

#include "base/result.h"
#include "net/tls.h"

namespace lestapenna::net {

using StorePtr = std::shared_ptr<X509_STORE>;

/// The system's authorities and the extra ones. Reading the system's takes 20 ms, so the last store is kept and
/// shared: OpenSSL locks it. Errors: damaged (no certificate in the extra ones), failed. Any thread.
Result<StorePtr> trust_store(const Trust& trust);

}  // namespace lestapenna::net
