#include "tests/proto/compatibility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "tests/proto/compiled_protos.h"

namespace holdfast {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each test spoils a copy of the real protos in one way.
template <typename Elements>
auto& Named(Elements* elements, const std::string& name) {
  const auto found =
      std::find_if(elements->begin(), elements->end(), [&](const auto& element) { return element.name() == name; });
  if (found == elements->end()) {
    ADD_FAILURE() << "no " << name;
    std::abort();
  }
  return *found;
}

template <typename Elements>
void Erase(Elements* elements, const std::string& name) {
  Named(elements, name);
  elements->erase(
      std::remove_if(elements->begin(), elements->end(), [&](const auto& element) { return element.name() == name; }),
      elements->end());
}

class BreakingChangesTest : public testing::Test {
 protected:
  FileDescriptorProto& File(const std::string& name) { return Named(current_.mutable_file(), name); }
  FileDescriptorProto& Quota() { return File("holdfast/quota/v1/quota.proto"); }
  DescriptorProto& Message(const std::string& name) { return Named(Quota().mutable_message_type(), name); }
  FieldDescriptorProto& Field(const std::string& message, const std::string& name) {
    return Named(Message(message).mutable_field(), name);
  }

  std::vector<std::string> Changes() const { return BreakingChanges(released_, current_); }

  FileDescriptorSet released_ = CompiledProtos();
  FileDescriptorSet current_ = CompiledProtos();
};

TEST_F(BreakingChangesTest, AreNoneBetweenEqualProtos) { EXPECT_THAT(Changes(), IsEmpty()); }

TEST_F(BreakingChangesTest, AreNoneWhereThingsWereAdded) {
  FieldDescriptorProto* field = Message("GenerateRequest").add_field();
  field->set_name("a_new_field");
  field->set_number(1000);
  field->set_type(FieldDescriptorProto::TYPE_STRING);
  Quota().add_message_type()->set_name("ANewMessage");
  auto* value = Named(Quota().mutable_enum_type(), "FinishReason").add_value();
  value->set_name("FINISH_REASON_NEW");
  value->set_number(1000);
  Quota().mutable_service(0)->add_method()->set_name("ANewMethod");
  current_.add_file()->set_name("holdfast/a_new_file.proto");
  EXPECT_THAT(Changes(), IsEmpty());
}

TEST_F(BreakingChangesTest, SayWhatToDo) {
  Erase(Message("GenerateRequest").mutable_field(), "model");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("put it back")));
}

TEST_F(BreakingChangesTest, NameAVanishedFile) {
  Erase(current_.mutable_file(), "holdfast/agent/v1/agent.proto");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("file holdfast/agent/v1/agent.proto is gone")));
}

TEST_F(BreakingChangesTest, NameAnotherPackage) {
  Quota().set_package("holdfast.quota.v2");
  EXPECT_THAT(Changes(),
              testing::Contains(HasSubstr("package was \"holdfast.quota.v1\" and is \"holdfast.quota.v2\"")));
}

TEST_F(BreakingChangesTest, NameAVanishedMessage) {
  Erase(Quota().mutable_message_type(), "Completed");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("message holdfast.quota.v1.Completed is gone")));
}

TEST_F(BreakingChangesTest, NameAVanishedField) {
  Erase(Message("GenerateRequest").mutable_field(), "model");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("field holdfast.quota.v1.GenerateRequest.model = 6 is gone")));
}

TEST_F(BreakingChangesTest, NameAFieldWithAnotherNumber) {
  Field("GenerateRequest", "model").set_number(60);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("field holdfast.quota.v1.GenerateRequest.model = 6 is gone")));
}

TEST_F(BreakingChangesTest, NameARenamedField) {
  Field("GenerateRequest", "model").set_name("model_name");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("name was \"model\" and is \"model_name\"")));
}

TEST_F(BreakingChangesTest, NameAFieldWithAnotherJsonName) {
  Field("GenerateRequest", "call_id").set_json_name("id");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("JSON name was \"callId\" and is \"id\"")));
}

TEST_F(BreakingChangesTest, NameAFieldOfAnotherType) {
  Field("GenerateRequest", "model").set_type(FieldDescriptorProto::TYPE_BYTES);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("type was \"TYPE_STRING\" and is \"TYPE_BYTES\"")));
}

TEST_F(BreakingChangesTest, NameAFieldOfAnotherMessageType) {
  Field("Completed", "usage").set_type_name(".holdfast.quota.v1.Wait");
  EXPECT_THAT(Changes(),
              ElementsAre(HasSubstr("type was \".holdfast.quota.v1.Usage\" and is \".holdfast.quota.v1.Wait\"")));
}

TEST_F(BreakingChangesTest, NameARepeatedFieldThatIsNoLonger) {
  Field("GenerateRequest", "items").set_label(FieldDescriptorProto::LABEL_OPTIONAL);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("label was \"LABEL_REPEATED\" and is \"LABEL_OPTIONAL\"")));
}

TEST_F(BreakingChangesTest, NameAFieldThatLeftItsOneof) {
  Field("GenerateEvent", "wait").clear_oneof_index();
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("oneof was \"kind\" and is \"\"")));
}

TEST_F(BreakingChangesTest, NameAVanishedReservation) {
  DescriptorProto& old =
      Named(Named(released_.mutable_file(), "holdfast/quota/v1/quota.proto").mutable_message_type(), "Admitted");
  old.add_reserved_name("queue");
  DescriptorProto::ReservedRange* range = old.add_reserved_range();
  range->set_start(4);
  range->set_end(6);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("the numbers 4 to 5 are no longer reserved"),
                                     HasSubstr("the name \"queue\" is no longer reserved")));
}

TEST_F(BreakingChangesTest, NameAVanishedEnum) {
  Erase(Quota().mutable_enum_type(), "FinishReason");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("enum holdfast.quota.v1.FinishReason is gone")));
}

TEST_F(BreakingChangesTest, NameAVanishedValueOfANestedEnum) {
  Erase(Named(Message("Delta").mutable_enum_type(), "Channel").mutable_value(), "CHANNEL_TEXT");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("enum value holdfast.quota.v1.Delta.Channel.CHANNEL_TEXT is gone")));
}

TEST_F(BreakingChangesTest, NameAnEnumValueWithAnotherNumber) {
  Named(Named(Quota().mutable_enum_type(), "FinishReason").mutable_value(), "FINISH_REASON_STOP").set_number(9);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("number was \"1\" and is \"9\"")));
}

TEST_F(BreakingChangesTest, NameAVanishedService) {
  Erase(Quota().mutable_service(), "QuotaService");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("service holdfast.quota.v1.QuotaService is gone")));
}

TEST_F(BreakingChangesTest, NameAVanishedMethod) {
  Erase(Quota().mutable_service(0)->mutable_method(), "WhoAmI");
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("method holdfast.quota.v1.QuotaService.WhoAmI is gone")));
}

TEST_F(BreakingChangesTest, NameAMethodWithAnotherSignature) {
  auto& method = Named(Quota().mutable_service(0)->mutable_method(), "Generate");
  method.set_input_type(".holdfast.quota.v1.WhoAmIRequest");
  method.set_output_type(".holdfast.quota.v1.WhoAmIResponse");
  method.set_client_streaming(true);
  method.set_server_streaming(false);
  EXPECT_THAT(Changes(),
              ElementsAre(HasSubstr("request was"), HasSubstr("response was"),
                          HasSubstr("client streaming was \"false\""), HasSubstr("server streaming was \"true\"")));
}

}  // namespace
}  // namespace holdfast
