#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

namespace holdfast {

// What of `released` has vanished or changed in `current`, a line each, with the remedy; empty: whoever speaks
// `released` is understood. Names count as much as numbers, because JSON and logs carry them. Additions are no changes.
// Files of google.protobuf are not ours to compare.
std::vector<std::string> BreakingChanges(const google::protobuf::FileDescriptorSet& released,
                                         const google::protobuf::FileDescriptorSet& current);

}  // namespace holdfast
