#include "tests/proto/compatibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace holdfast {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::EnumValueDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::MethodDescriptorProto;
using google::protobuf::ServiceDescriptorProto;

constexpr std::string_view kRemedy =
    "put it back, and add what is new under a new name and number (CONTRIBUTING.md, \"Protos\")";

// Null where no element has what `old` has.
template <typename Elements, typename Same>
auto FindIf(const Elements& elements, Same same) -> decltype(&*elements.begin()) {
  const auto found = std::find_if(elements.begin(), elements.end(), same);
  return found == elements.end() ? nullptr : &*found;
}

template <typename Elements>
auto FindByName(const Elements& elements, const std::string& name) {
  return FindIf(elements, [&](const auto& element) { return element.name() == name; });
}

// The real oneof of a field; proto3 `optional` makes one that is only bookkeeping.
std::string OneofOf(const DescriptorProto& message, const FieldDescriptorProto& field) {
  if (!field.has_oneof_index() || field.proto3_optional()) return {};
  return message.oneof_decl(field.oneof_index()).name();
}

std::string TypeOf(const FieldDescriptorProto& field) {
  return field.type_name().empty() ? FieldDescriptorProto::Type_Name(field.type()) : field.type_name();
}

std::string LabelOf(const FieldDescriptorProto& field) {
  return field.proto3_optional() ? "optional" : FieldDescriptorProto::Label_Name(field.label());
}

class Comparison {
 public:
  void File(const FileDescriptorProto& old, const FileDescriptorProto& now) {
    Same(old.name(), "package", old.package(), now.package());
    Same(old.name(), "syntax", old.syntax(), now.syntax());
    const std::string scope = old.package().empty() ? "" : old.package() + ".";
    Messages(scope, old.message_type(), now.message_type());
    Enums(scope, old.enum_type(), now.enum_type());
    for (const ServiceDescriptorProto& service : old.service()) {
      if (const auto* found = Found("service " + scope, service.name(), now.service())) {
        Methods(scope + service.name() + ".", service, *found);
      }
    }
  }

  void Report(std::string_view what) { changes_.push_back(fmt::format("{}; {}", what, kRemedy)); }

  std::vector<std::string> Take() { return std::move(changes_); }

 private:
  template <typename Elements>
  auto Found(const std::string& what, const std::string& name, const Elements& now) -> decltype(FindByName(now, name)) {
    const auto* found = FindByName(now, name);
    if (found == nullptr) Report(fmt::format("{}{} is gone", what, name));
    return found;
  }

  void Same(const std::string& where, std::string_view what, const std::string& old, const std::string& now) {
    if (old != now) Report(fmt::format("{}: {} was \"{}\" and is \"{}\"", where, what, old, now));
  }

  template <typename MessageList>
  void Messages(const std::string& scope, const MessageList& old, const MessageList& now) {
    for (const DescriptorProto& message : old) {
      const DescriptorProto* found = Found("message " + scope, message.name(), now);
      if (found == nullptr) continue;
      const std::string inside = scope + message.name() + ".";
      Fields(inside, message, *found);
      Reservations(inside, message, *found);
      Messages(inside, message.nested_type(), found->nested_type());
      Enums(inside, message.enum_type(), found->enum_type());
    }
  }

  void Fields(const std::string& scope, const DescriptorProto& old, const DescriptorProto& now) {
    for (const FieldDescriptorProto& field : old.field()) {
      const std::string where = fmt::format("field {}{} = {}", scope, field.name(), field.number());
      const FieldDescriptorProto* found =
          FindIf(now.field(), [&](const FieldDescriptorProto& other) { return other.number() == field.number(); });
      if (found == nullptr) {
        Report(where + " is gone");
        continue;
      }
      Same(where, "name", field.name(), found->name());
      Same(where, "JSON name", field.json_name(), found->json_name());
      Same(where, "type", TypeOf(field), TypeOf(*found));
      Same(where, "label", LabelOf(field), LabelOf(*found));
      Same(where, "oneof", OneofOf(old, field), OneofOf(now, *found));
    }
  }

  void Reservations(const std::string& scope, const DescriptorProto& old, const DescriptorProto& now) {
    for (const DescriptorProto::ReservedRange& range : old.reserved_range()) {
      const bool kept = std::any_of(now.reserved_range().begin(), now.reserved_range().end(),
                                    [&](const DescriptorProto::ReservedRange& other) {
                                      return other.start() <= range.start() && other.end() >= range.end();
                                    });
      if (!kept)
        Report(fmt::format("{}: the numbers {} to {} are no longer reserved", scope, range.start(), range.end() - 1));
    }
    for (const std::string& name : old.reserved_name()) {
      if (std::find(now.reserved_name().begin(), now.reserved_name().end(), name) == now.reserved_name().end()) {
        Report(fmt::format("{}: the name \"{}\" is no longer reserved", scope, name));
      }
    }
  }

  template <typename EnumList>
  void Enums(const std::string& scope, const EnumList& old, const EnumList& now) {
    for (const EnumDescriptorProto& one : old) {
      const EnumDescriptorProto* found = Found("enum " + scope, one.name(), now);
      if (found == nullptr) continue;
      for (const EnumValueDescriptorProto& value : one.value()) {
        const std::string inside = fmt::format("enum value {}{}.", scope, one.name());
        if (const auto* same = Found(inside, value.name(), found->value())) {
          Same(inside + value.name(), "number", std::to_string(value.number()), std::to_string(same->number()));
        }
      }
    }
  }

  void Methods(const std::string& scope, const ServiceDescriptorProto& old, const ServiceDescriptorProto& now) {
    for (const MethodDescriptorProto& method : old.method()) {
      const MethodDescriptorProto* found = Found("method " + scope, method.name(), now.method());
      if (found == nullptr) continue;
      const std::string where = "method " + scope + method.name();
      Same(where, "request", method.input_type(), found->input_type());
      Same(where, "response", method.output_type(), found->output_type());
      Same(where, "client streaming", fmt::to_string(method.client_streaming()),
           fmt::to_string(found->client_streaming()));
      Same(where, "server streaming", fmt::to_string(method.server_streaming()),
           fmt::to_string(found->server_streaming()));
    }
  }

  std::vector<std::string> changes_;
};

}  // namespace

std::vector<std::string> BreakingChanges(const FileDescriptorSet& released, const FileDescriptorSet& current) {
  Comparison comparison;
  for (const FileDescriptorProto& file : released.file()) {
    if (file.package() == "google.protobuf") continue;
    if (const FileDescriptorProto* found = FindByName(current.file(), file.name())) {
      comparison.File(file, *found);
    } else {
      comparison.Report(fmt::format("file {} is gone", file.name()));
    }
  }
  return comparison.Take();
}

}  // namespace holdfast
