#include "clients/cli/tools/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/utf8.h"
#include "tests/clients/cli/tools/calls.h"
#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class RegistryTest : public testing::Test {
 protected:
  ToolOutcome RunCall(const quota::v1::ToolCall& call) {
    const Workspace workspace = folder_.Open();
    return cli::Run(call, {.workspace = &workspace, .hidden_variables = {}});
  }
  ToolOutcome RunRaw(const std::string& name, const std::string& arguments) {
    quota::v1::ToolCall call;
    call.set_name(name);
    call.set_arguments(arguments);
    return RunCall(call);
  }
  TemporaryFolder folder_;
};

TEST_F(RegistryTest, DeclaresSchemasThatForbidUnknownArguments) {
  const auto tools = ToolDeclarations();
  ASSERT_EQ(tools.size(), 5u);
  for (const quota::v1::Tool& tool : tools) {
    const boost::json::value schema = boost::json::parse(tool.parameters());
    EXPECT_EQ(schema.at("type"), "object") << tool.name();
    EXPECT_EQ(schema.at("additionalProperties"), false) << tool.name();
    EXPECT_FALSE(tool.description().empty());
  }
}

TEST_F(RegistryTest, RunsEveryTool) {
  EXPECT_EQ(RunCall(PatchCall("1", "*** Add File: sub/a\n+hello\n")).output, "A sub/a (+1)\n");
  EXPECT_EQ(RunCall(Call("2", "read_file", {{"path", "sub/a"}})).output, "hello\n");
  EXPECT_EQ(RunCall(Call("3", "list_files", {})).output, "sub/\nsub/a\n");
  EXPECT_EQ(RunRaw("list_files", "").output, "sub/\nsub/a\n");
  const ToolOutcome shell =
      RunCall(Call("4", "shell", {{"command", "cat a"}, {"cwd", "sub"}, {"timeout_ms", nullptr}}));
  EXPECT_THAT(shell.output, testing::EndsWith("hello\n"));
  EXPECT_FALSE(shell.is_error);
}

struct BadCall {
  const char* tool;
  const char* arguments;
  const char* says;
};

class BadArguments : public RegistryTest, public testing::WithParamInterface<BadCall> {};
INSTANTIATE_TEST_SUITE_P(
    All, BadArguments,
    testing::Values(BadCall{"rm", "{}", "there is no tool \"rm\""}, BadCall{"shell", "nonsense", "one JSON object"},
                    BadCall{"shell", "[1]", "one JSON object"}, BadCall{"shell", "{}", "\"command\" is missing"},
                    BadCall{"shell", R"({"command":""})", "must not be empty"},
                    BadCall{"shell", R"({"command":["ls"]})", "must be a string"},
                    BadCall{"shell", R"({"command":"ls","workdir":"x"})", "unknown argument \"workdir\""},
                    BadCall{"shell", R"({"command":"ls","timeout_ms":"5"})", "must be an integer"},
                    BadCall{"shell", R"({"command":"ls","timeout_ms":0})", "from 1 to 1800000"},
                    BadCall{"shell", R"({"command":"ls","timeout_ms":1800001})", "from 1 to 1800000"},
                    BadCall{"shell", "{\"command\":\"a\\u0000b\"}", "NUL"},
                    BadCall{"shell", R"({"command":"ls","cwd":".."})", "leaves the workspace"},
                    BadCall{"shell", R"({"command":"ls","cwd":"no"})", "does not exist"},
                    BadCall{"read_file", R"({"path":"a","offset":-1})", "\"offset\" must be an integer"},
                    BadCall{"read_file", R"({"path":"a","limit":65537})", "from 1 to 65536"},
                    BadCall{"read_file", R"({"path":null})", "\"path\" is missing"},
                    BadCall{"list_files", R"({"path":7})", "must be a string"},
                    BadCall{"apply_patch", R"({"patch":"x"})", "patch line 1"},
                    BadCall{"apply_patch", R"({"input":"x"})", "it takes patch"}));

TEST_P(BadArguments, AreAnErrorThatTellsTheModelWhatToSend) {
  const ToolOutcome outcome = RunRaw(GetParam().tool, GetParam().arguments);
  EXPECT_TRUE(outcome.is_error);
  EXPECT_THAT(outcome.output, HasSubstr(GetParam().says));
}

TEST_F(RegistryTest, RefusesDeeplyNestedArguments) { EXPECT_TRUE(RunRaw("shell", std::string(100000, '[')).is_error); }

TEST_F(RegistryTest, BoundsAndRepairsEveryOutput) {
  const ToolOutcome flood = RunCall(ShellCall("1", "head -c 300000 /dev/zero | tr '\\0' '\\377'"));
  EXPECT_LE(flood.output.size(), kMaxToolOutput);
  EXPECT_TRUE(IsValidUtf8(flood.output));
  EXPECT_THAT(flood.output, StartsWith("exit code 0"));
}

TEST_F(RegistryTest, KnowsTheEffects) {
  EXPECT_EQ(EffectOf(Call("", "read_file", {})), Effect::kReadOnly);
  EXPECT_EQ(EffectOf(Call("", "apply_patch", {})), Effect::kPatch);
  EXPECT_EQ(EffectOf(Call("", "shell", {})), Effect::kCommand);
  EXPECT_EQ(EffectOf(Call("", "who knows", {})), Effect::kCommand);
}

}  // namespace
}  // namespace holdfast::cli
