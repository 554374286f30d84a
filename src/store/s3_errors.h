// What an S3 server's refusal means, and how to say it. Pure; any thread.
#pragma once

#include "base/result.h"
#include "net/http.h"
#include "store/s3_client.h"
#include "store/s3_place.h"
#include "store/s3_transfer.h"

namespace lestapenna::store {

S3Failure failure_of(const S3Place& place, NoAnswer why);
/// Of an answer that is no 2xx, or of a 200 that holds an error. `method` as it was asked.
S3Failure failure_of(const S3Place& place, std::string_view method, const net::HttpResponse& response);

}  // namespace lestapenna::store
