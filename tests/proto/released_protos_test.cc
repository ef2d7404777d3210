#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/proto/compatibility.h"
#include "tests/proto/compiled_protos.h"

namespace holdfast {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

FileDescriptorSet ReleasedProtos() {
  FileDescriptorSet set;
  std::ifstream file(HOLDFAST_RELEASED_PROTOS, std::ios::binary);
  EXPECT_TRUE(set.ParseFromIstream(&file)) << HOLDFAST_RELEASED_PROTOS << " cannot be read; restore it from git";
  return set;
}

TEST(ReleasedProtos, AreStillUnderstood) {
  EXPECT_THAT(BreakingChanges(ReleasedProtos(), CompiledProtos()), testing::IsEmpty())
      << "Programs in use speak what proto/released.binpb holds. Only if no release has it yet: "
         "scripts/release_protos.sh";
}

TEST(ReleasedProtos, HoldBothServicesAndWhatTheyImport) {
  const FileDescriptorSet released = ReleasedProtos();
  const FileDescriptorSet compiled = CompiledProtos();
  std::vector<std::string> names;
  for (const FileDescriptorProto& file : released.file()) names.push_back(file.name());
  for (const FileDescriptorProto& file : compiled.file()) {
    EXPECT_THAT(names, testing::Contains(file.name())) << "run scripts/release_protos.sh";
    for (const std::string& import : file.dependency()) EXPECT_THAT(names, testing::Contains(import));
  }
}

}  // namespace
}  // namespace holdfast
