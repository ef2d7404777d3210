#include "tests/proto/compiled_protos.h"

#include <google/protobuf/descriptor.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "holdfast/agent/v1/agent.pb.h"
#include "holdfast/quota/v1/model.pb.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast {

google::protobuf::FileDescriptorSet CompiledProtos() {
  google::protobuf::FileDescriptorSet set;
  for (const google::protobuf::FileDescriptor* file : {
           google::rpc::RetryInfo::descriptor()->file(),
           google::rpc::Status::descriptor()->file(),
           agent::v1::Session::descriptor()->file(),
           quota::v1::Item::descriptor()->file(),
           quota::v1::GenerateRequest::descriptor()->file(),
       }) {
    file->CopyTo(set.add_file());
    file->CopyJsonNameTo(set.mutable_file(set.file_size() - 1));
  }
  return set;
}

}  // namespace holdfast
