#pragma once

#include <google/protobuf/descriptor.pb.h>

namespace holdfast {

// Every proto file of this repository, as it is compiled into this program.
google::protobuf::FileDescriptorSet CompiledProtos();

}  // namespace holdfast
