#pragma once

#include <string>

#include "boost/json.hpp"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

inline quota::v1::ToolCall Call(const std::string& id, const std::string& name, const boost::json::object& arguments) {
  quota::v1::ToolCall call;
  call.set_call_id(id);
  call.set_name(name);
  call.set_arguments(boost::json::serialize(arguments));
  return call;
}

inline quota::v1::ToolCall ShellCall(const std::string& id, const std::string& command) {
  return Call(id, "shell", {{"command", command}});
}

inline quota::v1::ToolCall PatchCall(const std::string& id, const std::string& body) {
  return Call(id, "apply_patch", {{"patch", "*** Begin Patch\n" + body + "*** End Patch\n"}});
}

}  // namespace holdfast::cli
