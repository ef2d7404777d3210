#include <iostream>
#include <string>
#include <string_view>
#include <variant>

#include "clients/cli/commands/chat.h"
#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"
#include "clients/cli/commands/exec.h"
#include "clients/cli/commands/quota.h"
#include "clients/cli/commands/sessions.h"
#include "clients/cli/tools/runner.h"
#include "common/base/standard_streams.h"
#include "common/rpc/grpc_trace.h"

namespace holdfast::cli {
namespace {

struct Dispatch {
  const Context& context;

  int operator()(const ExecCommand& command) const { return RunExec(context, command); }
  int operator()(const ChatCommand& command) const { return RunChat(context, command); }
  int operator()(const SessionsCommand& command) const { return RunSessions(context, command); }
  int operator()(const QuotaStatusCommand& command) const { return RunQuotaStatus(context, command); }
  int operator()(const QuotaCheckCommand& command) const { return RunQuotaCheck(context, command); }
};

int Main(int argc, char** argv) {
  HoldStandardStreams();
  if (argc == 2 && std::string_view(argv[1]) == kRunnerArgument) return RunAsRunner();
  if (const std::string untraced = RestrictGrpcTrace(); !untraced.empty())
    std::cerr << "GRPC_TRACE: these would print credentials and are left out: " << untraced << "\n";
  const std::variant<CommandLine, int> parsed = ParseCommandLine(argc, argv, std::cout, std::cerr);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const auto& line = std::get<CommandLine>(parsed);
  Interrupts interrupts;
  interrupts.Install();
  Screen screen(1, 2);
  const Context context{.services = line.services, .screen = screen, .interrupts = interrupts};
  return std::visit(Dispatch{context}, line.command);
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) { return holdfast::cli::Main(argc, argv); }
