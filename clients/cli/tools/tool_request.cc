#include "clients/cli/tools/tool_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "clients/cli/tools/printable.h"
#include "clients/cli/tools/shell.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxCommand = 100 * 1024;  // Linux takes one argument of less than 128 KiB, execve(2)

// The arguments of one call. The first thing that is wrong with them is kept; values read after that do not count.
class Arguments {
 public:
  Arguments(const std::string& tool, const std::string& text, std::initializer_list<std::string_view> known)
      : tool_(tool) {
    boost::system::error_code error;
    json::value value = json::parse(text.empty() ? std::string_view("{}") : std::string_view(text), error);
    if (error || !value.is_object()) {
      Fail("the arguments must be one JSON object");
      return;
    }
    object_ = std::move(value.as_object());
    for (const auto& entry : object_) {
      const std::string_view name(entry.key().data(), entry.key().size());
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        Fail(fmt::format("unknown argument \"{}\"; it takes {}", Printable(TruncateUtf8(name, 64)),
                         fmt::join(known, ", ")));
      }
    }
  }

  std::optional<std::string> OptionalString(const char* name) {
    const json::value* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) {
      Fail(fmt::format("argument \"{}\" must be a string", name));
      return std::nullopt;
    }
    return std::string(value->as_string().data(), value->as_string().size());
  }

  std::string String(const char* name) {
    if (Find(name) == nullptr) Fail(fmt::format("argument \"{}\" is missing", name));
    std::string text = OptionalString(name).value_or("");
    if (text.empty()) Fail(fmt::format("argument \"{}\" must not be empty", name));
    return text;
  }

  std::optional<int64_t> OptionalInteger(const char* name, int64_t least, int64_t most) {
    const json::value* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_int64() || value->as_int64() < least || value->as_int64() > most) {
      Fail(fmt::format("argument \"{}\" must be an integer from {} to {}", name, least, most));
      return std::nullopt;
    }
    return value->as_int64();
  }

  void Fail(const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(fmt::format("{}: {}", tool_, what));
  }

  const absl::Status& status() const { return status_; }

 private:
  const json::value* Find(const char* name) const {
    const json::value* value = object_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  std::string tool_;
  json::object object_;
  absl::Status status_;
};

absl::StatusOr<ToolRequest> ParseShell(const quota::v1::ToolCall& call) {
  Arguments arguments(call.name(), call.arguments(), {"command", "cwd", "timeout_ms"});
  ShellArguments shell{.command = arguments.String("command")};
  shell.folder = arguments.OptionalString("cwd").value_or(".");
  shell.timeout = std::chrono::milliseconds(
      arguments.OptionalInteger("timeout_ms", 1, kMaxShellTimeout.count()).value_or(kDefaultShellTimeout.count()));
  if (shell.command.find('\0') != std::string::npos) arguments.Fail("the command holds a NUL byte");
  if (shell.command.size() > kMaxCommand) {
    arguments.Fail(fmt::format("the command is longer than {} KiB; put the text into a file with apply_patch",
                               kMaxCommand / 1024));
  }
  if (!arguments.status().ok()) return arguments.status();
  return ToolRequest(std::move(shell));
}

absl::StatusOr<ToolRequest> ParseApplyPatch(const quota::v1::ToolCall& call) {
  Arguments arguments(call.name(), call.arguments(), {"patch"});
  const std::string text = arguments.String("patch");
  if (!arguments.status().ok()) return arguments.status();
  absl::StatusOr<Patch> patch = ParsePatch(text);
  if (!patch.ok()) return patch.status();
  return ToolRequest(*std::move(patch));
}

absl::StatusOr<ToolRequest> ParseReadFile(const quota::v1::ToolCall& call) {
  Arguments arguments(call.name(), call.arguments(), {"path", "offset", "limit"});
  ReadFileArguments read{.path = arguments.String("path"),
                         .limit = arguments.OptionalInteger("limit", 1, kMaxReadBytes)};
  read.offset = arguments.OptionalInteger("offset", 0, std::numeric_limits<int64_t>::max() / 2).value_or(0);
  if (!arguments.status().ok()) return arguments.status();
  return ToolRequest(std::move(read));
}

absl::StatusOr<ToolRequest> ParseListFiles(const quota::v1::ToolCall& call) {
  Arguments arguments(call.name(), call.arguments(), {"path"});
  ListFilesArguments list{.path = arguments.OptionalString("path").value_or(".")};
  if (!arguments.status().ok()) return arguments.status();
  return ToolRequest(std::move(list));
}

}  // namespace

absl::StatusOr<ToolRequest> ParseToolCall(const quota::v1::ToolCall& call) {
  if (call.name() == kShellTool) return ParseShell(call);
  if (call.name() == kApplyPatchTool) return ParseApplyPatch(call);
  if (call.name() == kReadFileTool) return ParseReadFile(call);
  if (call.name() == kListFilesTool) return ParseListFiles(call);
  return absl::InvalidArgumentError(fmt::format("there is no tool \"{}\"; there are {}, {}, {} and {}",
                                                Printable(TruncateUtf8(call.name(), 64)), kShellTool, kApplyPatchTool,
                                                kReadFileTool, kListFilesTool));
}

Effect EffectOf(const ToolRequest& request) {
  if (std::holds_alternative<ShellArguments>(request)) return Effect::kCommand;
  if (std::holds_alternative<Patch>(request)) return Effect::kPatch;
  return Effect::kReadOnly;
}

Effect EffectOf(const quota::v1::ToolCall& call) {
  if (call.name() == kReadFileTool || call.name() == kListFilesTool) return Effect::kReadOnly;
  return call.name() == kApplyPatchTool ? Effect::kPatch : Effect::kCommand;
}

}  // namespace holdfast::cli
