// A request as a client may send it, in each dialect: the body is JSON, the same every time, or the error says what
// cannot be expressed.
#include <google/protobuf/stubs/logging.h>

#include <boost/json/parse.hpp>
#include <string>

#include "common/base/utf8.h"
#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/provider/dialect.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {
namespace {

using fuzz::Check;

void Test(fuzz::Input input) {
  v1::GenerateRequest request;
  // gRPC gives our handlers only what parses, texts in UTF-8.
  if (!request.ParseFromString(std::string(input.Rest()))) return;
  for (const char* const name : {"responses", "chat"}) {
    const Dialect* const dialect = FindDialect(name);
    const auto body = dialect->BuildBody(request, "model-1", "acme");
    if (!body.ok()) {
      Check(body.status().code() == absl::StatusCode::kInvalidArgument, body.status().ToString());
      Check(!body.status().message().empty(), "an error says what is wrong");
      continue;
    }
    Check(IsValidUtf8(*body), "a body is UTF-8");
    boost::json::error_code error;
    const boost::json::value json = boost::json::parse(*body, error);
    Check(!error && json.is_object(), "a body is a JSON object");
    Check(json.at("model").as_string() == "model-1" && json.at("stream").as_bool(), "for the model, as a stream");
    const auto again = dialect->BuildBody(request, "model-1", "acme");
    Check(again.ok() && *again == *body, "the same request gives the same bytes");
  }
}

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // it tells of every text that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
