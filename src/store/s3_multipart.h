// Files too large for one PUT: sent in parts of 16 MiB, put together at the end. What got there before a crash is asked
// for first: a part whose size and MD5 are ours is not sent again. Afterwards uploads that nobody will finish are
// aborted: others of the same key, and those of keys of ours that are older than two days.
#pragma once

#include "base/result.h"
#include "store/keys.h"
#include "store/s3_client.h"
#include "store/s3_file.h"

namespace lestapenna::store {

/// Durable on return like ObjectStore::put(). Errors: failed; what is there stays for the next try.
Status put_in_parts(S3Client& client, const SourceFile& source, const Key& key);

}  // namespace lestapenna::store
